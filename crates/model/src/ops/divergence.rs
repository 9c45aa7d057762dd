//! `divergence`: Kullback-Leibler divergence of what hidden rows x lm_head say from what a
//! model says there itself, and its gradient; what a tuned lens is trained by (arXiv
//! 2303.08112, equation 3). In chunks of rows, as `cross_entropy`; only the model's own
//! distributions are (N, V).

use candle_core::{D, DType, Tensor};
use rayon::prelude::*;

use super::{
    check_shapes,
    cpu::{
        tile::COLS,
        view::{self, View},
    },
    cross_entropy::{CHUNK, Softmax, Wanted, log_sum_exp, scale_parts, split, weigh},
    softmax::log_softmax_composed,
};
use crate::{
    error::{ModelError, Result},
    profile::{Op, enter},
    weight::Weight,
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
        let (rows, vocab) = logits.dims2()?;
        let shares = if view::is_fused(logits) {
            let mut values = View::<f32>::new(logits, "divergence")?.slice().to_vec();
            let entropies = values.par_chunks_mut(vocab.max(1)).map(normalise).collect();
            Self {
                values: view::tensor(values, (rows, vocab))?,
                entropies,
            }
        } else {
            let log_p = log_softmax_composed(logits)?;
            let values = log_p.exp()?;
            let entropies = (&values * log_p)?
                .sum(D::Minus1)?
                .neg()?
                .to_dtype(DType::F64)?
                .to_vec1()?;
            Self { values, entropies }
        };
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

    /// N
    pub fn len(&self) -> usize {
        self.entropies.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.entropies.is_empty()
    }
}

/// Softmax of a row in its place; returns its entropy.
fn normalise(row: &mut [f32]) -> f64 {
    let (logits, panels) = (row.to_vec(), row.len().div_ceil(COLS));
    let mut parts = view::unfilled(2 * panels);
    let mut exps = logits.clone();
    split(&mut exps, &mut parts);
    let parts = parts.as_chunks().0;
    let log_sum = log_sum_exp(parts);
    scale_parts(&exps, parts, log_sum, row);
    let mut sums = view::unfilled(panels);
    weigh(row, &logits, &mut sums);
    // As a cross-entropy is summed, so that a distribution's divergence from itself is 0.
    log_sum - sums.iter().map(|&sum| f64::from(sum)).sum::<f64>()
}

/// `hidden` (N, E) rows after the final norm, `lm_head` (V, E), and the distributions that they
/// should have.
///
/// # Errors
/// Shapes that do not fit.
pub fn forward_backward(
    hidden: &Tensor,
    lm_head: &Weight,
    shares: &Shares,
    with_gradient: bool,
) -> Result<Divergence> {
    let ((rows, width), (vocab, depth)) = (hidden.dims2()?, lm_head.dims());
    let _running = enter(
        Op::CrossEntropy,
        (2 + 2 * usize::from(with_gradient)) * rows * width * vocab,
    );
    let fit = width == depth && shares.values.dims() == [rows, vocab];
    check_shapes("divergence", fit, &[hidden, &shares.values])?;
    if !view::is_fused(hidden) {
        return composed(hidden, lm_head.tensor("divergence")?, shares, with_gradient);
    }
    let head = lm_head.panels("divergence")?;
    let (values, wanted) = (
        View::<f32>::new(hidden, "divergence")?,
        View::<f32>::new(&shares.values, "divergence")?,
    );
    let mut d_hidden = with_gradient.then(|| view::unfilled(rows * width));
    let mut each = Vec::with_capacity(rows);
    let mut logits = view::unfilled(CHUNK.min(rows) * vocab);
    for start in (0..rows).step_by(CHUNK) {
        let chunk = start..rows.min(start + CHUNK);
        let wanted = Wanted::Shares(&wanted.slice()[chunk.start * vocab..chunk.end * vocab]);
        let part = chunk.start * width..chunk.end * width;
        let softmax = Softmax::new(&values.slice()[part.clone()], head, wanted, &mut logits);
        each.extend(
            softmax
                .losses()
                .zip(&shares.entropies[chunk])
                .map(|(loss, entropy)| loss - entropy),
        );
        if let Some(d) = &mut d_hidden {
            softmax.gradient(head, &logits, &mut d[part]);
        }
    }
    let d_hidden = d_hidden
        .map(|d| view::tensor(d, (rows, width)))
        .transpose()?;
    Ok(Divergence { each, d_hidden })
}

/// [`forward_backward`] of candle operations.
pub fn composed(
    hidden: &Tensor,
    lm_head: &Tensor,
    shares: &Shares,
    with_gradient: bool,
) -> Result<Divergence> {
    let head = lm_head.to_dtype(hidden.dtype())?;
    let (mut each, mut gradients) = (Vec::with_capacity(shares.len()), Vec::new());
    for start in (0..shares.len()).step_by(CHUNK) {
        let count = CHUNK.min(shares.len() - start);
        let log_q = log_softmax_composed(&hidden.narrow(0, start, count)?.matmul(&head.t()?)?)?;
        let wanted = shares.values.narrow(0, start, count)?; // (n, V)
        let losses: Vec<f64> = (&wanted * &log_q)?
            .sum(D::Minus1)?
            .neg()?
            .to_dtype(DType::F64)?
            .to_vec1()?;
        each.extend(
            losses
                .iter()
                .zip(&shares.entropies[start..])
                .map(|(loss, entropy)| loss - entropy),
        );
        if with_gradient {
            gradients.push((log_q.exp()? - wanted)?.matmul(&head)?);
        }
    }
    let d_hidden = match (with_gradient, gradients.is_empty()) {
        (false, _) => None,
        (true, true) => Some(hidden.zeros_like()?),
        (true, false) => Some(Tensor::cat(&gradients, 0)?),
    };
    Ok(Divergence { each, d_hidden })
}
