//! `cross_entropy`: hidden rows at learnt positions x lm_head, in chunks of rows, so that (N,
//! V) is never in memory (arXiv 2411.09009). Loss and gradient come from one pass.

pub mod composed;
mod cpu;

use candle_core::Tensor;

pub(crate) use kernels::cross_entropy::{CHUNK, SLICE_TOKENS};

use super::{Backend, logit_cap::Head};
use crate::{
    error::{ModelError, Result},
    profile::{Op, enter},
};

/// Sum of the losses (nats) of all rows, and its gradient by the rows if asked for.
pub struct Loss {
    /// Sum over rows of -log p(target).
    pub sum: f64,
    /// d sum / d hidden: (N, E); `None` where it was not asked for.
    pub d_hidden: Option<Tensor>,
}

/// `hidden` (N, E) rows after the final norm, `head` (V, E), one target id per row.
pub fn forward_backward<'a>(
    hidden: &Tensor,
    head: impl Into<Head<'a>>,
    targets: &[u32],
    with_gradient: bool,
) -> Result<Loss> {
    let head = head.into();
    let ((rows, width), (vocab, depth)) = (hidden.dims2()?, head.weight.dims());
    let _running = enter(
        Op::CrossEntropy,
        (2 + 2 * usize::from(with_gradient)) * rows * width * vocab,
    );
    if width != depth {
        let shapes = format!(
            "shapes {:?}, {:?} do not fit together",
            hidden.dims(),
            [vocab, depth]
        );
        return Err(ModelError::op("cross_entropy", shapes));
    }
    if rows != targets.len() {
        return Err(ModelError::op(
            "cross_entropy",
            format!("{rows} rows, {} targets", targets.len()),
        ));
    }
    if let Some(id) = targets.iter().find(|&&t| t as usize >= vocab) {
        return Err(ModelError::Input(format!(
            "token id {id} is not in the vocabulary of {vocab}"
        )));
    }
    match Backend::of(hidden) {
        Backend::Cpu => cpu::forward_backward(hidden, head, targets, with_gradient),
        Backend::Composed => {
            let weight = head.weight.tensor("cross_entropy")?;
            composed::forward_backward(hidden, weight, head.cap, targets, with_gradient)
        }
    }
}
