//! `lora`: the low-rank update x Aᵀ Bᵀ scale (arXiv 2106.09685, Eq. 3). The scale is on the
//! update, never on the base.

pub mod composed;
mod cpu;
mod dropout;

use candle_core::Tensor;

pub use dropout::Dropout;

use super::{Backend, check_shapes};
use crate::{
    error::Result,
    profile::{Op, enter},
};

/// Gradients of one projection's update.
pub struct LoraGradients {
    /// As A: (R, in)
    pub a: Tensor,
    /// As B: (out, R)
    pub b: Tensor,
    /// As DoRA's magnitudes, where there are any: (out)
    pub magnitude: Option<Tensor>,
}

/// The rows in the low rank: scale · `x` (N, in) x `a` (R, in)ᵀ -> (N, R). [`super::linear`]
/// adds their product with B to the projection's output, and backward needs them for B's
/// gradient.
pub fn forward(x: &Tensor, a: &Tensor, scale: f64) -> Result<Tensor> {
    let (inner, (rank, a_in)) = (x.dims2()?.1, a.dims2()?);
    let _running = enter(Op::Lora, 2 * x.elem_count() * rank);
    check_shapes("lora", a_in == inner, &[x, a])?;
    match Backend::of(x) {
        Backend::Cpu => cpu::forward(x, a, scale),
        Backend::Composed => composed::forward(x, a, scale),
    }
}

/// scale · `dy` (N, out) x `b` (out, R) -> (N, R): the gradient of the rows in the low rank,
/// before A.
pub fn backward_low(dy: &Tensor, b: &Tensor, scale: f64) -> Result<Tensor> {
    let (out, (b_out, rank)) = (dy.dims2()?.1, b.dims2()?);
    let _running = enter(Op::LoraBackward, 2 * dy.elem_count() * rank);
    check_shapes("lora", b_out == out, &[dy, b])?;
    match Backend::of(dy) {
        Backend::Cpu => cpu::backward_low(dy, b, scale),
        Backend::Composed => composed::backward_low(dy, b, scale),
    }
}

/// `d_low` (N, R) x `a` (R, in) -> (N, in): the update's share of the gradient of its rows.
pub fn raise(d_low: &Tensor, a: &Tensor) -> Result<Tensor> {
    check_shapes("lora", a.dims2()?.0 == d_low.dims2()?.1, &[d_low, a])?;
    match Backend::of(d_low) {
        Backend::Cpu => cpu::raise(d_low, a),
        Backend::Composed => composed::raise(d_low, a),
    }
}

/// Gradients of A and B: `d_low`ᵀ `x` and `dy`ᵀ `low`, of what [`forward`] and [`backward_low`]
/// return.
pub fn backward(x: &Tensor, low: &Tensor, d_low: &Tensor, dy: &Tensor) -> Result<LoraGradients> {
    let (rows, rank) = (x.dims2()?.0, low.dims2()?.1);
    let _running = enter(
        Op::LoraBackward,
        2 * (x.elem_count() + dy.elem_count()) * rank,
    );
    let fit = low.dims() == [rows, rank] && d_low.dims() == [rows, rank] && dy.dims2()?.0 == rows;
    check_shapes("lora", fit, &[x, low, d_low, dy])?;
    match Backend::of(dy) {
        Backend::Cpu => cpu::backward(x, low, d_low, dy),
        Backend::Composed => composed::backward(x, low, d_low, dy),
    }
}
