//! `logit_cap` of candle operations.

use candle_core::Tensor;

use super::LogitCap;
use crate::error::Result;

/// As [`super::forward`].
pub fn forward(x: &Tensor, cap: &LogitCap) -> Result<Tensor> {
    let capped = (capped_share(x, cap)? * cap.cap)?;
    Ok(match &cap.shift {
        Some(shift) => capped.broadcast_add(&shift.to_dtype(x.dtype())?)?,
        None => capped,
    })
}

/// [`forward`] where there is a cap.
pub(in crate::ops) fn logits(x: &Tensor, cap: Option<&LogitCap>) -> Result<Tensor> {
    cap.map_or_else(|| Ok(x.clone()), |cap| forward(x, cap))
}

/// Gradient of the products `x` (n, V) from that of the logits.
pub(in crate::ops) fn through(
    d_logits: Tensor,
    x: &Tensor,
    cap: Option<&LogitCap>,
) -> Result<Tensor> {
    let Some(cap) = cap else {
        return Ok(d_logits);
    };
    Ok((d_logits * (1.0 - capped_share(x, cap)?.sqr()?)?)?)
}

/// tanh(x / c)
fn capped_share(x: &Tensor, cap: &LogitCap) -> Result<Tensor> {
    Ok((x / cap.cap)?.tanh()?)
}
