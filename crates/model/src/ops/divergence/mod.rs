//! `divergence`: Kullback-Leibler divergence of what hidden rows x lm_head say from what a
//! model says there itself, and its gradient; what a tuned lens is trained by (arXiv
//! 2303.08112, equation 3). In chunks of rows, as `cross_entropy`; only the model's own
//! distributions are (N, V).

pub mod composed;
mod cpu;

use candle_core::Tensor;

use super::{Backend, check_shapes, logit_cap::Head};
use crate::{
    error::{ModelError, Result},
    profile::{Op, enter},
};

/// Distributions over the vocabulary, one a row.
pub struct Shares {
    /// (N, V)
    values: Tensor,
    /// Of each row, nats.
    entropies: Vec<f64>,
}

/// Divergence of each row, and the gradient of their sum by the rows if asked for.
pub struct Divergence {
    /// Sum over the vocabulary of p (log p - log q), nats; p is the wanted distribution, q that
    /// of the row.
    pub each: Vec<f64>,
    /// d sum / d hidden: (N, E); `None` where it was not asked for.
    pub d_hidden: Option<Tensor>,
}

impl Shares {
    /// The softmax of `logits` (N, V).
    ///
    /// # Errors
    /// A row that is not finite.
    pub fn of(logits: &Tensor) -> Result<Self> {
        let _running = enter(Op::Softmax, 0);
        let shares = match Backend::of(logits) {
            Backend::Cpu => cpu::shares(logits),
            Backend::Composed => composed::shares(logits),
        }?;
        match shares
            .entropies
            .iter()
            .position(|entropy| !entropy.is_finite())
        {
            None => Ok(shares),
            Some(row) => Err(ModelError::NotFinite(format!(
                "the distribution of row {row}"
            ))),
        }
    }

    /// The mean of the distributions: (V).
    ///
    /// # Errors
    /// None that a device in order has.
    pub fn mean(&self) -> Result<Vec<f32>> {
        match Backend::of(&self.values) {
            Backend::Cpu => cpu::mean(&self.values),
            Backend::Composed => Ok(self.values.mean(0)?.to_vec1()?),
        }
    }

    /// N
    pub fn len(&self) -> usize {
        self.entropies.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.entropies.is_empty()
    }
}

/// `hidden` (N, E) rows after the final norm, `head` (V, E), and the distributions that they
/// should have.
///
/// # Errors
/// Shapes that do not fit.
pub fn forward_backward<'a>(
    hidden: &Tensor,
    head: impl Into<Head<'a>>,
    shares: &Shares,
    with_gradient: bool,
) -> Result<Divergence> {
    let head = head.into();
    let ((rows, width), (vocab, depth)) = (hidden.dims2()?, head.weight.dims());
    let _running = enter(
        Op::CrossEntropy,
        (2 + 2 * usize::from(with_gradient)) * rows * width * vocab,
    );
    let fit = width == depth && shares.values.dims() == [rows, vocab];
    check_shapes("divergence", fit, &[hidden, &shares.values])?;
    match Backend::of(hidden) {
        Backend::Cpu => cpu::forward_backward(hidden, head, shares, with_gradient),
        Backend::Composed => {
            let weight = head.weight.tensor("divergence")?;
            composed::forward_backward(hidden, weight, head.cap, shares, with_gradient)
        }
    }
}
