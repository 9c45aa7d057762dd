//! `layer_norm` of candle operations.

use candle_core::{D, Tensor};

use crate::error::Result;

/// As [`super::forward`].
pub fn forward(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    let (centred, root) = centre(&split(x, weight)?, eps)?;
    let y = centred
        .broadcast_div(&root)?
        .broadcast_mul(&weight.to_dtype(x.dtype())?)?;
    Ok(y.reshape(x.shape())?)
}

/// As [`super::backward`].
pub fn backward(
    x: &Tensor,
    weight: &Tensor,
    eps: f64,
    dy: &Tensor,
    start: Option<&Tensor>,
) -> Result<Tensor> {
    let (centred, root) = centre(&split(x, weight)?, eps)?;
    let inverse = root.recip()?; // (N, K, 1)
    let g = split(dy, weight)?.broadcast_mul(&weight.to_dtype(x.dtype())?)?;
    let slope = ((&g * &centred)?.mean_keepdim(D::Minus1)? * inverse.powf(3.0)?)?;
    let d = (g.broadcast_mul(&inverse)? - centred.broadcast_mul(&slope)?)?;
    let dx = d
        .broadcast_sub(&d.mean_keepdim(D::Minus1)?)?
        .reshape(x.shape())?;
    Ok(match start {
        Some(start) => (start + dx)?,
        None => dx,
    })
}

/// (N, K · W) -> (N, K, W)
fn split(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let (k, w) = weight.dims2()?;
    Ok(x.reshape((x.dims2()?.0, k, w))?)
}

/// Without the mean, and the root of the variance: (N, K, W), (N, K, 1).
fn centre(x: &Tensor, eps: f64) -> Result<(Tensor, Tensor)> {
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let root = (centred.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?;
    Ok((centred, root))
}
