//! `add`: the residual stream's sum; its backward is the gradient itself.

pub mod composed;
mod cpu;

use candle_core::Tensor;

use super::{Backend, check_shapes};
use crate::{
    error::Result,
    profile::{Op, enter},
};

/// `a` + `b`, both of one shape.
pub fn forward(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let _running = enter(Op::Elementwise, 0);
    check_shapes("add", a.shape() == b.shape(), &[a, b])?;
    match Backend::of(a) {
        Backend::Cpu => cpu::forward(a, b),
        Backend::Composed => composed::forward(a, b),
    }
}

/// `a` + `factor` · `b`, both of one shape.
pub fn forward_scaled(a: &Tensor, b: &Tensor, factor: f64) -> Result<Tensor> {
    let _running = enter(Op::Elementwise, 0);
    check_shapes("add", a.shape() == b.shape(), &[a, b])?;
    match Backend::of(a) {
        Backend::Cpu => cpu::forward_scaled(a, b, factor),
        Backend::Composed => composed::forward_scaled(a, b, factor),
    }
}
