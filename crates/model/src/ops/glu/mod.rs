//! `glu`: activation(gate) · up (arXiv 2002.05202); backward recomputes the activation.

pub mod composed;
mod cpu;

use candle_core::Tensor;

pub use kernels::glu::GateActivation;

use super::{Backend, check_shapes};
use crate::{
    error::Result,
    profile::{Op, enter},
};

/// `gate`, `up` (N, F) -> (N, F).
pub fn forward(activation: GateActivation, gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    let _running = enter(Op::Elementwise, 0);
    check_shapes("glu", gate.shape() == up.shape(), &[gate, up])?;
    match Backend::of(gate) {
        Backend::Cpu => cpu::forward(activation, gate, up),
        Backend::Composed => composed::forward(activation, gate, up),
    }
}

/// Gradients (of gate, of up), both (N, F).
pub fn backward(
    activation: GateActivation,
    gate: &Tensor,
    up: &Tensor,
    dy: &Tensor,
) -> Result<(Tensor, Tensor)> {
    let _running = enter(Op::Elementwise, 0);
    check_shapes(
        "glu",
        gate.shape() == up.shape() && gate.shape() == dy.shape(),
        &[gate, up, dy],
    )?;
    match Backend::of(dy) {
        Backend::Cpu => cpu::backward(activation, gate, up, dy),
        Backend::Composed => composed::backward(activation, gate, up, dy),
    }
}
