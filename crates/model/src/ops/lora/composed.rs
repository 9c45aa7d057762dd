//! `lora` of candle operations.

use candle_core::Tensor;

use super::LoraGradients;
use crate::error::Result;

/// As [`super::forward`].
pub fn forward(x: &Tensor, a: &Tensor, scale: f64) -> Result<Tensor> {
    Ok((x.matmul(&a.to_dtype(x.dtype())?.t()?)? * scale)?)
}

/// As [`super::backward_low`].
pub fn backward_low(dy: &Tensor, b: &Tensor, scale: f64) -> Result<Tensor> {
    Ok((dy.matmul(&b.to_dtype(dy.dtype())?)? * scale)?)
}

/// As [`super::raise`].
pub fn raise(d_low: &Tensor, a: &Tensor) -> Result<Tensor> {
    Ok(d_low.matmul(&a.to_dtype(d_low.dtype())?)?)
}

/// As [`super::backward`].
pub fn backward(x: &Tensor, low: &Tensor, d_low: &Tensor, dy: &Tensor) -> Result<LoraGradients> {
    Ok(LoraGradients {
        a: d_low.t()?.matmul(x)?,
        b: dy.t()?.matmul(low)?,
        magnitude: None,
    })
}
