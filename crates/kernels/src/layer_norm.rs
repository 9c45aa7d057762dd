//! `layer_norm` without bias: y = c / sqrt(mean(c²) + eps) · weight with c = x - mean(x) (arXiv
//! 1607.06450). Backward recomputes mean and root from the input.

use rayon::prelude::*;

use crate::{math, memory};

/// Fewest pieces that a thread takes at a time.
const PIECES: usize = 16;

/// `x` (N, K · W), `weight` (K · W) with pieces of `width` W: each piece of a row is normed by
/// itself, with its own part of the weight.
pub fn forward(x: &[f32], weight: &[f32], width: usize, eps: f64) -> Vec<f32> {
    check(x, weight, width);
    let mut y = memory::float_room(x.len());
    y.par_chunks_mut(width)
        .zip(x.par_chunks(width))
        .enumerate()
        .with_min_len(PIECES)
        .for_each(|(piece, (y, x))| {
            math::shifted(x, -mean(x), y);
            // SAFETY: as long as the piece, which was just written.
            let y = unsafe { memory::written_part(y) };
            let inverse = inverse_root(y, eps);
            math::scale_by(y, inverse, of_piece(weight, width, piece));
        });
    // SAFETY: every piece was written.
    unsafe { memory::written(y) }
}

/// Gradient of the rows, and `start` added to it where there is one. With g = dy · weight and r
/// the inverse root: d = r g - c r³ mean(g c), and dx = d - mean(d).
pub fn backward(
    x: &[f32],
    weight: &[f32],
    width: usize,
    eps: f64,
    dy: &[f32],
    start: Option<&[f32]>,
) -> Vec<f32> {
    check(x, weight, width);
    assert!(x.len() == dy.len() && start.is_none_or(|start| start.len() == x.len()));
    let mut dx = memory::float_room(x.len());
    let inputs = x.par_chunks(width).zip(dy.par_chunks(width));
    dx.par_chunks_mut(width)
        .zip(inputs)
        .enumerate()
        .with_min_len(PIECES)
        .for_each_init(Vec::new, |centred, (piece, (dx, (x, dy)))| {
            math::product(dy, of_piece(weight, width, piece), dx);
            // SAFETY: the product is as long as the piece.
            let dx = unsafe { memory::written_part(dx) };
            centred.clear();
            centred.extend_from_slice(x);
            math::shift(centred, -mean(x));
            let inverse = inverse_root(centred, eps);
            let slope = math::dot(dx, centred) / width as f32 * inverse * inverse * inverse;
            math::norm_backward(centred, &[], inverse, slope, dx);
            let middle = mean(dx);
            math::shift(dx, -middle);
            if let Some(start) = start {
                math::add(&start[piece * width..(piece + 1) * width], dx);
            }
        });
    // SAFETY: every piece was written.
    unsafe { memory::written(dx) }
}

fn check(x: &[f32], weight: &[f32], width: usize) {
    assert!(
        width > 0 && weight.len().is_multiple_of(width) && x.len().is_multiple_of(weight.len())
    );
}

fn of_piece(weight: &[f32], width: usize, piece: usize) -> &[f32] {
    let at = piece % (weight.len() / width) * width;
    &weight[at..at + width]
}

fn mean(x: &[f32]) -> f32 {
    math::sum(x) / x.len() as f32
}

fn inverse_root(centred: &[f32], eps: f64) -> f32 {
    1.0 / (math::dot(centred, centred) / centred.len() as f32 + eps as f32).sqrt()
}
