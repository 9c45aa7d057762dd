//! `rms_norm`: y = x / sqrt(mean(x²) + eps) · weight (arXiv 1910.07467). Backward recomputes
//! the root from the input.

use rayon::prelude::*;

use crate::{math, memory};

/// Fewest rows that a thread takes at a time.
const ROWS: usize = 16;

/// `x` (N, E), `weight` (E) -> (N, E).
pub fn forward(x: &[f32], weight: &[f32], eps: f64) -> Vec<f32> {
    let width = weight.len();
    assert!(x.len().is_multiple_of(width));
    let mut y = memory::float_room(x.len());
    y.par_chunks_mut(width)
        .zip(x.par_chunks(width))
        .with_min_len(ROWS)
        .for_each(|(y, x)| math::scaled_product(x, inverse_root(x, eps), weight, y));
    // SAFETY: every row was written, each as long as the weight.
    unsafe { memory::written(y) }
}

/// Gradient of the rows, and `start` added to it where there is one. With g = dy · weight and r
/// the inverse root: dx = r g - x r³ mean(g x).
pub fn backward(
    x: &[f32],
    weight: &[f32],
    eps: f64,
    dy: &[f32],
    start: Option<&[f32]>,
) -> Vec<f32> {
    let width = weight.len();
    assert!(x.len().is_multiple_of(width) && x.len() == dy.len());
    assert!(start.is_none_or(|start| start.len() == x.len()));
    let mut dx = memory::float_room(x.len());
    let inputs = x.par_chunks(width).zip(dy.par_chunks(width));
    dx.par_chunks_mut(width)
        .zip(inputs)
        .enumerate()
        .with_min_len(ROWS)
        .for_each(|(row, (dx, (x, dy)))| {
            math::product(dy, weight, dx);
            // SAFETY: the product is as long as the row.
            let dx = unsafe { memory::written_part(dx) };
            let inverse = inverse_root(x, eps);
            let slope = math::dot(dx, x) / width as f32 * inverse * inverse * inverse;
            let start = start.map_or(&[][..], |start| &start[row * width..(row + 1) * width]);
            math::norm_backward(x, start, inverse, slope, dx);
        });
    // SAFETY: every row was written.
    unsafe { memory::written(dx) }
}

fn inverse_root(x: &[f32], eps: f64) -> f32 {
    1.0 / (math::dot(x, x) / x.len() as f32 + eps as f32).sqrt()
}
