//! `rope`: rotary position embedding (arXiv 2104.09864), Hugging Face's halves: element i turns
//! with element i + D/2.

use candle_core::Tensor;
use rayon::prelude::*;

use super::cpu::{
    math,
    view::{self, View},
};
use crate::{
    error::{ModelError, Result},
    profile::{Op, enter},
};

/// Rows a thread takes at a time.
const ROWS: usize = 16;

/// Cosines and sines of every row's position: both (N, D/2).
#[derive(Clone)]
pub struct Angles {
    /// Cosines, times the scaling's attention factor.
    pub cos: Tensor,
    /// Sines, likewise.
    pub sin: Tensor,
}

/// Which way to turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// By the row's angle.
    Forward,
    /// Back: the transpose, which is the gradient's way.
    Backward,
}

/// Turns each head of `x` (N, heads · D) by its row's angles; the backward of a turn is the
/// turn back.
pub fn turn(x: &Tensor, angles: &Angles, way: Turn) -> Result<Tensor> {
    let _running = enter(Op::Rope, 0);
    let (rows, width) = x.dims2()?;
    let half = angles.cos.dims2()?.1;
    if half == 0
        || width % (2 * half) != 0
        || angles.cos.dims2()?.0 != rows
        || angles.sin.shape() != angles.cos.shape()
    {
        return Err(ModelError::op(
            "rope",
            format!("rows {:?}, angles {:?}", x.shape(), angles.cos.shape()),
        ));
    }
    if !view::is_fused(x) {
        return turn_composed(x, angles, way);
    }
    let (cos, sin) = (
        View::<f32>::new(&angles.cos, "cos")?,
        View::<f32>::new(&angles.sin, "sin")?,
    );
    let mut y = View::<f32>::new(x, "rope")?.slice().to_vec();
    let sign = if way == Turn::Forward { 1.0 } else { -1.0 };
    let angles = cos
        .slice()
        .par_chunks(half)
        .zip(sin.slice().par_chunks(half));
    y.par_chunks_mut(width)
        .zip(angles)
        .with_min_len(ROWS)
        .for_each(|(row, (cos, sin))| {
            for head in row.chunks_exact_mut(2 * half) {
                let (low, high) = head.split_at_mut(half);
                math::turn(low, high, cos, sin, sign);
            }
        });
    view::tensor(y, (rows, width))
}

/// [`turn`] of candle operations.
pub fn turn_composed(x: &Tensor, angles: &Angles, way: Turn) -> Result<Tensor> {
    let (rows, width) = x.dims2()?;
    let half = angles.cos.dims2()?.1;
    let heads = x.reshape((rows, width / (2 * half), 2, half))?; // (N, heads, 2, D/2)
    let (low, high) = (heads.narrow(2, 0, 1)?, heads.narrow(2, 1, 1)?);
    let shape = (rows, 1, 1, half);
    let cos = angles.cos.to_dtype(x.dtype())?.reshape(shape)?;
    let sin = angles.sin.to_dtype(x.dtype())?.reshape(shape)?;
    let sin = if way == Turn::Forward {
        sin
    } else {
        sin.neg()?
    };
    let turned_low = (low.broadcast_mul(&cos)? - high.broadcast_mul(&sin)?)?;
    let turned_high = (high.broadcast_mul(&cos)? + low.broadcast_mul(&sin)?)?;
    Ok(Tensor::cat(&[turned_low, turned_high], 2)?.reshape((rows, width))?)
}
