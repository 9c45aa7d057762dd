//! Rows rounded to bf16 for the terms of products that dot instructions compute: once for all
//! terms that read the same rows, before the tasks that share them. Never here: the products.

use std::sync::Arc;

use rayon::prelude::*;

use super::{
    bf16_pairs::round,
    line::{self, DEPTH, PAIRS, PairLine},
    tasks::{Job, RightFactor, Term},
};
use crate::memory;

/// Fewest values that a thread rounds at a time.
const SHARE: usize = 1 << 14;

/// Rows in pairs of neighbours; each begins a line, and what its last line has left is 0.
#[derive(Clone)]
pub(super) struct RoundedRows {
    lines: Arc<Vec<PairLine>>,
    /// Lines of a row.
    width: usize,
}

impl RoundedRows {
    /// Of `rows` rows of `depth` values, `stride` apart.
    fn new(values: &[f32], stride: usize, rows: usize, depth: usize) -> Self {
        let width = depth.div_ceil(DEPTH);
        let mut lines = memory::room(rows * width, line::UNWRITTEN);
        let rounded = lines
            .par_chunks_mut(width.max(1))
            .with_min_len((SHARE / depth.max(1)).max(1))
            .enumerate();
        rounded.for_each(|(row, lines)| round(&values[row * stride..][..depth], lines));
        // SAFETY: `round` wrote the lines of every row.
        let lines = unsafe { memory::written(lines) };
        Self {
            lines: Arc::new(lines),
            width,
        }
    }

    /// The pairs from those of `row` and element `depth` on, a multiple of [`DEPTH`].
    pub(super) fn from(&self, row: usize, depth: usize) -> &[u32] {
        line::flat(&self.lines[row * self.width + depth / DEPTH..])
    }

    /// Pairs from a row to the next.
    pub(super) fn stride(&self) -> usize {
        self.width * PAIRS
    }
}

/// For each job, and for each of its products in turn as many as the longest of them has terms:
/// the rows of those terms that dot instructions compute.
pub(super) fn prepare(jobs: &[Job<'_>]) -> Vec<Vec<Option<RoundedRows>>> {
    let mut known: Vec<(RowsKey, RoundedRows)> = Vec::new();
    jobs.iter()
        .map(|job| {
            let most = job.most_terms();
            let terms = job
                .products
                .iter()
                .flat_map(|product| (0..most).map(|at| product.terms.get(at)));
            terms
                .map(|term| prepare_term(job.rows, term?, &mut known))
                .collect()
        })
        .collect()
}

/// Identifies rows: their first value, their distance, how many, how deep.
type RowsKey = (*const f32, usize, usize, usize);

/// `known`: what earlier terms rounded.
fn prepare_term(
    rows: usize,
    term: &Term<'_>,
    known: &mut Vec<(RowsKey, RoundedRows)>,
) -> Option<RoundedRows> {
    let (panels, depth) = match term.right {
        RightFactor::Forward(panels) => (panels, panels.inner()),
        RightFactor::Backward(panels) => (panels, panels.out()),
        RightFactor::Values(_) => return None,
    };
    if !panels.is_for_dots() {
        return None;
    }
    let left = &term.left;
    let place = (left.values.as_ptr(), left.row_stride, rows, depth);
    if let Some((_, rounded)) = known.iter().find(|(known, _)| *known == place) {
        return Some(rounded.clone());
    }
    let rounded = RoundedRows::new(left.values, left.row_stride, rows, depth);
    known.push((place, rounded.clone()));
    Some(rounded)
}

#[cfg(test)]
mod tests {
    use half::bf16;

    use super::*;

    /// Every value is where its row has it, rounded; the rest is 0.
    #[test]
    fn rows_are_rounded() {
        for (rows, depth, stride) in [
            (1, 1, 1),
            (5, 31, 40),
            (16, 32, 32),
            (33, 70, 71),
            (2, 96, 96),
            (700, 40, 40),
        ] {
            let values: Vec<f32> = (0..rows * stride)
                .map(|i| ((i * 7919 % 10_007) as f32 - 5000.0) / 77.0)
                .collect();
            let rounded = RoundedRows::new(&values, stride, rows, depth);
            for row in 0..rows {
                for at in 0..depth.next_multiple_of(DEPTH) {
                    let pair = rounded.from(row, at / DEPTH * DEPTH)[at % DEPTH / 2];
                    let got = if at % 2 == 0 {
                        line::halves(pair).0
                    } else {
                        line::halves(pair).1
                    };
                    let want = if at < depth {
                        bf16::from_f32(values[row * stride + at]).to_f32()
                    } else {
                        0.0
                    };
                    assert_eq!(got, want, "{rows} x {depth}: {row}, {at}");
                }
            }
        }
    }
}
