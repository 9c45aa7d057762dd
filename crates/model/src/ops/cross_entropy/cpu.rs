//! `cross_entropy` by the CPU's kernels.

use candle_core::Tensor;
use kernels::cross_entropy;

use super::Loss;
use crate::{
    error::Result,
    ops::{
        view::{self, floats},
        weight::Weight,
    },
};

/// As [`super::forward_backward`].
pub(super) fn forward_backward(
    hidden: &Tensor,
    lm_head: &Weight,
    targets: &[u32],
    with_gradient: bool,
) -> Result<Loss> {
    let head = lm_head.panels("cross_entropy")?;
    let rows = floats(hidden, "cross_entropy")?;
    let (sum, d_hidden) = cross_entropy::forward_backward(&rows, head, targets, with_gradient);
    let d_hidden = d_hidden
        .map(|d| view::tensor(d, hidden.shape()))
        .transpose()?;
    Ok(Loss { sum, d_hidden })
}
