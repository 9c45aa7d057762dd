//! `rope` of candle operations.

use candle_core::Tensor;

use super::{Angles, Rotation};
use crate::error::Result;

/// As [`super::rotate`].
pub fn rotate(x: &Tensor, angles: &Angles, rotation: Rotation) -> Result<Tensor> {
    let (rows, width) = x.dims2()?;
    let half = angles.cos.dims2()?.1;
    let heads = x.reshape((rows, width / (2 * half), 2, half))?; // (N, heads, 2, D/2)
    let (low, high) = (heads.narrow(2, 0, 1)?, heads.narrow(2, 1, 1)?);
    let shape = (rows, 1, 1, half);
    let cos = angles.cos.to_dtype(x.dtype())?.reshape(shape)?;
    let sin = angles.sin.to_dtype(x.dtype())?.reshape(shape)?;
    let sin = match rotation {
        Rotation::Forward => sin,
        Rotation::Backward => sin.neg()?,
    };
    let rotated_low = (low.broadcast_mul(&cos)? - high.broadcast_mul(&sin)?)?;
    let rotated_high = (high.broadcast_mul(&cos)? + low.broadcast_mul(&sin)?)?;
    Ok(Tensor::cat(&[rotated_low, rotated_high], 2)?.reshape((rows, width))?)
}
