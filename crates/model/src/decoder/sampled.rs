//! The head over a part of the vocabulary that was drawn, each token counted by one over its
//! chance: sums over it estimate sums over the whole (importance sampling; as the sampled
//! softmax of arXiv 1412.2007, for two distributions at once). Never here: drawing.

use candle_core::{DType, Tensor};

use super::Decoder;
use crate::{
    error::{ModelError, Result},
    ops::{
        divergence::{self, Divergence, Shares},
        logit_cap::{self, Head, LogitCap},
        weight::Weight,
    },
};

/// A part of the vocabulary: (n, E + 1), the head's rows with the logarithm of what each counts
/// behind them. Rows of states have a one there, so that the product adds it to the logit. Where
/// logits are capped there is no such column, (n, E), and the cap adds the logarithms.
pub struct SampledHead {
    weight: Weight,
    cap: Option<LogitCap>,
}

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
        let head = self.head();
        let rows = head.weight.rows(ids, &self.device)?; // (n, E)
        if let Some(cap) = head.cap {
            let shift = Some(Tensor::from_slice(log_weights, ids.len(), &self.device)?);
            return Ok(SampledHead {
                weight: Weight::new(rows)?,
                cap: Some(LogitCap { shift, ..*cap }),
            });
        }
        let column = Tensor::from_slice(log_weights, (ids.len(), 1), &self.device)?;
        Ok(SampledHead {
            weight: Weight::new(Tensor::cat(&[&rows, &column], 1)?)?,
            cap: None,
        })
    }

    /// As [`Decoder::shares`], of the drawn tokens among each other: (n, drawn).
    pub fn sampled_shares(&self, hidden: &Tensor, head: &SampledHead) -> Result<Shares> {
        let rows = head.rows(&self.head_rows(hidden)?)?;
        let products = crate::ops::linear::forward(&rows, &head.weight, None)?;
        match &head.cap {
            None => Shares::of(&products),
            Some(cap) => Shares::of(&logit_cap::forward(&products, cap)?),
        }
    }

    /// As [`Decoder::divergence`] with its gradient, from shares of the drawn tokens. It is 0,
    /// and so is the gradient, where the rows say what the model says, whichever were drawn.
    pub fn sampled_divergence(
        &self,
        hidden: &Tensor,
        head: &SampledHead,
        shares: &Shares,
    ) -> Result<Divergence> {
        let normed = self.head_rows(hidden)?;
        let width = normed.dim(1)?;
        let sampled = Head {
            weight: &head.weight,
            cap: head.cap.as_ref(),
        };
        let mut found = divergence::forward_backward(&head.rows(&normed)?, sampled, shares, true)?;
        if let Some(d_rows) = found.d_hidden.take() {
            let d_normed = d_rows.narrow(1, 0, width)?.contiguous()?;
            found.d_hidden = Some(self.head_norm.backward(hidden, &d_normed, None)?);
        }
        Ok(found)
    }
}

impl SampledHead {
    /// What the drawn rows are multiplied with.
    fn rows(&self, normed: &Tensor) -> Result<Tensor> {
        match &self.cap {
            None => with_one(normed),
            Some(_) => Ok(normed.clone()),
        }
    }
}

/// (n, E) -> (n, E + 1)
fn with_one(rows: &Tensor) -> Result<Tensor> {
    let ones = Tensor::ones((rows.dim(0)?, 1), DType::F32, rows.device())?;
    Ok(Tensor::cat(&[rows, &ones], 1)?)
}
