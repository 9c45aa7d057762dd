//! `softmax`, `log_softmax` of rows.

use rayon::prelude::*;

use crate::math;

/// Probabilities of each row of `width` values.
pub fn softmax(x: &[f32], width: usize) -> Vec<f32> {
    let mut y = x.to_vec();
    y.par_chunks_mut(width).for_each(|row| {
        let total = math::exp_sum(row, math::max(row));
        math::scale(row, 1.0 / total);
    });
    y
}

/// Logarithms of the probabilities of each row of `width` values.
pub fn log_softmax(x: &[f32], width: usize) -> Vec<f32> {
    let mut y = x.to_vec();
    y.par_chunks_mut(width).for_each(|row| {
        let shift = log_sum_exp(row);
        row.iter_mut().for_each(|v| *v -= shift);
    });
    y
}

fn log_sum_exp(row: &[f32]) -> f32 {
    let max = math::max(row);
    max + math::exp_sum(&mut row.to_vec(), max).ln()
}
