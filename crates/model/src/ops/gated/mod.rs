//! `gated`: the products around `glu`, and the activation between them.

pub mod composed;
mod cpu;

use candle_core::Tensor;

use super::{
    Backend, check_shapes,
    glu::GateActivation,
    linear::{self, Projected, Share},
};
use crate::{
    error::{ModelError, Result},
    profile::{Op, enter},
};

/// The result of [`forward`]: all (N, F).
pub struct Gated {
    /// The projections of gate and up, for backward; where they are not kept they never reach
    /// the memory.
    pub parts: Option<(Tensor, Tensor)>,
    /// activation(gate) · up
    pub act: Tensor,
}

/// activation(gate) · up of the projections of `x` (N, E); with `keep` these too.
pub fn forward(
    activation: GateActivation,
    x: &Tensor,
    gate: &Projected<'_>,
    up: &Projected<'_>,
    keep: bool,
) -> Result<Gated> {
    let ((rows, inner), (width, _)) = (x.dims2()?, gate.weight.dims());
    let _running = enter(Op::Gated, 4 * rows * inner * width);
    linear::check_projection(x, gate, None)?;
    linear::check_projection(x, up, None)?;
    if up.weight.dims().0 != width {
        let shapes = format!(
            "gate {:?}, up {:?} do not fit together",
            gate.weight.dims(),
            up.weight.dims()
        );
        return Err(ModelError::op("gated", shapes));
    }
    match Backend::of(x) {
        Backend::Cpu => cpu::forward(activation, x, gate, up, keep),
        Backend::Composed => composed::forward(activation, x, gate, up, keep),
    }
}

/// Gradients (of gate, of up), both (N, F), from `down`, the share of the projection that reads
/// the activation.
pub fn backward(
    activation: GateActivation,
    down: &Share<'_>,
    gate: &Tensor,
    up: &Tensor,
) -> Result<(Tensor, Tensor)> {
    let (rows, width) = gate.dims2()?;
    let _running = enter(Op::GatedBackward, 2 * rows * width * down.weight.dims().0);
    linear::check_share(down, (rows, width), Some(gate))?;
    check_shapes("gated", up.shape() == gate.shape(), &[gate, up])?;
    match Backend::of(down.dy) {
        Backend::Cpu => cpu::backward(activation, down, gate, up),
        Backend::Composed => composed::backward(activation, down, gate, up),
    }
}
