//! `cross_entropy` by the CPU's kernels.

use candle_core::Tensor;
use kernels::cross_entropy;

use super::Loss;
use crate::{
    error::Result,
    ops::{
        logit_cap::{Head, cpu::CapViews},
        view::{self, floats},
    },
};

/// As [`super::forward_backward`].
pub(super) fn forward_backward(
    hidden: &Tensor,
    head: Head<'_>,
    targets: &[u32],
    with_gradient: bool,
) -> Result<Loss> {
    let panels = head.weight.panels("cross_entropy")?;
    let cap = head.cap.map(CapViews::new).transpose()?;
    let rows = floats(hidden, "cross_entropy")?;
    let cap = cap.as_ref().map(CapViews::cap);
    let (sum, d_hidden) =
        cross_entropy::forward_backward(&rows, panels, targets, cap, with_gradient);
    let d_hidden = d_hidden
        .map(|d| view::tensor(d, hidden.shape()))
        .transpose()?;
    Ok(Loss { sum, d_hidden })
}
