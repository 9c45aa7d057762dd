//! `cross_entropy` of candle operations.

use candle_core::{D, DType, Tensor};

use super::{CHUNK, Loss};
use crate::{
    error::Result,
    ops::{
        logit_cap::{self, LogitCap},
        softmax,
    },
};

/// As [`super::forward_backward`].
pub fn forward_backward(
    hidden: &Tensor,
    lm_head: &Tensor,
    cap: Option<&LogitCap>,
    targets: &[u32],
    with_gradient: bool,
) -> Result<Loss> {
    let device = hidden.device();
    let (mut sum, mut gradients) = (0.0, Vec::new());
    for (chunk, ids) in targets.chunks(CHUNK).enumerate() {
        let rows = hidden.narrow(0, chunk * CHUNK, ids.len())?;
        let products = rows.matmul(&lm_head.to_dtype(rows.dtype())?.t()?)?;
        let log_p = softmax::composed::log_softmax(&logit_cap::composed::logits(&products, cap)?)?;
        let index = Tensor::new(ids, device)?.unsqueeze(1)?; // (n, 1)
        sum -= log_p
            .gather(&index, D::Minus1)?
            .to_dtype(DType::F64)?
            .sum_all()?
            .to_scalar::<f64>()?;
        if with_gradient {
            let minus_one = index.ones_like()?.to_dtype(log_p.dtype())?.neg()?;
            let d_logits = log_p.exp()?.scatter_add(&index, &minus_one, D::Minus1)?; // (n, V)
            let d_logits = logit_cap::composed::through(d_logits, &products, cap)?;
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
