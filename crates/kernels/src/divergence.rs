//! `divergence`: Kullback-Leibler divergence of what hidden rows x lm_head say from wanted
//! distributions, and its gradient, in chunks of rows as in [`super::cross_entropy`].

use rayon::prelude::*;

use crate::{
    chunk_softmax::{CHUNK, ChunkSoftmax, LogitCap, Wanted, log_sum_exp, scale_parts, split_panel},
    math, memory,
    product::{call::COLS, panels::Panels},
};

/// Columns of a mean that are summed by one task.
const COLUMNS: usize = 1024;

/// Softmax of each row of `logits` (N, V), and its entropy, nats.
pub fn distributions(logits: &[f32], vocab: usize) -> (Vec<f32>, Vec<f64>) {
    let mut values = logits.to_vec();
    let entropies = values.par_chunks_mut(vocab.max(1)).map(normalise).collect();
    (values, entropies)
}

/// Mean of distributions (N, V): (V). Columns are summed apart, in the order of the rows.
pub fn mean(shares: &[f32], vocab: usize) -> Vec<f32> {
    let rows = shares.len() / vocab.max(1);
    let mut mean = vec![0.0f32; vocab];
    mean.par_chunks_mut(COLUMNS)
        .enumerate()
        .for_each(|(part, mean)| {
            for row in 0..rows {
                let start = row * vocab + part * COLUMNS;
                math::add(&shares[start..start + mean.len()], mean);
            }
            mean.iter_mut().for_each(|sum| *sum /= rows as f32);
        });
    mean
}

/// Softmax of a row in its place; returns its entropy.
fn normalise(row: &mut [f32]) -> f64 {
    let logits = row.to_vec();
    let mut exps = logits.clone();
    let parts: Vec<[f32; 2]> = exps.chunks_mut(COLS).map(split_panel).collect();
    let log_sum = log_sum_exp(&parts);
    scale_parts(&exps, &parts, log_sum, row);
    // As a cross-entropy is summed, so that a distribution's divergence from itself is 0.
    let panels = logits.chunks(COLS).zip(row.chunks(COLS));
    log_sum
        - panels
            .map(|(logits, shares)| f64::from(math::dot(logits, shares)))
            .sum::<f64>()
}

/// Of `hidden` (N, E), `head` (V, E), and the wanted `shares` (N, V) with their `entropies` (N):
/// the sum over the vocabulary of p (log p - log q) of each row, nats, p being wanted and q that
/// of the row, whose logits are capped where `cap` says so; and the gradient of all rows' sum by
/// the rows (N, E) if asked for.
pub fn forward_backward(
    hidden: &[f32],
    head: &Panels,
    shares: &[f32],
    entropies: &[f64],
    cap: Option<LogitCap<'_>>,
    with_gradient: bool,
) -> (Vec<f64>, Option<Vec<f32>>) {
    let (rows, width, vocab) = (entropies.len(), head.inner(), head.out());
    assert!(hidden.len() == rows * width && shares.len() == rows * vocab);
    let mut d_hidden = with_gradient.then(|| memory::float_room(rows * width));
    let mut each = Vec::with_capacity(rows);
    let mut logits = memory::float_room(CHUNK.min(rows) * vocab);
    for start in (0..rows).step_by(CHUNK) {
        let chunk = start..rows.min(start + CHUNK);
        let wanted = Wanted::Shares(&shares[chunk.start * vocab..chunk.end * vocab]);
        let part = chunk.start * width..chunk.end * width;
        let softmax = ChunkSoftmax::new(&hidden[part.clone()], head, wanted, cap, &mut logits);
        each.extend(
            softmax
                .losses()
                .zip(&entropies[chunk])
                .map(|(loss, entropy)| loss - entropy),
        );
        if let Some(d) = &mut d_hidden {
            softmax.gradient(head, &mut d[part]);
        }
    }
    // SAFETY: the chunks are all rows, and each wrote its gradient.
    (each, d_hidden.map(|d| unsafe { memory::written(d) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_is_of_every_column() {
        let vocab = 2 * COLUMNS + 3;
        let shares: Vec<f32> = (0..4 * vocab)
            .map(|at| (at % vocab) as f32 + [0.0, 8.0, -4.0, 0.0][at / vocab])
            .collect();
        let want: Vec<f32> = (0..vocab).map(|column| column as f32 + 1.0).collect();
        assert_eq!(mean(&shares, vocab), want);
        assert_eq!(mean(&[], 0), Vec::<f32>::new());
    }
}
