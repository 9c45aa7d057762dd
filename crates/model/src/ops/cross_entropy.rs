//! `cross_entropy`: hidden rows at learnt positions x lm_head, in chunks of rows, so that (N, V) is never in memory
//! (arXiv 2411.09009). Loss and gradient come from one pass.

use candle_core::{D, DType, Tensor};
use rayon::prelude::*;

use super::{
    check_shapes,
    cpu::{
        gemm::{self, Right, SET, Values, rows_of},
        math, view,
    },
    linear,
};
use crate::error::{ModelError, Result};

/// Rows whose logits are in memory at once.
pub(crate) const CHUNK: usize = 192;

/// Sum of the losses (nats) of all rows, and its gradient by the rows if asked for.
pub struct Loss {
    /// Sum over rows of -log p(target).
    pub sum: f64,
    /// d sum / d hidden: (N, E); `None` where it was not asked for.
    pub d_hidden: Option<Tensor>,
}

/// `hidden` (N, E) rows after the final norm, `lm_head` (V, E), one target id per row.
pub fn forward_backward(hidden: &Tensor, lm_head: &Tensor, targets: &[u32], with_gradient: bool) -> Result<Loss> {
    let ((rows, width), (vocab, depth)) = (hidden.dims2()?, lm_head.dims2()?);
    check_shapes("cross_entropy", width == depth, &[hidden, lm_head])?;
    if rows != targets.len() {
        return Err(ModelError::op("cross_entropy", format!("{rows} rows, {} targets", targets.len())));
    }
    if let Some(id) = targets.iter().find(|&&t| t as usize >= vocab) {
        return Err(ModelError::Input(format!("token id {id} is not in the vocabulary of {vocab}")));
    }
    if !view::is_fused(hidden) {
        return composed(hidden, lm_head, targets, with_gradient);
    }
    let mut d_hidden = with_gradient.then(|| vec![0.0; rows * width]);
    let sum = linear::with_weight(hidden, lm_head, "cross_entropy", |rows, head| {
        fused(rows, head, targets, (width, vocab), d_hidden.as_deref_mut())
    })?;
    let d_hidden = d_hidden.map(|d| view::tensor(d, (rows, width))).transpose()?;
    Ok(Loss { sum, d_hidden })
}

fn fused(
    hidden: &[f32],
    head: Values<'_>,
    targets: &[u32],
    (width, vocab): (usize, usize),
    mut d_hidden: Option<&mut [f32]>,
) -> f64 {
    let mut logits = vec![0.0f32; CHUNK.min(targets.len()) * vocab];
    let mut sum = 0.0;
    for (chunk, ids) in targets.chunks(CHUNK).enumerate() {
        let start = chunk * CHUNK * width;
        let logits = &mut logits[..ids.len() * vocab];
        gemm::multiply(
            ids.len(),
            rows_of(&hidden[start..], width),
            &Right::transposed(head, vocab, width),
            logits,
            SET,
        );
        let losses: Vec<f64> =
            logits.par_chunks_mut(vocab).zip(ids).map(|(row, &id)| to_gradient(row, id as usize)).collect();
        sum += losses.iter().sum::<f64>();
        if let Some(d) = d_hidden.as_deref_mut() {
            let d = &mut d[start..start + ids.len() * width];
            gemm::multiply(ids.len(), rows_of(logits, vocab), &Right::plain(head, vocab, width), d, SET);
        }
    }
    sum
}

/// Turns a row of logits into its gradient p - onehot and returns the loss.
fn to_gradient(row: &mut [f32], target: usize) -> f64 {
    let (max, right) = (math::max(row), row[target]);
    let total = math::exp_sum(row, max);
    math::scale(row, 1.0 / total);
    row[target] -= 1.0;
    f64::from(max) + f64::from(total).ln() - f64::from(right)
}

/// [`forward_backward`] of candle operations.
pub fn composed(hidden: &Tensor, lm_head: &Tensor, targets: &[u32], with_gradient: bool) -> Result<Loss> {
    let device = hidden.device();
    let (mut sum, mut gradients) = (0.0, Vec::new());
    for (chunk, ids) in targets.chunks(CHUNK).enumerate() {
        let rows = hidden.narrow(0, chunk * CHUNK, ids.len())?;
        let log_p = super::softmax::log_softmax_composed(&linear::forward_composed(&rows, lm_head, None)?)?;
        let index = Tensor::new(ids, device)?.unsqueeze(1)?; // (n, 1)
        sum -= log_p.gather(&index, D::Minus1)?.to_dtype(DType::F64)?.sum_all()?.to_scalar::<f64>()?;
        if with_gradient {
            let minus_one = index.ones_like()?.to_dtype(log_p.dtype())?.neg()?;
            let d_logits = log_p.exp()?.scatter_add(&index, &minus_one, D::Minus1)?; // (n, V)
            // As the fused version: the rows were rounded to the weight's bf16, their gradient is not.
            gradients.push(d_logits.matmul(&lm_head.to_dtype(d_logits.dtype())?)?);
        }
    }
    let d_hidden = match (with_gradient, gradients.is_empty()) {
        (false, _) => None,
        (true, true) => Some(hidden.zeros_like()?),
        (true, false) => Some(Tensor::cat(&gradients, 0)?),
    };
    Ok(Loss { sum, d_hidden })
}
