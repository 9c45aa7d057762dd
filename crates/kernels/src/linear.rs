//! `linear`: rows x frozen weights, plus bias, low-rank update and residual, in one pass over
//! the output; and the gradient of the rows.

use crate::{
    memory,
    product::{
        self,
        operands::{RightOperand, rows_of},
        panels::Panels,
        shared::SharedOutput,
        tasks::{Destination, Job, Product, RightFactor, Start, Term},
    },
};

/// A projection of rows.
#[derive(Clone, Copy)]
pub struct FrozenProjection<'a> {
    /// (out, in)
    pub weight: &'a Panels,
    /// (out)
    pub bias: Option<&'a [f32]>,
    /// Its factor is B (out, R).
    pub update: Option<LowRank<'a>>,
}

/// A product of the low rank that is added to a projection, or to its gradient.
#[derive(Clone, Copy)]
pub struct LowRank<'a> {
    /// Rows in the low rank: (N, R)
    pub low: &'a [f32],
    /// R
    pub rank: usize,
    /// What they are multiplied with.
    pub factor: &'a [f32],
}

/// A projection's share of the gradient of its rows.
#[derive(Clone, Copy)]
pub struct FrozenGradient<'a> {
    /// Gradient of its output: (N, out)
    pub dy: &'a [f32],
    /// (out, in)
    pub weight: &'a Panels,
    /// Its factor is A (R, in).
    pub update: Option<LowRank<'a>>,
}

/// `residual` + x Wᵀ + b + low Bᵀ of each projection of the same `rows` rows `x` (N, in): each
/// (N, out).
pub fn forward(
    rows: usize,
    x: &[f32],
    projections: &[FrozenProjection<'_>],
    residual: Option<&[f32]>,
) -> Vec<Vec<f32>> {
    let mut outs: Vec<_> = projections
        .iter()
        .map(|projection| memory::float_room(rows * projection.weight.out()))
        .collect();
    let jobs: Vec<Job<'_>> = projections
        .iter()
        .zip(&mut outs)
        .map(|(projection, out)| {
            let cols = projection.weight.out();
            let out = Destination::Matrix(SharedOutput::new(out, cols));
            Job {
                rows,
                cols,
                products: vec![projection.product(x, residual, out)],
                after: None,
            }
        })
        .collect();
    product::run(&jobs);
    drop(jobs);
    outs.into_iter()
        // SAFETY: the products wrote every row of every output.
        .map(|out| unsafe { memory::written(out) })
        .collect()
}

/// Sum over `shares` of dy W + d_low A, plus `start` (N, in): the gradient of `rows` rows of
/// `inner` values that all of them read.
pub fn backward(
    rows: usize,
    inner: usize,
    shares: &[FrozenGradient<'_>],
    start: Option<&[f32]>,
) -> Vec<f32> {
    let terms = shares.iter().flat_map(FrozenGradient::terms).collect();
    let start = start.map_or(Start::Zero, |start| Start::Matrix(start, None));
    let mut dx = memory::float_room(rows * inner);
    let out = SharedOutput::new(&mut dx, inner);
    product::run(&[Job::one(rows, inner, start, terms, out)]);
    // SAFETY: the product wrote every row.
    unsafe { memory::written(dx) }
}

impl<'a> FrozenProjection<'a> {
    /// The product of `x` (N, in) into `out`.
    pub(crate) fn product(
        &self,
        x: &'a [f32],
        residual: Option<&'a [f32]>,
        out: Destination<'a>,
    ) -> Product<'a> {
        let start = match (self.bias, residual) {
            (None, None) => Start::Zero,
            (Some(bias), None) => Start::Bias(bias),
            (bias, Some(residual)) => Start::Matrix(residual, bias),
        };
        let mut terms = vec![Term {
            left: rows_of(x, self.weight.inner()),
            right: RightFactor::Forward(self.weight),
        }];
        if let Some(LowRank { low, rank, factor }) = self.update {
            terms.push(Term {
                left: rows_of(low, rank),
                right: RightFactor::Values(RightOperand::transposed(
                    factor,
                    self.weight.out(),
                    rank,
                )),
            });
        }
        Product { start, terms, out }
    }
}

impl<'a> FrozenGradient<'a> {
    /// The terms of the gradient of the rows.
    pub(crate) fn terms(&self) -> Vec<Term<'a>> {
        let mut terms = vec![Term {
            left: rows_of(self.dy, self.weight.out()),
            right: RightFactor::Backward(self.weight),
        }];
        if let Some(LowRank { low, rank, factor }) = self.update {
            terms.push(Term {
                left: rows_of(low, rank),
                right: RightFactor::Values(RightOperand::plain(factor, rank, self.weight.inner())),
            });
        }
        terms
    }
}
