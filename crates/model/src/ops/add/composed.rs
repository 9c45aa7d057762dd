//! `add` of candle operations.

use candle_core::Tensor;

use crate::error::Result;

/// As [`super::forward`].
pub fn forward(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    Ok((a + b)?)
}
