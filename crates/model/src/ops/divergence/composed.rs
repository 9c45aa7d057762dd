//! `divergence` of candle operations.

use candle_core::{D, DType, Tensor};

use super::{Divergence, Shares};
use crate::{
    error::Result,
    ops::{
        cross_entropy::CHUNK,
        logit_cap::{self, LogitCap},
        softmax,
    },
};

/// As [`Shares::of`]; nothing is checked.
pub fn shares(logits: &Tensor) -> Result<Shares> {
    let log_p = softmax::composed::log_softmax(logits)?;
    let values = log_p.exp()?;
    let entropies = (&values * log_p)?
        .sum(D::Minus1)?
        .neg()?
        .to_dtype(DType::F64)?
        .to_vec1()?;
    Ok(Shares { values, entropies })
}

/// As [`super::forward_backward`].
pub fn forward_backward(
    hidden: &Tensor,
    lm_head: &Tensor,
    cap: Option<&LogitCap>,
    shares: &Shares,
    with_gradient: bool,
) -> Result<Divergence> {
    let head = lm_head.to_dtype(hidden.dtype())?;
    let (mut each, mut gradients) = (Vec::with_capacity(shares.len()), Vec::new());
    for start in (0..shares.len()).step_by(CHUNK) {
        let count = CHUNK.min(shares.len() - start);
        let products = hidden.narrow(0, start, count)?.matmul(&head.t()?)?;
        let log_q = softmax::composed::log_softmax(&logit_cap::composed::logits(&products, cap)?)?;
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
            let d_logits = (log_q.exp()? - wanted)?;
            let d_products = logit_cap::composed::through(d_logits, &products, cap)?;
            gradients.push(d_products.matmul(&head)?);
        }
    }
    let d_hidden = match (with_gradient, gradients.is_empty()) {
        (false, _) => None,
        (true, true) => Some(hidden.zeros_like()?),
        (true, false) => Some(Tensor::cat(&gradients, 0)?),
    };
    Ok(Divergence { each, d_hidden })
}
