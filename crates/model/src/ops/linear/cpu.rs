//! `linear` by the CPU's kernels.

use candle_core::Tensor;
use kernels::linear::{self, FrozenGradient, FrozenProjection, LowRank};

use super::{Projected, Share, Update};
use crate::{
    error::Result,
    ops::view::{self, View, floats, floats_if},
};

/// As [`super::forward_all`].
pub(super) fn forward_all(
    x: &Tensor,
    projections: &[Projected<'_>],
    residual: Option<&Tensor>,
) -> Result<Vec<Tensor>> {
    let rows = x.dims2()?.0;
    let residual = floats_if(residual, "linear")?;
    let views = projections
        .iter()
        .map(ProjectionViews::new)
        .collect::<Result<Vec<_>>>()?;
    let frozen = projections
        .iter()
        .zip(&views)
        .map(|(projection, views)| views.frozen(projection))
        .collect::<Result<Vec<_>>>()?;
    let outs = linear::forward(rows, &floats(x, "linear")?, &frozen, residual.as_deref());
    outs.into_iter()
        .zip(projections)
        .map(|(out, projection)| view::tensor(out, (rows, projection.weight.dims().0)))
        .collect()
}

/// As [`super::backward_all`].
pub(super) fn backward_all(shares: &[Share<'_>], start: Option<&Tensor>) -> Result<Tensor> {
    let (rows, inner) = (shares[0].dy.dims2()?.0, shares[0].weight.dims().1);
    let views = shares
        .iter()
        .map(ShareViews::new)
        .collect::<Result<Vec<_>>>()?;
    let frozen = shares
        .iter()
        .zip(&views)
        .map(|(share, views)| views.frozen(share))
        .collect::<Result<Vec<_>>>()?;
    let start = floats_if(start, "linear gradient")?;
    let dx = linear::backward(rows, inner, &frozen, start.as_deref());
    view::tensor(dx, (rows, inner))
}

/// Views of the operands of a projection beside the rows.
pub(in crate::ops) struct ProjectionViews<'a> {
    bias: Option<View<'a, f32>>,
    update: Option<LowRankViews<'a>>,
}

impl<'a> ProjectionViews<'a> {
    pub(in crate::ops) fn new(projection: &Projected<'a>) -> Result<Self> {
        let update = match projection.update {
            Some(Update { low, b }) => Some(LowRankViews {
                low: floats(low, "linear")?,
                rank: low.dims2()?.1,
                factor: floats(b, "linear")?,
            }),
            None => None,
        };
        Ok(Self {
            bias: floats_if(projection.bias, "linear")?,
            update,
        })
    }

    /// The projection as the kernels take it.
    pub(in crate::ops) fn frozen<'b>(
        &'b self,
        projection: &Projected<'b>,
    ) -> Result<FrozenProjection<'b>> {
        Ok(FrozenProjection {
            weight: projection.weight.panels("linear")?,
            bias: self.bias.as_deref(),
            update: self.update.as_ref().map(LowRankViews::slices),
        })
    }
}

/// Views of the gradients of a share.
pub(in crate::ops) struct ShareViews<'a> {
    dy: View<'a, f32>,
    update: Option<LowRankViews<'a>>,
}

impl<'a> ShareViews<'a> {
    pub(in crate::ops) fn new(share: &Share<'a>) -> Result<Self> {
        let update = match share.update {
            Some((d_low, a)) => Some(LowRankViews {
                low: floats(d_low, "linear gradient")?,
                rank: d_low.dims2()?.1,
                factor: floats(a, "lora_a")?,
            }),
            None => None,
        };
        Ok(Self {
            dy: floats(share.dy, "linear gradient")?,
            update,
        })
    }

    /// The share as the kernels take it.
    pub(in crate::ops) fn frozen<'b>(&'b self, share: &Share<'b>) -> Result<FrozenGradient<'b>> {
        Ok(FrozenGradient {
            dy: &self.dy,
            weight: share.weight.panels("linear")?,
            update: self.update.as_ref().map(LowRankViews::slices),
        })
    }
}

/// Views of an update's rows in the low rank and of their factor.
struct LowRankViews<'a> {
    low: View<'a, f32>,
    rank: usize,
    factor: View<'a, f32>,
}

impl LowRankViews<'_> {
    fn slices(&self) -> LowRank<'_> {
        LowRank {
            low: &self.low,
            rank: self.rank,
            factor: &self.factor,
        }
    }
}
