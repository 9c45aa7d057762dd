//! How the work of attention is cut and shared out: blocks of a sequence's rows for one key
//! head, longest first.

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::Heads;
use crate::rows::Rows;

/// A block of rows of one sequence, for the query heads of one key head.
#[derive(Clone, Debug)]
pub(super) struct RowBlock {
    pub(super) sequence: usize,
    pub(super) key_head: usize,
    /// First flat row.
    pub(super) row: usize,
    pub(super) rows: usize,
    /// Position of the first row.
    pub(super) position: usize,
}

impl RowBlock {
    /// Position after the last row.
    pub(super) fn end(&self) -> usize {
        self.position + self.rows
    }

    /// Keys looked at: what the time goes with.
    fn cost(&self, heads: &Heads) -> usize {
        self.rows * (self.end() - heads.visible(self.position).start)
    }

    /// The task in blocks of at most `most` rows.
    pub(super) fn blocks(&self, most: usize) -> impl Iterator<Item = RowBlock> + '_ {
        (0..self.rows).step_by(most).map(move |at| RowBlock {
            row: self.row + at,
            rows: most.min(self.rows - at),
            position: self.position + at,
            ..self.clone()
        })
    }
}

/// Rows of a block: with all query heads of a key head about six tiles.
pub(super) fn block_rows(heads: &Heads) -> usize {
    (84 / heads.group()).max(1)
}

/// Each sequence's rows in blocks of at most `most(length)` rows, each for every key head;
/// sequences outermost.
pub(super) fn cut(heads: &Heads, rows: &Rows, most: impl Fn(usize) -> usize) -> Vec<RowBlock> {
    let mut tasks = Vec::new();
    for sequence in 0..rows.sequences() {
        let range = rows.range(sequence);
        let position = rows.first_position(sequence);
        let whole = RowBlock {
            sequence,
            key_head: 0,
            row: range.start,
            rows: range.len(),
            position,
        };
        for block in whole.blocks(most(range.len())) {
            tasks.extend((0..heads.key_value).map(|key_head| RowBlock {
                key_head,
                ..block.clone()
            }));
        }
    }
    tasks
}

/// Runs every task on all threads, longest first, so that none is left with a long one at the
/// end; results in the order of the tasks.
pub(super) fn run<T: Send>(
    heads: &Heads,
    tasks: &[RowBlock],
    work: impl Fn(&RowBlock) -> T + Sync,
) -> Vec<T> {
    let mut order: Vec<usize> = (0..tasks.len()).collect();
    order.sort_by_key(|&at| std::cmp::Reverse(tasks[at].cost(heads)));
    let next = AtomicUsize::new(0);
    let mut done: Vec<(usize, T)> = (0..rayon::current_num_threads().min(tasks.len()))
        .into_par_iter()
        .with_max_len(1)
        .flat_map_iter(|_| {
            std::iter::from_fn(|| {
                let at = *order.get(next.fetch_add(1, Ordering::Relaxed))?;
                Some((at, work(&tasks[at])))
            })
        })
        .collect();
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}
