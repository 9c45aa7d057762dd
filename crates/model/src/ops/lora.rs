//! `lora`: the low-rank update x Aᵀ Bᵀ scale (arXiv 2106.09685, Eq. 3). The scale touches the
//! update, never the base.

use candle_core::Tensor;
use rayon::prelude::*;

use super::{
    check_shapes,
    cpu::{
        gemm::{Right, Shared, Values, columns_of, rows_of},
        job::{Factor, Job, Product, Start, Target, Term},
        product,
        view::{self, View},
    },
};
use crate::{
    error::Result,
    profile::{Op, enter},
};

/// Gradients of one projection's update.
pub struct Grads {
    /// As A: (R, in)
    pub a: Tensor,
    /// As B: (out, R)
    pub b: Tensor,
}

/// The rows in the low rank: scale · `x` (N, in) x `a` (R, in)ᵀ -> (N, R). [`super::linear`]
/// adds their product with B to the projection's output, and backward needs them for B's
/// gradient.
pub fn forward(x: &Tensor, a: &Tensor, scale: f64) -> Result<Tensor> {
    let _running = enter(Op::Lora, 2 * x.elem_count() * a.dims2()?.0);
    let ((rows, inner), (rank, a_in)) = (x.dims2()?, a.dims2()?);
    check_shapes("lora", a_in == inner, &[x, a])?;
    if !view::is_fused(x) {
        return Ok((x.matmul(&a.to_dtype(x.dtype())?.t()?)? * scale)?);
    }
    let (x, a) = (
        View::<f32>::new(x, "lora rows")?,
        View::<f32>::new(a, "lora_a")?,
    );
    let term = Term {
        left: rows_of(x.slice(), inner),
        right: Factor::Values(Right::transposed(Values::F32(a.slice()), rank, inner)),
    };
    scaled_product(rows, rank, term, scale)
}

/// scale · `dy` (N, out) x `b` (out, R) -> (N, R): the gradient of the rows in the low rank,
/// before A.
pub fn backward_low(dy: &Tensor, b: &Tensor, scale: f64) -> Result<Tensor> {
    let _running = enter(Op::LoraBackward, 2 * dy.elem_count() * b.dims2()?.1);
    let ((rows, out), (b_out, rank)) = (dy.dims2()?, b.dims2()?);
    check_shapes("lora", b_out == out, &[dy, b])?;
    if !view::is_fused(dy) {
        return Ok((dy.matmul(&b.to_dtype(dy.dtype())?)? * scale)?);
    }
    let (dy, b) = (
        View::<f32>::new(dy, "lora gradient")?,
        View::<f32>::new(b, "lora_b")?,
    );
    let term = Term {
        left: rows_of(dy.slice(), out),
        right: Factor::Values(Right::plain(Values::F32(b.slice()), out, rank)),
    };
    scaled_product(rows, rank, term, scale)
}

/// `d_low` (N, R) x `a` (R, in) -> (N, in): the update's share of the gradient of its rows.
pub fn raise(d_low: &Tensor, a: &Tensor) -> Result<Tensor> {
    let ((rows, rank), (a_rank, inner)) = (d_low.dims2()?, a.dims2()?);
    check_shapes("lora", a_rank == rank, &[d_low, a])?;
    if !view::is_fused(d_low) {
        return Ok(d_low.matmul(&a.to_dtype(d_low.dtype())?)?);
    }
    let (d_low, a) = (
        View::<f32>::new(d_low, "lora low gradient")?,
        View::<f32>::new(a, "lora_a")?,
    );
    let right = Factor::Values(Right::plain(Values::F32(a.slice()), rank, inner));
    let term = Term {
        left: rows_of(d_low.slice(), rank),
        right,
    };
    let mut dx = view::unfilled(rows * inner);
    product::run(&[Job::one(
        rows,
        inner,
        Start::Zero,
        vec![term],
        Shared::new(&mut dx, inner),
    )]);
    view::tensor(dx, (rows, inner))
}

/// Gradients of A and B: `d_low`ᵀ `x` and `dy`ᵀ `low`, of what [`forward`] and [`backward_low`]
/// return.
pub fn backward(x: &Tensor, low: &Tensor, d_low: &Tensor, dy: &Tensor) -> Result<Grads> {
    let _running = enter(
        Op::LoraBackward,
        2 * (x.elem_count() + dy.elem_count()) * low.dims2()?.1,
    );
    let ((rows, inner), (dy_rows, out), rank) = (x.dims2()?, dy.dims2()?, low.dims2()?.1);
    let fit = low.dims() == [rows, rank] && d_low.dims() == [rows, rank] && dy_rows == rows;
    check_shapes("lora", fit, &[x, low, d_low, dy])?;
    if !view::is_fused(dy) {
        return Ok(Grads {
            a: d_low.t()?.matmul(x)?,
            b: dy.t()?.matmul(low)?,
        });
    }
    let (x, dy) = (
        View::<f32>::new(x, "lora rows")?,
        View::<f32>::new(dy, "lora gradient")?,
    );
    let (low, d_low) = (
        View::<f32>::new(low, "lora low")?,
        View::<f32>::new(d_low, "lora low gradient")?,
    );
    // Few rows of the low rank run past each stretch of x and dy where these lie; B's gradient
    // comes out transposed.
    let (mut d_a, mut d_bt) = (view::unfilled(rank * inner), view::unfilled(rank * out));
    let term = |low, values, cols| Term {
        left: columns_of(low, rank),
        right: Factor::Values(Right::plain(Values::F32(values), rows, cols)),
    };
    product::run(&[
        Job::one(
            rank,
            inner,
            Start::Zero,
            vec![term(d_low.slice(), x.slice(), inner)],
            Shared::new(&mut d_a, inner),
        ),
        Job::one(
            rank,
            out,
            Start::Zero,
            vec![term(low.slice(), dy.slice(), out)],
            Shared::new(&mut d_bt, out),
        ),
    ]);
    let mut d_b = view::unfilled(out * rank);
    for (o, row) in d_b.chunks_exact_mut(rank.max(1)).enumerate() {
        for (r, value) in row.iter_mut().enumerate() {
            *value = d_bt[r * out + o];
        }
    }
    Ok(Grads {
        a: view::tensor(d_a, (rank, inner))?,
        b: view::tensor(d_b, (out, rank))?,
    })
}

fn scaled_product(rows: usize, rank: usize, term: Term<'_>, scale: f64) -> Result<Tensor> {
    let mut low = view::unfilled(rows * rank);
    let shared = Shared::new(&mut low, rank);
    let after = |rows: std::ops::Range<usize>, cols: std::ops::Range<usize>, _: &[Vec<f32>]| {
        for row in rows {
            // SAFETY: a job's rectangle is handed to one caller alone.
            let piece = unsafe { shared.piece(row, cols.start, cols.len()) };
            piece.iter_mut().for_each(|value| *value *= scale as f32);
        }
    };
    let products = vec![Product {
        start: Start::Zero,
        terms: vec![term],
        out: Target::Matrix(shared),
    }];
    product::run(&[Job {
        rows,
        cols: rank,
        products,
        after: Some(&after),
    }]);
    view::tensor(low, (rows, rank))
}

/// Which of the update's inputs are dropped in training: element `i` of row `n` is kept or not
/// by a hash of the seed and its place, so backward recomputes the mask and no random state is
/// kept. Kept values are scaled by 1 / (1 - p).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    /// Share dropped, in [0, 1).
    pub share: f64,
    /// Changes with the step, the layer and the projection.
    pub seed: u64,
}

impl Dropout {
    /// The same share with a seed of its own for each `number`: of a step, a micro-batch, a
    /// place.
    pub fn derive(&self, number: u64) -> Self {
        Self {
            seed: mix(self.seed ^ mix(number)),
            ..*self
        }
    }

    /// `x` (N, in) with the mask applied; its own backward is the same call on the gradient.
    pub fn apply(&self, x: &Tensor) -> Result<Tensor> {
        let (rows, inner) = x.dims2()?;
        let keep = (1.0 / (1.0 - self.share)) as f32;
        let bound = (self.share * (u64::MAX as f64)) as u64;
        let mut mask = vec![0.0f32; rows * inner];
        mask.par_chunks_mut(inner.max(1))
            .enumerate()
            .for_each(|(n, row)| {
                for (i, m) in row.iter_mut().enumerate() {
                    *m = if mix(self.seed ^ mix((n * inner + i) as u64)) < bound {
                        0.0
                    } else {
                        keep
                    };
                }
            });
        let mask = view::tensor(mask, (rows, inner))?
            .to_device(x.device())?
            .to_dtype(x.dtype())?;
        Ok((x * mask)?)
    }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): every bit of the result depends on
/// every bit of the input.
fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
