//! `rope` of candle operations.

use candle_core::Tensor;

use super::{Angles, RopePairs, Rotation};
use crate::error::Result;

/// As [`super::rotate`].
pub fn rotate(x: &Tensor, angles: &Angles, rotation: Rotation) -> Result<Tensor> {
    let (rows, width) = x.dims2()?;
    let half = angles.cos.dims2()?.1;
    let heads = x.reshape((rows, width / angles.size, angles.size))?;
    // Where the two of a pair lie: (N, heads, 2, half) or (N, heads, half, 2).
    let (shape, pair) = match angles.pairs {
        RopePairs::Halves => ((rows, width / angles.size, 2, half), 2),
        RopePairs::Neighbours => ((rows, width / angles.size, half, 2), 3),
    };
    let turned = heads.narrow(2, 0, 2 * half)?.reshape(shape)?;
    let (low, high) = (turned.narrow(pair, 0, 1)?, turned.narrow(pair, 1, 1)?);
    let angle = match angles.pairs {
        RopePairs::Halves => (rows, 1, 1, half),
        RopePairs::Neighbours => (rows, 1, half, 1),
    };
    let cos = angles.cos.to_dtype(x.dtype())?.reshape(angle)?;
    let sin = angles.sin.to_dtype(x.dtype())?.reshape(angle)?;
    let sin = match rotation {
        Rotation::Forward => sin,
        Rotation::Backward => sin.neg()?,
    };
    let rotated_low = (low.broadcast_mul(&cos)? - high.broadcast_mul(&sin)?)?;
    let rotated_high = (high.broadcast_mul(&cos)? + low.broadcast_mul(&sin)?)?;
    let turned = Tensor::cat(&[rotated_low, rotated_high], pair)?.reshape((
        rows,
        width / angles.size,
        2 * half,
    ))?;
    let rest = heads.narrow(2, 2 * half, angles.size - 2 * half)?;
    Ok(Tensor::cat(&[turned, rest], 2)?.reshape((rows, width))?)
}
