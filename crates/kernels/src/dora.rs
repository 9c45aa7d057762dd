//! `dora`: the outputs of a projection, each times a factor of its own (arXiv 2402.09353, Eq. 5).

use rayon::prelude::*;

use crate::{math, memory};

/// Fewest rows that a thread takes at a time.
const ROWS: usize = 16;
/// Outputs whose gradients one thread sums.
const COLUMNS: usize = 64;

/// `product` (N, out) · `factor` (out) + `bias` (out) + `residual` (N, out) -> (N, out).
pub fn forward(
    product: &[f32],
    factor: &[f32],
    bias: Option<&[f32]>,
    residual: Option<&[f32]>,
) -> Vec<f32> {
    let width = factor.len();
    assert!(product.len().is_multiple_of(width) && bias.is_none_or(|bias| bias.len() == width));
    assert!(residual.is_none_or(|residual| residual.len() == product.len()));
    let mut y = memory::float_room(product.len());
    y.par_chunks_mut(width)
        .zip(product.par_chunks(width))
        .enumerate()
        .with_min_len(ROWS)
        .for_each(|(row, (y, product))| {
            math::product(product, factor, y);
            // SAFETY: the products are as long as the row.
            let y = unsafe { memory::written_part(y) };
            let residual = residual.map(|all| &all[row * width..(row + 1) * width]);
            for more in [bias, residual].into_iter().flatten() {
                math::add(more, y);
            }
        });
    // SAFETY: every row was written.
    unsafe { memory::written(y) }
}

/// Gradients of the product, `dy` · `factor` (N, out), and of the factor, the sum over rows of
/// `dy` · `product` (out), row after row.
pub fn backward(product: &[f32], factor: &[f32], dy: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let width = factor.len();
    assert!(product.len().is_multiple_of(width) && dy.len() == product.len());
    let mut d_product = memory::float_room(product.len());
    d_product
        .par_chunks_mut(width)
        .zip(dy.par_chunks(width))
        .with_min_len(ROWS)
        .for_each(|(d_product, dy)| math::product(dy, factor, d_product));
    let mut d_factor = vec![0.0f32; width];
    d_factor
        .par_chunks_mut(COLUMNS)
        .enumerate()
        .for_each(|(chunk, sums)| {
            let columns = chunk * COLUMNS..chunk * COLUMNS + sums.len();
            let rows = dy.chunks_exact(width).zip(product.chunks_exact(width));
            for (dy, product) in rows {
                let pairs = dy[columns.clone()].iter().zip(&product[columns.clone()]);
                for (sum, (dy, p)) in sums.iter_mut().zip(pairs) {
                    *sum += dy * p;
                }
            }
        });
    // SAFETY: every row was written.
    (unsafe { memory::written(d_product) }, d_factor)
}
