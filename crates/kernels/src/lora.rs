//! `lora`: products of the low-rank update (arXiv 2106.09685, Eq. 3) and the gradients of its
//! factors. The scale is on the update, never on the base.

use rayon::prelude::*;

use crate::{
    memory,
    product::{
        self,
        operands::{RightOperand, columns_of, rows_of},
        shared::SharedOutput,
        tasks::{Destination, Job, Product, RightFactor, Start, Term},
    },
};

/// scale · `x` (N, in) x `a` (R, in)ᵀ of `rows` rows -> (N, R).
pub fn forward(rows: usize, x: &[f32], a: &[f32], rank: usize, scale: f64) -> Vec<f32> {
    let inner = a.len() / rank.max(1);
    let term = Term {
        left: rows_of(x, inner),
        right: RightFactor::Values(RightOperand::transposed(a, rank, inner)),
    };
    scaled_product(rows, rank, term, scale)
}

/// scale · `dy` (N, out) x `b` (out, R) of `rows` rows -> (N, R).
pub fn backward_low(rows: usize, dy: &[f32], b: &[f32], rank: usize, scale: f64) -> Vec<f32> {
    let out = b.len() / rank.max(1);
    let term = Term {
        left: rows_of(dy, out),
        right: RightFactor::Values(RightOperand::plain(b, out, rank)),
    };
    scaled_product(rows, rank, term, scale)
}

/// `d_low` (N, R) x `a` (R, `inner`) of `rows` rows -> (N, in).
pub fn raise(rows: usize, d_low: &[f32], a: &[f32], rank: usize, inner: usize) -> Vec<f32> {
    let term = Term {
        left: rows_of(d_low, rank),
        right: RightFactor::Values(RightOperand::plain(a, rank, inner)),
    };
    let mut dx = memory::float_room(rows * inner);
    let out = SharedOutput::new(&mut dx, inner);
    product::run(&[Job::one(rows, inner, Start::Zero, vec![term], out)]);
    // SAFETY: the product wrote every row.
    unsafe { memory::written(dx) }
}

/// The operands of [`backward`], of N rows.
#[derive(Clone, Copy)]
pub struct FactorGradients<'a> {
    /// The update's input: (N, in)
    pub x: &'a [f32],
    /// It in the low rank: (N, R)
    pub low: &'a [f32],
    /// Gradient of `low`, with the scale: (N, R)
    pub d_low: &'a [f32],
    /// Gradient of the output: (N, out)
    pub dy: &'a [f32],
}

/// Gradients of A (R, `inner`) and B (`out`, R): `d_low`ᵀ `x` and `dy`ᵀ `low`.
pub fn backward(
    rows: usize,
    of: &FactorGradients<'_>,
    rank: usize,
    inner: usize,
    out: usize,
) -> (Vec<f32>, Vec<f32>) {
    // Few rows of the low rank run past each stretch of x and dy where these are; B's gradient
    // comes out transposed.
    let (mut d_a, mut d_bt) = (
        memory::float_room(rank * inner),
        memory::float_room(rank * out),
    );
    let a_term = Term {
        left: columns_of(of.d_low, rank),
        right: RightFactor::Values(RightOperand::plain(of.x, rows, inner)),
    };
    let b_term = Term {
        left: columns_of(of.low, rank),
        right: RightFactor::Values(RightOperand::plain(of.dy, rows, out)),
    };
    let (a_out, b_out) = (
        SharedOutput::new(&mut d_a, inner),
        SharedOutput::new(&mut d_bt, out),
    );
    product::run(&[
        Job::one(rank, inner, Start::Zero, vec![a_term], a_out),
        Job::one(rank, out, Start::Zero, vec![b_term], b_out),
    ]);
    // SAFETY: the products wrote every row.
    let (d_a, d_bt) = unsafe { (memory::written(d_a), memory::written(d_bt)) };
    let mut d_b = Vec::with_capacity(out * rank);
    for o in 0..out {
        d_b.extend((0..rank).map(|r| d_bt[r * out + o]));
    }
    (d_a, d_b)
}

fn scaled_product(rows: usize, rank: usize, term: Term<'_>, scale: f64) -> Vec<f32> {
    let mut low = memory::float_room(rows * rank);
    let out = SharedOutput::new(&mut low, rank);
    product::run(&[Job {
        rows,
        cols: rank,
        products: vec![Product {
            start: Start::Zero,
            terms: vec![term],
            out: Destination::Matrix(out),
        }],
        after: Some(&|rows, cols, _| {
            for row in rows {
                // SAFETY: a job's rectangle is handed to one caller alone, and was written.
                let piece = unsafe { out.piece(row, cols.start, cols.len()) };
                piece.iter_mut().for_each(|value| *value *= scale as f32);
            }
        }),
    }]);
    // SAFETY: the product wrote every row.
    unsafe { memory::written(low) }
}

/// The factors that drop a `share` of the elements of `rows` rows of `inner` values, by a hash
/// of the seed and an element's place: 0, or 1 / (1 - share).
pub fn dropout_mask(rows: usize, inner: usize, share: f64, seed: u64) -> Vec<f32> {
    let keep = (1.0 / (1.0 - share)) as f32;
    let bound = (share * (u64::MAX as f64)) as u64;
    let mut mask = vec![0.0f32; rows * inner];
    mask.par_chunks_mut(inner.max(1))
        .enumerate()
        .for_each(|(n, row)| {
            for (i, factor) in row.iter_mut().enumerate() {
                let dropped = mix(seed ^ mix((n * inner + i) as u64)) < bound;
                *factor = if dropped { 0.0 } else { keep };
            }
        });
    mask
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): every bit of the result depends on
/// every bit of the input.
pub fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
