//! `linear` of candle operations.

use candle_core::{DType, Tensor};

use super::{Projected, Share};
use crate::error::{ModelError, Result};

/// As [`super::forward_all`], of one projection.
pub fn forward(
    x: &Tensor,
    projection: &Projected<'_>,
    residual: Option<&Tensor>,
) -> Result<Tensor> {
    let weight = projection.weight.tensor("linear")?;
    let mut y = rounded(x, weight)?.matmul(&weight.to_dtype(x.dtype())?.t()?)?;
    if let Some(bias) = projection.bias {
        y = y.broadcast_add(&bias.to_dtype(x.dtype())?)?;
    }
    if let Some(update) = &projection.update {
        y = (y + update.low.matmul(&update.b.to_dtype(x.dtype())?.t()?)?)?;
    }
    Ok(match residual {
        Some(residual) => (y + residual)?,
        None => y,
    })
}

/// As [`super::backward_all`].
pub fn backward(shares: &[Share<'_>], start: Option<&Tensor>) -> Result<Tensor> {
    let mut sum = start.cloned();
    for share in shares {
        let weight = share.weight.tensor("linear")?;
        let mut dx = share.dy.matmul(&weight.to_dtype(share.dy.dtype())?)?;
        if let Some((d_low, a)) = share.update {
            dx = (dx + d_low.matmul(&a.to_dtype(d_low.dtype())?)?)?;
        }
        sum = Some(match sum {
            Some(sum) => (sum + dx)?,
            None => dx,
        });
    }
    sum.ok_or_else(|| ModelError::op("linear", "no share of a gradient"))
}

/// The rows as a product with this weight sees them on an accelerator: in bf16 where the weight
/// is.
fn rounded(rows: &Tensor, weight: &Tensor) -> Result<Tensor> {
    if weight.dtype() == DType::BF16 && !rows.device().is_cpu() {
        Ok(rows.to_dtype(DType::BF16)?.to_dtype(rows.dtype())?)
    } else {
        Ok(rows.clone())
    }
}
