//! `linear`: rows x frozen weights, plus bias, low-rank update (arXiv 2106.09685, Eq. 3) and
//! residual, in one pass. The weights are frozen, so backward is dx alone and nothing is saved.

pub mod composed;
pub(super) mod cpu;

use candle_core::Tensor;

use super::{Backend, check_shapes, weight::Weight};
use crate::{
    error::{ModelError, Result},
    profile::{Op, enter},
};

/// A projection as this op sees it.
#[derive(Clone, Copy)]
pub struct Projected<'a> {
    /// (out, in)
    pub weight: &'a Weight,
    /// (out)
    pub bias: Option<&'a Tensor>,
    /// Its update.
    pub update: Option<Update<'a>>,
}

/// A low-rank update of a projection's output.
#[derive(Clone, Copy)]
pub struct Update<'a> {
    /// scale · x Aᵀ: (N, R)
    pub low: &'a Tensor,
    /// (out, R)
    pub b: &'a Tensor,
}

/// A projection's share of the gradient of its input.
#[derive(Clone, Copy)]
pub struct Share<'a> {
    /// Gradient of its output: (N, out)
    pub dy: &'a Tensor,
    /// (out, in)
    pub weight: &'a Weight,
    /// Its update's: scale · dy B (N, R), and A (R, in).
    pub update: Option<(&'a Tensor, &'a Tensor)>,
}

/// `x` (N, in) x `weight` (out, in)ᵀ + `bias` (out) -> (N, out).
pub fn forward(x: &Tensor, weight: &Weight, bias: Option<&Tensor>) -> Result<Tensor> {
    let mut all = forward_all(
        x,
        &[Projected {
            weight,
            bias,
            update: None,
        }],
        None,
    )?;
    Ok(all.remove(0))
}

/// Gradient of the rows: `dy` (N, out) x `weight` (out, in) -> (N, in).
pub fn backward(dy: &Tensor, weight: &Weight) -> Result<Tensor> {
    backward_all(
        &[Share {
            dy,
            weight,
            update: None,
        }],
        None,
    )
}

/// `residual` + x Wᵀ + b + low Bᵀ of each projection of the same rows `x` (N, in): each (N,
/// out). Products, accumulated in f32, are of f32 rows; rounded to bf16 only where the
/// processor multiplies bf16 faster and the weight is bf16.
pub fn forward_all(
    x: &Tensor,
    projections: &[Projected<'_>],
    residual: Option<&Tensor>,
) -> Result<Vec<Tensor>> {
    let (rows, inner) = x.dims2()?;
    let outs: usize = projections.iter().map(|p| p.weight.dims().0).sum();
    let _running = enter(Op::Linear, 2 * rows * inner * outs);
    for projection in projections {
        check_projection(x, projection, residual)?;
    }
    match Backend::of(x) {
        Backend::Cpu => cpu::forward_all(x, projections, residual),
        Backend::Composed => projections
            .iter()
            .map(|projection| composed::forward(x, projection, residual))
            .collect(),
    }
}

/// Sum over `shares` of dy W + d_low A, plus `start` (N, in): the gradient of the rows that all
/// of them read.
pub fn backward_all(shares: &[Share<'_>], start: Option<&Tensor>) -> Result<Tensor> {
    let Some(first) = shares.first() else {
        return Err(ModelError::op("linear", "no share of a gradient"));
    };
    let (rows, inner) = (first.dy.dims2()?.0, first.weight.dims().1);
    let outs: usize = shares.iter().map(|s| s.weight.dims().0).sum();
    let _running = enter(Op::LinearBackward, 2 * rows * inner * outs);
    for share in shares {
        check_share(share, (rows, inner), start)?;
    }
    match Backend::of(first.dy) {
        Backend::Cpu => cpu::backward_all(shares, start),
        Backend::Composed => composed::backward(shares, start),
    }
}

/// Fails unless the projection takes the rows and gives those of the residual.
pub(super) fn check_projection(
    x: &Tensor,
    projection: &Projected<'_>,
    residual: Option<&Tensor>,
) -> Result<()> {
    let ((rows, inner), (out, depth)) = (x.dims2()?, projection.weight.dims());
    if inner != depth {
        let shapes = format!(
            "rows {:?}, weight {:?} do not fit together",
            x.dims(),
            [out, depth]
        );
        return Err(ModelError::op("linear", shapes));
    }
    if let Some(bias) = projection.bias {
        check_shapes("linear: bias", bias.dims() == [out], &[x, bias])?;
    }
    if let Some(Update { low, b }) = &projection.update {
        let rank = b.dims2()?.1;
        check_shapes(
            "linear: update",
            b.dims() == [out, rank] && low.dims() == [rows, rank],
            &[x, low, b],
        )?;
    }
    match residual {
        Some(residual) => check_shapes(
            "linear: residual",
            residual.dims() == [rows, out],
            &[x, residual],
        ),
        None => Ok(()),
    }
}

/// Fails unless the share is a gradient of such rows.
pub(super) fn check_share(
    share: &Share<'_>,
    (rows, inner): (usize, usize),
    start: Option<&Tensor>,
) -> Result<()> {
    let (out, depth) = share.weight.dims();
    if share.dy.dims() != [rows, out] || depth != inner {
        let shapes = format!(
            "gradient {:?}, weight {:?} do not fit together",
            share.dy.dims(),
            [out, depth]
        );
        return Err(ModelError::op("linear", shapes));
    }
    if let Some((d_low, a)) = share.update {
        let fit = d_low.dims2()?.0 == rows && a.dims() == [d_low.dims2()?.1, inner];
        check_shapes("linear: update", fit, &[share.dy, d_low, a])?;
    }
    match start {
        Some(start) => check_shapes(
            "linear: residual",
            start.dims() == [rows, inner],
            &[share.dy, start],
        ),
        None => Ok(()),
    }
}
