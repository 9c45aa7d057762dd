//! `rope`: rotary position embedding (arXiv 2104.09864), of the first values of each head or of
//! all. Pairs are Hugging Face's halves (element i with element i + half) or neighbours.

pub mod composed;
mod cpu;

use candle_core::Tensor;

pub use kernels::rope::RopePairs;

use super::Backend;
use crate::{
    error::{ModelError, Result},
    profile::{Op, enter},
};

/// Cosines and sines of every row's position, both (N, half), and what they turn.
#[derive(Clone)]
pub struct Angles {
    /// Cosines, times the scaling's attention factor.
    pub cos: Tensor,
    /// Sines, likewise.
    pub sin: Tensor,
    /// D; values of a head behind the pairs stay.
    pub size: usize,
    /// Which values are a pair.
    pub pairs: RopePairs,
}

/// The direction of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// By the row's angle.
    Forward,
    /// Back: the transpose, which is the gradient's.
    Backward,
}

/// Rotates each head of `x` (N, heads · D) by its row's angles; the backward of a rotation is the
/// rotation back.
pub fn rotate(x: &Tensor, angles: &Angles, rotation: Rotation) -> Result<Tensor> {
    let _running = enter(Op::Rope, 0);
    let (rows, width) = x.dims2()?;
    let half = angles.cos.dims2()?.1;
    if half == 0
        || angles.size < 2 * half
        || width % angles.size != 0
        || angles.cos.dims2()?.0 != rows
        || angles.sin.shape() != angles.cos.shape()
    {
        return Err(ModelError::op(
            "rope",
            format!("rows {:?}, angles {:?}", x.shape(), angles.cos.shape()),
        ));
    }
    match Backend::of(x) {
        Backend::Cpu => cpu::rotate(x, angles, rotation),
        Backend::Composed => composed::rotate(x, angles, rotation),
    }
}
