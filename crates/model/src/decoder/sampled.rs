//! The head over a part of the vocabulary that was drawn, each token counted by one over its
//! chance: sums over it estimate sums over the whole (importance sampling; as the sampled
//! softmax of arXiv 1412.2007, for two distributions at once). Never here: drawing.

use candle_core::{DType, Tensor};

use super::Decoder;
use crate::{
    error::{ModelError, Result},
    ops::{
        divergence::{self, Divergence, Shares},
        rms_norm,
        weight::Weight,
    },
};

/// A part of the vocabulary: (n, E + 1), the head's rows with the logarithm of what each counts
/// behind them. Rows of states have a one there, so that the product adds it to the logit.
pub struct SampledHead(Weight);

impl Decoder {
    /// The rows of the tokens `ids` (n), of which each counts exp(`log_weights`) times.
    ///
    /// # Errors
    /// No tokens, other numbers of the two, a token outside the vocabulary.
    pub fn sample_head(&self, ids: &[u32], log_weights: &[f32]) -> Result<SampledHead> {
        let known = ids.iter().all(|&id| (id as usize) < self.config.vocab_size);
        if ids.is_empty() || ids.len() != log_weights.len() || !known {
            let sizes = (ids.len(), log_weights.len(), self.config.vocab_size);
            let problem = format!("ids, weights, vocabulary: {sizes:?}");
            return Err(ModelError::op("sampled head", problem));
        }
        let rows = self.head().rows(ids, &self.device)?; // (n, E)
        let column = Tensor::from_slice(log_weights, (ids.len(), 1), &self.device)?;
        Ok(SampledHead(Weight::new(Tensor::cat(
            &[&rows, &column],
            1,
        )?)?))
    }

    /// As [`Decoder::shares`], of the drawn tokens among each other: (n, drawn).
    pub fn sampled_shares(&self, hidden: &Tensor, head: &SampledHead) -> Result<Shares> {
        let rows = with_one(&self.final_norm(hidden)?)?;
        Shares::of(&crate::ops::linear::forward(&rows, &head.0, None)?)
    }

    /// As [`Decoder::divergence`] with its gradient, from shares of the drawn tokens. It is 0,
    /// and so is the gradient, where the rows say what the model says, whichever were drawn.
    pub fn sampled_divergence(
        &self,
        hidden: &Tensor,
        head: &SampledHead,
        shares: &Shares,
    ) -> Result<Divergence> {
        let normed = self.final_norm(hidden)?;
        let width = normed.dim(1)?;
        let mut found = divergence::forward_backward(&with_one(&normed)?, &head.0, shares, true)?;
        if let Some(d_rows) = found.d_hidden.take() {
            let d_normed = d_rows.narrow(1, 0, width)?.contiguous()?;
            let eps = self.config.rms_norm_eps;
            found.d_hidden = Some(rms_norm::backward(
                hidden, &self.norm, eps, &d_normed, None,
            )?);
        }
        Ok(found)
    }
}

/// (n, E) -> (n, E + 1)
fn with_one(rows: &Tensor) -> Result<Tensor> {
    let ones = Tensor::ones((rows.dim(0)?, 1), DType::F32, rows.device())?;
    Ok(Tensor::cat(&[rows, &ones], 1)?)
}
