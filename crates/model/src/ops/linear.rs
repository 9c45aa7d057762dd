//! `linear`: rows x frozen weights, plus bias, low-rank update (arXiv 2106.09685, Eq. 3) and
//! residual, in one pass. The weights are frozen, so backward is dx alone and nothing is saved.

use candle_core::{DType, Tensor};

use super::{
    check_shapes,
    cpu::{
        gemm::{Right, Shared, Values, rows_of},
        job::{Factor, Job, Product, Start, Target, Term},
        product,
        view::{self, View},
    },
};
use crate::{
    error::Result,
    profile::{Op, enter},
    weight::Weight,
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
    if !view::is_fused(x) {
        return projections
            .iter()
            .map(|p| forward_composed(x, p, residual))
            .collect();
    }
    let xs = View::<f32>::new(x, "linear")?;
    let operands = projections
        .iter()
        .map(|p| Operands::new(p, residual))
        .collect::<Result<Vec<_>>>()?;
    let mut outs: Vec<Vec<f32>> = projections
        .iter()
        .map(|p| view::unfilled(rows * p.weight.dims().0))
        .collect();
    let jobs =
        projections
            .iter()
            .zip(&operands)
            .zip(&mut outs)
            .map(|((projection, operands), out)| {
                let cols = projection.weight.dims().0;
                let product = operands.product(
                    projection,
                    xs.slice(),
                    inner,
                    Target::Matrix(Shared::new(out, cols)),
                )?;
                Ok(Job {
                    rows,
                    cols,
                    products: vec![product],
                    after: None,
                })
            });
    product::run(&jobs.collect::<Result<Vec<_>>>()?);
    outs.into_iter()
        .zip(projections)
        .map(|(out, p)| view::tensor(out, (rows, p.weight.dims().0)))
        .collect()
}

/// Sum over `shares` of dy W + d_low A, plus `start` (N, in): the gradient of the rows that all
/// of them read.
pub fn backward_all(shares: &[Share<'_>], start: Option<&Tensor>) -> Result<Tensor> {
    let Some(first) = shares.first() else {
        return Err(crate::ModelError::op("linear", "no share of a gradient"));
    };
    let (rows, inner) = (first.dy.dims2()?.0, first.weight.dims().1);
    let outs: usize = shares.iter().map(|s| s.weight.dims().0).sum();
    let _running = enter(Op::LinearBackward, 2 * rows * inner * outs);
    for share in shares {
        check_share(share, (rows, inner), start)?;
    }
    if !view::is_fused(first.dy) {
        return backward_composed(shares, start);
    }
    let views = shares
        .iter()
        .map(ShareViews::new)
        .collect::<Result<Vec<_>>>()?;
    let start = start
        .map(|t| View::<f32>::new(t, "linear gradient"))
        .transpose()?;
    let mut terms = Vec::with_capacity(2 * shares.len());
    for (share, views) in shares.iter().zip(&views) {
        terms.extend(views.terms(share)?);
    }
    let mut dx = view::unfilled(rows * inner);
    let start = start
        .as_ref()
        .map_or(Start::Zero, |s| Start::Matrix(s.slice(), None));
    product::run(&[Job::one(
        rows,
        inner,
        start,
        terms,
        Shared::new(&mut dx, inner),
    )]);
    view::tensor(dx, (rows, inner))
}

/// [`forward_all`] of candle operations, of one projection.
pub fn forward_composed(
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

/// [`backward_all`] of candle operations.
pub fn backward_composed(shares: &[Share<'_>], start: Option<&Tensor>) -> Result<Tensor> {
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
    sum.ok_or_else(|| crate::ModelError::op("linear", "no share of a gradient"))
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
        return Err(crate::ModelError::op("linear", shapes));
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
        return Err(crate::ModelError::op("linear", shapes));
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

/// Views of what a projection's product reads beside the rows.
pub(super) struct Operands<'a> {
    bias: Option<View<'a, f32>>,
    residual: Option<View<'a, f32>>,
    update: Option<(View<'a, f32>, View<'a, f32>, usize)>,
}

impl<'a> Operands<'a> {
    pub(super) fn new(projection: &Projected<'a>, residual: Option<&'a Tensor>) -> Result<Self> {
        let view = |tensor: &'a Tensor| View::<f32>::new(tensor, "linear");
        let update = match projection.update {
            Some(Update { low, b }) => Some((view(low)?, view(b)?, b.dims2()?.1)),
            None => None,
        };
        Ok(Self {
            bias: projection.bias.map(view).transpose()?,
            residual: residual.map(view).transpose()?,
            update,
        })
    }

    /// The product of `x` (rows, `inner`) into `out`.
    pub(super) fn product<'b>(
        &'b self,
        projection: &Projected<'b>,
        x: &'b [f32],
        inner: usize,
        out: Target<'b>,
    ) -> Result<Product<'b>> {
        let start = match (&self.bias, &self.residual) {
            (None, None) => Start::Zero,
            (Some(bias), None) => Start::Bias(bias.slice()),
            (bias, Some(residual)) => {
                Start::Matrix(residual.slice(), bias.as_ref().map(View::slice))
            }
        };
        let mut terms = vec![Term {
            left: rows_of(x, inner),
            right: Factor::Forward(projection.weight.panels("linear")?),
        }];
        if let Some((low, b, rank)) = &self.update {
            let right =
                Right::transposed(Values::F32(b.slice()), projection.weight.dims().0, *rank);
            terms.push(Term {
                left: rows_of(low.slice(), *rank),
                right: Factor::Values(right),
            });
        }
        Ok(Product { start, terms, out })
    }
}

/// Views of one share's gradients.
pub(super) struct ShareViews<'a> {
    dy: View<'a, f32>,
    update: Option<(View<'a, f32>, View<'a, f32>, usize)>,
}

impl<'a> ShareViews<'a> {
    pub(super) fn new(share: &Share<'a>) -> Result<Self> {
        let update = match share.update {
            Some((d_low, a)) => Some((
                View::new(d_low, "linear gradient")?,
                View::new(a, "lora_a")?,
                d_low.dims2()?.1,
            )),
            None => None,
        };
        Ok(Self {
            dy: View::new(share.dy, "linear gradient")?,
            update,
        })
    }

    pub(super) fn terms<'b>(&'b self, share: &Share<'b>) -> Result<Vec<Term<'b>>> {
        let (out, inner) = share.weight.dims();
        let weight = share.weight.panels("linear")?;
        let mut terms = vec![Term {
            left: rows_of(self.dy.slice(), out),
            right: Factor::Backward(weight),
        }];
        if let Some((d_low, a, rank)) = &self.update {
            let right = Right::plain(Values::F32(a.slice()), *rank, inner);
            terms.push(Term {
                left: rows_of(d_low.slice(), *rank),
                right: Factor::Values(right),
            });
        }
        Ok(terms)
    }
}
