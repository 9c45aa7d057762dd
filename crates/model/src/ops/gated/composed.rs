//! `gated` of candle operations.

use candle_core::Tensor;

use super::Gated;
use crate::{
    error::Result,
    ops::{
        glu::{self, GateActivation},
        linear::{self, Projected, Share},
    },
};

/// As [`super::forward`].
pub fn forward(
    activation: GateActivation,
    x: &Tensor,
    gate: &Projected<'_>,
    up: &Projected<'_>,
    keep: bool,
) -> Result<Gated> {
    let gate = linear::composed::forward(x, gate, None)?;
    let up = linear::composed::forward(x, up, None)?;
    let act = glu::composed::forward(activation, &gate, &up)?;
    Ok(Gated {
        parts: keep.then_some((gate, up)),
        act,
    })
}

/// As [`super::backward`].
pub fn backward(
    activation: GateActivation,
    down: &Share<'_>,
    gate: &Tensor,
    up: &Tensor,
) -> Result<(Tensor, Tensor)> {
    let d_act = linear::composed::backward(&[*down], None)?;
    glu::composed::backward(activation, gate, up, &d_act)
}
