//! `lora`: the low-rank update x Aᵀ Bᵀ scale (arXiv 2106.09685, Eq. 3). The scale touches the update, never the base.

use candle_core::Tensor;
use rayon::prelude::*;

use super::{
    check_shapes,
    cpu::{
        gemm::{self, ADD, Mode, Right, SET, Values, columns_of, rows_of},
        view::{self, View},
    },
};
use crate::error::Result;

/// What backward needs beside the rows: the rows in the low rank.
pub struct Saved {
    /// x Aᵀ: (N, R)
    low: Tensor,
}

/// Gradients of one projection's update.
pub struct Grads {
    /// As A: (R, in)
    pub a: Tensor,
    /// As B: (out, R)
    pub b: Tensor,
}

/// `y` (N, out) + scale · `x` (N, in) x `a` (R, in)ᵀ x `b` (out, R)ᵀ.
pub fn forward(x: &Tensor, a: &Tensor, b: &Tensor, scale: f64, y: Tensor) -> Result<(Tensor, Saved)> {
    let ((rows, inner), (rank, a_in), (out, b_rank)) = (x.dims2()?, a.dims2()?, b.dims2()?);
    check_shapes("lora", (a_in, b_rank) == (inner, rank) && y.dims() == [rows, out], &[x, a, b, &y])?;
    if !view::is_fused(x) {
        return forward_composed(x, a, b, scale, &y);
    }
    let (x, a, b) = (View::<f32>::new(x, "lora rows")?, View::<f32>::new(a, "lora_a")?, View::<f32>::new(b, "lora_b")?);
    let mut low = vec![0.0; rows * rank];
    gemm::multiply(
        rows,
        rows_of(x.slice(), inner),
        &Right::transposed(Values::F32(a.slice()), rank, inner),
        &mut low,
        SET,
    );
    let mut sum = View::<f32>::new(&y, "lora output")?.slice().to_vec();
    let right = Right::transposed(Values::F32(b.slice()), out, rank);
    gemm::multiply(rows, rows_of(&low, rank), &right, &mut sum, Mode { add: true, scale: scale as f32 });
    Ok((view::tensor(sum, (rows, out))?, Saved { low: view::tensor(low, (rows, rank))? }))
}

/// [`forward`] of candle operations.
pub fn forward_composed(x: &Tensor, a: &Tensor, b: &Tensor, scale: f64, y: &Tensor) -> Result<(Tensor, Saved)> {
    let low = x.matmul(&a.t()?)?; // (N, R)
    let sum = (y + (low.matmul(&b.t()?)? * scale)?)?; // (N, out)
    Ok((sum, Saved { low }))
}

/// Gradients of A and B, and `dx` plus the update's share of it. `dx` is `None` where nothing below is trained.
pub fn backward(
    x: &Tensor,
    a: &Tensor,
    b: &Tensor,
    scale: f64,
    saved: &Saved,
    dy: &Tensor,
    dx: Option<Tensor>,
) -> Result<(Grads, Option<Tensor>)> {
    let ((rows, inner), (rank, a_in), (out, b_rank)) = (x.dims2()?, a.dims2()?, b.dims2()?);
    let fit = (a_in, b_rank) == (inner, rank) && dy.dims() == [rows, out] && saved.low.dims() == [rows, rank];
    let fit = fit && dx.as_ref().is_none_or(|dx| dx.shape() == x.shape());
    check_shapes("lora", fit, &[x, a, b, dy])?;
    if !view::is_fused(dy) {
        return backward_composed(x, a, b, scale, saved, dy, dx);
    }
    let (x, a, b) = (View::<f32>::new(x, "lora rows")?, View::<f32>::new(a, "lora_a")?, View::<f32>::new(b, "lora_b")?);
    let (dy, low) = (View::<f32>::new(dy, "lora gradient")?, View::<f32>::new(&saved.low, "lora low")?);
    let scaled = Mode { add: false, scale: scale as f32 };
    let mut d_low = vec![0.0; rows * rank]; // scale · dy B: (N, R)
    gemm::multiply(
        rows,
        rows_of(dy.slice(), out),
        &Right::plain(Values::F32(b.slice()), out, rank),
        &mut d_low,
        scaled,
    );
    let mut d_b = vec![0.0; out * rank]; // scale · dyᵀ low
    gemm::multiply(
        out,
        columns_of(dy.slice(), out),
        &Right::plain(Values::F32(low.slice()), rows, rank),
        &mut d_b,
        scaled,
    );
    let mut d_a = vec![0.0; rank * inner]; // d_lowᵀ x
    gemm::multiply(rank, columns_of(&d_low, rank), &Right::plain(Values::F32(x.slice()), rows, inner), &mut d_a, SET);
    let grads = Grads { a: view::tensor(d_a, (rank, inner))?, b: view::tensor(d_b, (out, rank))? };
    let Some(dx) = dx else { return Ok((grads, None)) };
    let mut dx = View::<f32>::new(&dx, "lora dx")?.slice().to_vec();
    gemm::multiply(rows, rows_of(&d_low, rank), &Right::plain(Values::F32(a.slice()), rank, inner), &mut dx, ADD);
    Ok((grads, Some(view::tensor(dx, (rows, inner))?)))
}

/// [`backward`] of candle operations.
pub fn backward_composed(
    x: &Tensor,
    a: &Tensor,
    b: &Tensor,
    scale: f64,
    saved: &Saved,
    dy: &Tensor,
    dx: Option<Tensor>,
) -> Result<(Grads, Option<Tensor>)> {
    let d_low = (dy.matmul(b)? * scale)?; // (N, R)
    let grads = Grads { a: d_low.t()?.matmul(x)?, b: (dy.t()?.matmul(&saved.low)? * scale)? };
    let dx = dx.map(|dx| dx + d_low.matmul(a)?).transpose()?;
    Ok((grads, dx))
}

/// Which of the update's inputs are dropped in training: element `i` of row `n` is kept or not by a hash of the seed and
/// its place, so backward recomputes the mask and no random state is kept. Kept values are scaled by 1 / (1 - p).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    /// Share dropped, in [0, 1).
    pub share: f64,
    /// Changes with the step, the layer and the projection.
    pub seed: u64,
}

impl Dropout {
    /// The same share with a seed of its own for each `number`: of a step, a micro-batch, a place.
    pub fn derive(&self, number: u64) -> Self {
        Self { seed: mix(self.seed ^ mix(number)), ..*self }
    }

    /// `x` (N, in) with the mask applied; its own backward is the same call on the gradient.
    pub fn apply(&self, x: &Tensor) -> Result<Tensor> {
        let (rows, inner) = x.dims2()?;
        let keep = (1.0 / (1.0 - self.share)) as f32;
        let bound = (self.share * (u64::MAX as f64)) as u64;
        let mut mask = vec![0.0f32; rows * inner];
        mask.par_chunks_mut(inner.max(1)).enumerate().for_each(|(n, row)| {
            for (i, m) in row.iter_mut().enumerate() {
                *m = if mix(self.seed ^ mix((n * inner + i) as u64)) < bound { 0.0 } else { keep };
            }
        });
        let mask = view::tensor(mask, (rows, inner))?.to_device(x.device())?.to_dtype(x.dtype())?;
        Ok((x * mask)?)
    }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): every bit of the result depends on every bit of the input.
fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
