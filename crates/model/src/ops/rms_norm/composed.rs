//! `rms_norm` of candle operations.

use candle_core::{D, Tensor};

use crate::error::Result;

/// As [`super::forward`].
pub fn forward(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    let root = (x.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?; // (N, 1)
    Ok(x.broadcast_div(&root)?
        .broadcast_mul(&weight.to_dtype(x.dtype())?)?)
}

/// As [`super::backward`].
pub fn backward(
    x: &Tensor,
    weight: &Tensor,
    eps: f64,
    dy: &Tensor,
    start: Option<&Tensor>,
) -> Result<Tensor> {
    let inverse = (x.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?.recip()?; // (N, 1)
    let g = dy.broadcast_mul(&weight.to_dtype(x.dtype())?)?;
    let slope = ((&g * x)?.mean_keepdim(D::Minus1)? * inverse.powf(3.0)?)?; // (N, 1)
    let dx = (g.broadcast_mul(&inverse)? - x.broadcast_mul(&slope)?)?;
    Ok(match start {
        Some(start) => (start + dx)?,
        None => dx,
    })
}
