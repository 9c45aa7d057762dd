//! The softmax of a chunk of rows over the vocabulary, panel by panel, its losses and their
//! gradient: what `cross_entropy` and `divergence` share.

use std::{cell::RefCell, mem::MaybeUninit, ops::Range};

use rayon::prelude::*;

use crate::{
    math, memory,
    product::{
        self, bf16_pairs,
        call::{COLS, ROWS, Sums},
        line::{self, DEPTH, PAIRS, PairLine},
        operands::rows_of,
        panels::Panels,
        shared::SharedOutput,
        tasks::{Destination, Job, Product, RightFactor, Start, Term},
        tile,
    },
};

/// Rows whose logits are in memory at once.
pub const CHUNK: usize = 256;
/// Panels of the vocabulary whose part of a chunk's gradient is summed by one task: fixed, so
/// that the sum does not depend on the number of threads.
const SLICE: usize = 128;
/// The same in tokens.
pub const SLICE_TOKENS: usize = SLICE * COLS;
/// Elements of the vocabulary that a gradient's tile takes at a time.
const STRETCH: usize = 12 * COLS;
/// Panels of the gradient's columns that a tile is run past.
const GROUP: usize = 16;

/// The distribution that each row of a chunk should have.
#[derive(Clone, Copy)]
pub(crate) enum Wanted<'a> {
    /// One token.
    Ids(&'a [u32]),
    /// Shares of all tokens: (rows, V).
    Shares(&'a [f32]),
}

/// The softmax of a chunk's logits.
pub(crate) struct ChunkSoftmax<'a> {
    wanted: Wanted<'a>,
    panels: usize,
    /// exp(logit - the panel's maximum): (rows, V).
    exps: &'a [f32],
    /// Per row and panel: the maximum, then the sum of its exponentials.
    parts: Vec<f32>,
    /// Logit of each row's target; of shares, each panel's sum of share x logit.
    right: Vec<f32>,
    /// log sum exp of each row.
    log_sum: Vec<f64>,
}

impl<'a> ChunkSoftmax<'a> {
    /// Of `hidden` rows; `logits` has room for (rows, V). Every wanted id is below V.
    pub(crate) fn new(
        hidden: &[f32],
        head: &Panels,
        wanted: Wanted<'a>,
        logits: &'a mut [MaybeUninit<f32>],
    ) -> Self {
        let (rows, vocab) = (hidden.len() / head.inner(), head.out());
        let panels = vocab.div_ceil(COLS);
        let rights = match wanted {
            Wanted::Ids(_) => 1,
            Wanted::Shares(_) => panels,
        };
        let logits = &mut logits[..rows * vocab];
        let mut parts = memory::float_room(2 * rows * panels);
        let mut right = memory::float_room(rows * rights);
        let outputs = ChunkOutputs {
            logits: SharedOutput::new(logits, vocab),
            parts: SharedOutput::new(&mut parts, 2 * panels),
            right: SharedOutput::new(&mut right, rights),
        };
        let term = Term {
            left: rows_of(hidden, head.inner()),
            right: RightFactor::Forward(head),
        };
        product::run(&[Job {
            rows,
            cols: vocab,
            products: vec![Product {
                start: Start::Zero,
                terms: vec![term],
                out: Destination::Matrix(outputs.logits),
            }],
            after: Some(&|rows, cols, _| outputs.finish(wanted, vocab, rows, cols)),
        }]);
        // SAFETY: every rectangle of logits was written, and what belongs to it; the target of
        // each row is in one of them.
        let (exps, parts, right) = unsafe {
            (
                memory::written_part(logits),
                memory::written(parts),
                memory::written(right),
            )
        };
        let log_sum = parts
            .par_chunks(2 * panels)
            .map(|parts| log_sum_exp(parts.as_chunks().0))
            .collect();
        Self {
            wanted,
            panels,
            exps,
            parts,
            right,
            log_sum,
        }
    }

    /// Cross-entropy of each row, nats.
    pub(crate) fn losses(&self) -> impl Iterator<Item = f64> {
        let rights = self.right.len() / self.log_sum.len().max(1);
        let right = self
            .right
            .chunks(rights.max(1))
            .map(|right| right.iter().map(|&r| f64::from(r)).sum::<f64>());
        self.log_sum
            .iter()
            .zip(right)
            .map(|(log_sum, right)| log_sum - right)
    }

    /// Writes (softmax - what is wanted) x head: each slice of the vocabulary apart, then summed
    /// in their order.
    pub(crate) fn gradient(&self, head: &Panels, d_hidden: &mut [MaybeUninit<f32>]) {
        let (rows, width) = (self.log_sum.len(), head.inner());
        let slices = self.panels.div_ceil(SLICE);
        let mut sums = memory::float_room(slices * rows * width);
        sums.par_chunks_mut((rows * width).max(1))
            .enumerate()
            .for_each(|(slice, sum)| {
                let tokens = slice * SLICE_TOKENS..head.out().min((slice + 1) * SLICE_TOKENS);
                for group in (0..width.div_ceil(COLS)).step_by(GROUP) {
                    TRANSPOSED.with_borrow_mut(|transposed| {
                        self.slice_gradient(head, tokens.clone(), group, transposed, sum);
                    });
                }
            });
        // SAFETY: every slice wrote all columns of its rows.
        let sums = unsafe { memory::written(sums) };
        d_hidden
            .par_chunks_mut(width)
            .enumerate()
            .for_each(|(row, out)| {
                memory::write_copy(&sums[row * width..(row + 1) * width], out);
                // SAFETY: just written.
                let out = unsafe { memory::written_part(out) };
                for slice in 1..slices {
                    let at = (slice * rows + row) * width;
                    math::add(&sums[at..at + width], out);
                }
            });
    }

    /// `sum = p x head` of these tokens, for the columns of the panels from `group` on.
    fn slice_gradient(
        &self,
        head: &Panels,
        tokens: Range<usize>,
        group: usize,
        transposed: &mut TransposedPanels,
        sum: &mut [MaybeUninit<f32>],
    ) {
        let (rows, width) = (self.log_sum.len(), head.inner());
        let panels = group..width.div_ceil(COLS).min(group + GROUP);
        transposed.begin(head, panels.len());
        let mut p = [0.0; ROWS * STRETCH];
        for from in tokens.clone().step_by(STRETCH) {
            let to = tokens.end.min(from + STRETCH);
            transposed.take(head, panels.clone(), from..to);
            for (first, count) in tile::row_tiles(0..rows) {
                for (row, p) in (first..first + count).zip(p.chunks_exact_mut(STRETCH)) {
                    self.excess(row, head.out(), from..to, p);
                }
                transposed.round(count, to - from, &p);
                for (at, panel) in panels.clone().enumerate() {
                    let sums = transposed.multiply(count, to - from, &p, at);
                    let cols = panel * COLS..width.min((panel + 1) * COLS);
                    for (row, sums) in (first..first + count).zip(&sums) {
                        let out = &mut sum[row * width + cols.start..row * width + cols.end];
                        put_sums(out, sums, from > tokens.start);
                    }
                }
            }
        }
    }

    /// softmax - what is wanted, of a row's tokens.
    fn excess(&self, row: usize, vocab: usize, tokens: Range<usize>, p: &mut [f32]) {
        let exps = &self.exps[row * vocab..][..vocab];
        let parts = &self.parts[2 * row * self.panels..2 * (row + 1) * self.panels];
        scale_parts(
            &exps[tokens.clone()],
            &parts.as_chunks().0[tokens.start / COLS..],
            self.log_sum[row],
            p,
        );
        match self.wanted {
            Wanted::Ids(ids) => {
                let target = ids[row] as usize;
                if tokens.contains(&target) {
                    p[target - tokens.start] -= 1.0;
                }
            }
            Wanted::Shares(shares) => {
                let shares = &shares[row * vocab..][tokens];
                p.iter_mut().zip(shares).for_each(|(p, share)| *p -= share);
            }
        }
    }
}

/// Writes the sums of a row of a tile, or adds them to those that were written before.
#[inline(always)]
fn put_sums(out: &mut [MaybeUninit<f32>], sums: &[f32], add: bool) {
    for (out, &sum) in out.iter_mut().zip(sums) {
        if add {
            // SAFETY: the first stretch of tokens wrote it.
            unsafe { *out.assume_init_mut() += sum };
        } else {
            out.write(sum);
        }
    }
}

/// What the tasks of a chunk's product write.
struct ChunkOutputs<'a> {
    logits: SharedOutput<'a>,
    parts: SharedOutput<'a>,
    right: SharedOutput<'a>,
}

impl ChunkOutputs<'_> {
    /// Makes exponentials of a finished rectangle of logits, and keeps what belongs to it.
    fn finish(&self, wanted: Wanted<'_>, vocab: usize, rows: Range<usize>, cols: Range<usize>) {
        let (first, panels) = (cols.start / COLS, cols.len().div_ceil(COLS));
        for row in rows {
            // SAFETY: a job's rectangle is handed to one caller alone, and so is what belongs to
            // it: its panels' parts and sums, and the target's logit where the target is one of
            // its columns. The product wrote its logits.
            unsafe {
                let piece = self.logits.piece(row, cols.start, cols.len());
                match wanted {
                    Wanted::Ids(ids) => {
                        let target = ids[row] as usize;
                        if cols.contains(&target) {
                            self.right.room(row, 0, 1)[0].write(piece[target - cols.start]);
                        }
                    }
                    Wanted::Shares(shares) => {
                        let shares = shares[row * vocab..][cols.clone()].chunks(COLS);
                        let right = self.right.room(row, first, panels);
                        for ((sum, logits), shares) in
                            right.iter_mut().zip(piece.chunks(COLS)).zip(shares)
                        {
                            sum.write(math::dot(logits, shares));
                        }
                    }
                }
                let parts = self.parts.room(row, 2 * first, 2 * panels);
                for (values, part) in piece.chunks_mut(COLS).zip(parts.as_chunks_mut().0) {
                    *part = split_panel(values).map(MaybeUninit::new);
                }
            }
        }
    }
}

thread_local! {
    static TRANSPOSED: RefCell<TransposedPanels> = RefCell::default();
}

/// Panels of a head transposed, [`STRETCH`] tokens of each, as a gradient's tiles are multiplied
/// with them. Each thread keeps its own.
#[derive(Default)]
struct TransposedPanels {
    /// Whether dot instructions multiply them: then they are pairs along the tokens, and rows are
    /// rounded.
    by_dots: bool,
    floats: Vec<f32>,
    pairs: Vec<PairLine>,
    rows: Vec<PairLine>,
}

impl TransposedPanels {
    /// Makes room for so many panels.
    fn begin(&mut self, head: &Panels, panels: usize) {
        self.by_dots = head.is_for_dots();
        if self.by_dots {
            let lines = self.pairs.len().max(panels * STRETCH);
            self.pairs.resize(lines, PairLine::default());
            self.rows
                .resize(ROWS * STRETCH / DEPTH, PairLine::default());
        } else {
            let floats = self.floats.len().max(panels * STRETCH * COLS);
            self.floats.resize(floats, 0.0);
        }
    }

    fn take(&mut self, head: &Panels, which: Range<usize>, tokens: Range<usize>) {
        if !self.by_dots {
            let room = STRETCH * COLS;
            return head.backward(which, tokens.start, tokens.end, room, &mut self.floats);
        }
        head.backward_lines(which, tokens, STRETCH, &mut self.pairs);
    }

    /// Rounds `depth` values of `count` rows, [`STRETCH`] apart, if that is how they are
    /// multiplied.
    fn round(&mut self, count: usize, depth: usize, p: &[f32]) {
        if !self.by_dots {
            return;
        }
        let rows = p
            .chunks_exact(STRETCH)
            .zip(self.rows.chunks_exact_mut(STRETCH / DEPTH));
        for (values, lines) in rows.take(count) {
            bf16_pairs::round_again(&values[..depth], lines);
        }
    }

    /// `count` rows by panel `at`, over the first `depth` tokens.
    fn multiply(&self, count: usize, depth: usize, p: &[f32], at: usize) -> Sums {
        let mut sums: Sums = [[0.0; COLS]; ROWS];
        if self.by_dots {
            let panel = line::flat(&self.pairs[at * STRETCH..(at + 1) * STRETCH]);
            let (rows, stride) = (line::flat(&self.rows), STRETCH / DEPTH * PAIRS);
            tile::dot(count, depth.div_ceil(2), rows, stride, panel, &mut sums);
        } else {
            let panel = &self.floats[at * STRETCH * COLS..];
            tile::multiply(count, depth, rows_of(p, STRETCH), panel, &mut sums);
        }
        sums
    }
}

/// Puts exp(logit - the panel's maximum) in the place of each logit of a panel; returns its
/// maximum and their sum.
pub(crate) fn split_panel(values: &mut [f32]) -> [f32; 2] {
    let max = math::max(values);
    [max, math::exp_sum(values, max)]
}

/// Probabilities from what [`split_panel`] made of logits whose log sum exp is `log_sum`.
pub(crate) fn scale_parts(exps: &[f32], parts: &[[f32; 2]], log_sum: f64, p: &mut [f32]) {
    for ((exps, p), part) in exps.chunks(COLS).zip(p.chunks_mut(COLS)).zip(parts) {
        let factor = (f64::from(part[0]) - log_sum).exp() as f32;
        for (p, e) in p.iter_mut().zip(exps) {
            *p = e * factor;
        }
    }
}

/// log sum exp from each panel's maximum and sum.
pub(crate) fn log_sum_exp(parts: &[[f32; 2]]) -> f64 {
    let max = parts
        .iter()
        .fold(f32::NEG_INFINITY, |max, part| max.max(part[0]));
    let total: f64 = parts
        .iter()
        .map(|part| f64::from(part[1]) * f64::from(math::exp(part[0] - max)))
        .sum();
    f64::from(max) + total.ln()
}
