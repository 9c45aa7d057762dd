//! `rope`: rotary position embedding (arXiv 2104.09864), of the first values of each head or of
//! all. Pairs are Hugging Face's halves (element i with element i + half) or neighbours (2i with
//! 2i + 1).

use rayon::prelude::*;

use crate::math;

/// Fewest rows that a thread takes at a time.
const ROWS: usize = 16;

/// Which values of a head are rotated with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RopePairs {
    /// Element i with element i + half.
    Halves,
    /// Element 2i with element 2i + 1.
    Neighbours,
}

/// Rows of heads, and how they are rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RotatedHeads {
    /// Values of a row.
    pub width: usize,
    /// D, values of a head.
    pub size: usize,
    /// Pairs of a head; the values behind them stay.
    pub half: usize,
    /// Which values are a pair.
    pub pairs: RopePairs,
}

/// Rotates each head of `x` (N, width) by its row's angles: `cos` and `sin` (N, half), the sines
/// times `sign`.
pub fn rotate(x: &[f32], heads: &RotatedHeads, cos: &[f32], sin: &[f32], sign: f32) -> Vec<f32> {
    let RotatedHeads {
        width,
        size,
        half,
        pairs,
    } = *heads;
    assert!(2 * half <= size && width.is_multiple_of(size));
    let mut y = x.to_vec();
    let angles = cos.par_chunks(half).zip(sin.par_chunks(half));
    y.par_chunks_mut(width)
        .zip(angles)
        .with_min_len(ROWS)
        .for_each(|(row, (cos, sin))| {
            for head in row.chunks_exact_mut(size) {
                let rotated = &mut head[..2 * half];
                match pairs {
                    RopePairs::Halves => {
                        let (low, high) = rotated.split_at_mut(half);
                        math::rotate(low, high, cos, sin, sign);
                    }
                    RopePairs::Neighbours => math::rotate_pairs(rotated, cos, sin, sign),
                }
            }
        });
    y
}
