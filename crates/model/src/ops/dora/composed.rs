//! `dora` of candle operations.

use candle_core::Tensor;

use crate::error::Result;

/// As [`super::forward`].
pub fn forward(
    product: &Tensor,
    factor: &Tensor,
    bias: Option<&Tensor>,
    residual: Option<&Tensor>,
) -> Result<Tensor> {
    let dtype = product.dtype();
    let mut y = product.broadcast_mul(&factor.to_dtype(dtype)?)?;
    if let Some(bias) = bias {
        y = y.broadcast_add(&bias.to_dtype(dtype)?)?;
    }
    Ok(match residual {
        Some(residual) => (y + residual)?,
        None => y,
    })
}

/// As [`super::backward`].
pub fn backward(product: &Tensor, factor: &Tensor, dy: &Tensor) -> Result<(Tensor, Tensor)> {
    let d_product = dy.broadcast_mul(&factor.to_dtype(dy.dtype())?)?;
    Ok((d_product, (dy * product)?.sum(0)?))
}
