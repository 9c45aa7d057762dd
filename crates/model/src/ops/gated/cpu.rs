//! `gated` by the CPU's kernels: the activation is computed on each rectangle of the products
//! while it is in the cache.

use candle_core::Tensor;
use kernels::gated;

use super::Gated;
use crate::{
    error::Result,
    ops::{
        glu::GateActivation,
        linear::{
            Projected, Share,
            cpu::{ProjectionViews, ShareViews},
        },
        view::{self, floats},
    },
};

/// As [`super::forward`].
pub(super) fn forward(
    activation: GateActivation,
    x: &Tensor,
    gate: &Projected<'_>,
    up: &Projected<'_>,
    keep: bool,
) -> Result<Gated> {
    let shape = (x.dims2()?.0, gate.weight.dims().0); // (N, F)
    let (gate_views, up_views) = (ProjectionViews::new(gate)?, ProjectionViews::new(up)?);
    let rows = gated::forward(
        activation,
        shape.0,
        &floats(x, "gated")?,
        &gate_views.frozen(gate)?,
        &up_views.frozen(up)?,
        keep,
    );
    let parts = match rows.parts {
        Some((gate, up)) => Some((view::tensor(gate, shape)?, view::tensor(up, shape)?)),
        None => None,
    };
    Ok(Gated {
        parts,
        act: view::tensor(rows.act, shape)?,
    })
}

/// As [`super::backward`].
pub(super) fn backward(
    activation: GateActivation,
    down: &Share<'_>,
    gate: &Tensor,
    up: &Tensor,
) -> Result<(Tensor, Tensor)> {
    let views = ShareViews::new(down)?;
    let (d_gate, d_up) = gated::backward(
        activation,
        gate.dims2()?.0,
        &views.frozen(down)?,
        &floats(gate, "gate")?,
        &floats(up, "up")?,
    );
    Ok((
        view::tensor(d_gate, gate.shape())?,
        view::tensor(d_up, gate.shape())?,
    ))
}
