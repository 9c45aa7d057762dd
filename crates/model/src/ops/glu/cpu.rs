//! `glu` by the CPU's kernels.

use candle_core::Tensor;
use kernels::glu::{self, GateActivation};

use crate::{
    error::Result,
    ops::view::{self, floats},
};

/// As [`super::forward`].
pub(super) fn forward(activation: GateActivation, gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    let act = glu::forward(activation, &floats(gate, "gate")?, &floats(up, "up")?);
    view::tensor(act, gate.shape())
}

/// As [`super::backward`].
pub(super) fn backward(
    activation: GateActivation,
    gate: &Tensor,
    up: &Tensor,
    dy: &Tensor,
) -> Result<(Tensor, Tensor)> {
    let dy = floats(dy, "glu gradient")?;
    let (gates, ups) = (floats(gate, "gate")?, floats(up, "up")?);
    let (d_gate, d_up) = glu::backward(activation, &gates, &ups, &dy);
    Ok((
        view::tensor(d_gate, gate.shape())?,
        view::tensor(d_up, gate.shape())?,
    ))
}
