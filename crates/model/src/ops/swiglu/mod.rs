//! `swiglu`: silu(gate) · up (arXiv 2002.05202); backward recomputes the sigmoid.

pub mod composed;
mod cpu;

use candle_core::Tensor;

use super::{Backend, check_shapes};
use crate::{
    error::Result,
    profile::{Op, enter},
};

/// `gate`, `up` (N, F) -> (N, F).
pub fn forward(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    let _running = enter(Op::Elementwise, 0);
    check_shapes("swiglu", gate.shape() == up.shape(), &[gate, up])?;
    match Backend::of(gate) {
        Backend::Cpu => cpu::forward(gate, up),
        Backend::Composed => composed::forward(gate, up),
    }
}

/// Gradients (of gate, of up), both (N, F).
pub fn backward(gate: &Tensor, up: &Tensor, dy: &Tensor) -> Result<(Tensor, Tensor)> {
    let _running = enter(Op::Elementwise, 0);
    check_shapes(
        "swiglu",
        gate.shape() == up.shape() && gate.shape() == dy.shape(),
        &[gate, up, dy],
    )?;
    match Backend::of(dy) {
        Backend::Cpu => cpu::backward(gate, up, dy),
        Backend::Composed => composed::backward(gate, up, dy),
    }
}
