//! `add`: the residual stream's sum.

use rayon::prelude::*;

/// Fewest values that a thread takes at a time.
const SHARE: usize = 8192;

/// `a` + `b`, of one length.
pub fn forward(a: &[f32], b: &[f32]) -> Vec<f32> {
    assert_eq!(a.len(), b.len());
    a.par_iter()
        .zip(b)
        .with_min_len(SHARE)
        .map(|(a, b)| a + b)
        .collect()
}

/// `a` + `factor` · `b`, of one length.
pub fn forward_scaled(a: &[f32], b: &[f32], factor: f32) -> Vec<f32> {
    assert_eq!(a.len(), b.len());
    a.par_iter()
        .zip(b)
        .with_min_len(SHARE)
        .map(|(a, b)| a + factor * b)
        .collect()
}
