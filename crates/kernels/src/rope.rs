//! `rope`: rotary position embedding (arXiv 2104.09864), Hugging Face's halves: element i is
//! rotated with element i + D/2.

use rayon::prelude::*;

use crate::math;

/// Fewest rows that a thread takes at a time.
const ROWS: usize = 16;

/// Rotates each head of `x` (N, `width`), heads of 2 x `half` values, by its row's angles: `cos`
/// and `sin` (N, `half`), the sines times `sign`.
pub fn rotate(
    x: &[f32],
    width: usize,
    cos: &[f32],
    sin: &[f32],
    half: usize,
    sign: f32,
) -> Vec<f32> {
    let mut y = x.to_vec();
    let angles = cos.par_chunks(half).zip(sin.par_chunks(half));
    y.par_chunks_mut(width)
        .zip(angles)
        .with_min_len(ROWS)
        .for_each(|(row, (cos, sin))| {
            for head in row.chunks_exact_mut(2 * half) {
                let (low, high) = head.split_at_mut(half);
                math::rotate(low, high, cos, sin, sign);
            }
        });
    y
}
