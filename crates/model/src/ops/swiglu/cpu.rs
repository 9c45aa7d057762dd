//! `swiglu` by the CPU's kernels.

use candle_core::Tensor;
use kernels::swiglu;

use crate::{
    error::Result,
    ops::view::{self, floats},
};

/// As [`super::forward`].
pub(super) fn forward(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    let act = swiglu::forward(&floats(gate, "gate")?, &floats(up, "up")?);
    view::tensor(act, gate.shape())
}

/// As [`super::backward`].
pub(super) fn backward(gate: &Tensor, up: &Tensor, dy: &Tensor) -> Result<(Tensor, Tensor)> {
    let dy = floats(dy, "swiglu gradient")?;
    let (d_gate, d_up) = swiglu::backward(&floats(gate, "gate")?, &floats(up, "up")?, &dy);
    Ok((
        view::tensor(d_gate, gate.shape())?,
        view::tensor(d_up, gate.shape())?,
    ))
}
