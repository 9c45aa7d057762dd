//! `add` of candle operations.

use candle_core::Tensor;

use crate::error::Result;

/// As [`super::forward`].
pub fn forward(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    Ok((a + b)?)
}

/// As [`super::forward_scaled`].
pub fn forward_scaled(a: &Tensor, b: &Tensor, factor: f64) -> Result<Tensor> {
    Ok((a + (b * factor)?)?)
}
