//! `divergence` by the CPU's kernels.

use candle_core::Tensor;
use kernels::divergence;

use super::{Divergence, Shares};
use crate::{
    error::Result,
    ops::{
        logit_cap::{Head, cpu::CapViews},
        view::{self, floats},
    },
};

/// As [`Shares::of`]; nothing is checked.
pub(super) fn shares(logits: &Tensor) -> Result<Shares> {
    let vocab = logits.dims2()?.1;
    let (values, entropies) = divergence::distributions(&floats(logits, "divergence")?, vocab);
    Ok(Shares {
        values: view::tensor(values, logits.shape())?,
        entropies,
    })
}

/// As [`Shares::mean`].
pub(super) fn mean(shares: &Tensor) -> Result<Vec<f32>> {
    let vocab = shares.dims2()?.1;
    Ok(divergence::mean(&floats(shares, "divergence")?, vocab))
}

/// As [`super::forward_backward`].
pub(super) fn forward_backward(
    hidden: &Tensor,
    head: Head<'_>,
    shares: &Shares,
    with_gradient: bool,
) -> Result<Divergence> {
    let panels = head.weight.panels("divergence")?;
    let cap = head.cap.map(CapViews::new).transpose()?;
    let (each, d_hidden) = divergence::forward_backward(
        &floats(hidden, "divergence")?,
        panels,
        &floats(&shares.values, "divergence")?,
        &shares.entropies,
        cap.as_ref().map(CapViews::cap),
        with_gradient,
    );
    let d_hidden = d_hidden
        .map(|d| view::tensor(d, hidden.shape()))
        .transpose()?;
    Ok(Divergence { each, d_hidden })
}
