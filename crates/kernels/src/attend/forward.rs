//! Forward on the CPU: one task per sequence, key head and block of rows, the heads of a group
//! together.
//!
//! A row's scores are weighed in stretches of [`STRETCH`] positions, counted from position 0,
//! and its values summed up in the order of positions, however they are cut. So its result has
//! the same bits whichever of the rows before it are the shared prefix, an ancestor or its own
//! sequence.

use std::{cell::RefCell, mem::MaybeUninit, ops::Range};

use super::{
    Heads,
    blocks::{self, RowBlock},
    packs::{self, BLOCK, Span},
};
use crate::{
    math, memory,
    product::{
        call::Write,
        operands::{LeftOperand, Order},
        packed::{Out, Packed},
        shared::SharedOutput,
    },
    rows::Rows,
};

/// Positions whose scores are in memory at once; whole blocks.
const STRETCH: usize = 4 * BLOCK;

/// Keys (D, n) and values (n, D) of a shared prefix, one of each per key head.
pub struct PackedPrefix {
    keys: Vec<Packed>,
    values: Vec<Packed>,
}

impl PackedPrefix {
    /// Packs keys and values, each (P, G · D), of `rows` rows.
    pub fn new(heads: &Heads, rows: usize, k: &[f32], v: &[f32]) -> Self {
        let rows = Rows::new([rows], 0);
        Self {
            keys: packs::pack(heads, &rows, k, &[], Order::Transposed),
            values: packs::pack(heads, &rows, v, &[], Order::Plain),
        }
    }
}

/// A shared prefix: keys and values (P, G · D), and the same packed.
#[derive(Clone, Copy)]
pub struct PrefixKv<'a> {
    /// Keys, after their rotation.
    pub k: &'a [f32],
    /// Values.
    pub v: &'a [f32],
    /// Both, packed.
    pub packed: &'a PackedPrefix,
}

/// The result of [`forward`].
pub struct Attended {
    /// (N, H · D)
    pub out: Vec<f32>,
    /// log sum exp of each row's scores, for backward: (N, H)
    pub log_sum: Vec<f32>,
}

/// What all tasks read.
struct ForwardInputs<'a> {
    heads: &'a Heads,
    contexts: Vec<Vec<Span>>,
    keys: Vec<Packed>,
    values: Vec<Packed>,
    prefix: Option<&'a PackedPrefix>,
}

impl ForwardInputs<'_> {
    fn keys(&self, task: &RowBlock, span: &Span) -> &Packed {
        span.pack(
            self.heads,
            task.key_head,
            &self.keys,
            self.prefix.map_or(&[], |p| &p.keys),
        )
    }

    fn values(&self, task: &RowBlock, span: &Span) -> &Packed {
        span.pack(
            self.heads,
            task.key_head,
            &self.values,
            self.prefix.map_or(&[], |p| &p.values),
        )
    }
}

/// Of `q` (N, H · D), `k`, `v` (N, G · D), all after rotation.
pub fn forward(
    heads: &Heads,
    rows: &Rows,
    q: &[f32],
    k: &[f32],
    v: &[f32],
    prefix: Option<PrefixKv<'_>>,
) -> Attended {
    heads.check(rows.len(), q, k, v);
    let (before_k, before_v) = prefix.map_or((&[][..], &[][..]), |prefix| (prefix.k, prefix.v));
    let inputs = ForwardInputs {
        heads,
        contexts: packs::contexts(rows),
        keys: packs::pack(heads, rows, k, before_k, Order::Transposed),
        values: packs::pack(heads, rows, v, before_v, Order::Plain),
        prefix: prefix.map(|prefix| prefix.packed),
    };
    let (n, width, group) = (rows.len(), heads.query * heads.size, heads.group());
    let (mut out, mut log_sum) = (
        memory::float_room(n * width),
        memory::float_room(n * heads.query),
    );
    let (out_pieces, sum_pieces) = (
        SharedOutput::new(&mut out, width),
        SharedOutput::new(&mut log_sum, heads.query),
    );
    let most = blocks::block_rows(heads);
    blocks::run(heads, &blocks::cut(heads, rows, |_| most), |task| {
        STATE.with_borrow_mut(|state| {
            attend_block(&inputs, task, q, state);
            for i in 0..task.rows {
                let (row, first) = (task.row + i, task.key_head * group);
                // SAFETY: this task alone owns these rows of this group of heads.
                let (piece, sums) = unsafe {
                    (
                        out_pieces.room(row, first * heads.size, group * heads.size),
                        sum_pieces.room(row, first, group),
                    )
                };
                state.finish(i * group, heads.size, piece, sums);
            }
        });
    });
    // SAFETY: the tasks are all rows of all heads, and each wrote its own.
    unsafe {
        Attended {
            out: memory::written(out),
            log_sum: memory::written(log_sum),
        }
    }
}

thread_local! {
    static STATE: RefCell<BlockState> = const { RefCell::new(BlockState::new()) };
}

/// Online softmax of a block, one line per row and head: the heads of a row one after another.
/// Reused by every task of a thread.
struct BlockState {
    /// Scaled queries: (lines, D).
    queries: Vec<f32>,
    /// (lines, [`STRETCH`])
    scores: Vec<f32>,
    max: Vec<f32>,
    total: Vec<f32>,
    /// Unnormalised sums of values: (lines, D).
    sums: Vec<f32>,
}

impl BlockState {
    const fn new() -> Self {
        Self {
            queries: Vec::new(),
            scores: Vec::new(),
            max: Vec::new(),
            total: Vec::new(),
            sums: Vec::new(),
        }
    }

    /// Takes up the queries of a block; scores keep what was there.
    fn begin(&mut self, heads: &Heads, task: &RowBlock, q: &[f32]) {
        let (group, lines) = (heads.group(), task.rows * heads.group());
        self.queries.clear();
        for row in task.row..task.row + task.rows {
            let at = (row * heads.query + task.key_head * group) * heads.size;
            self.queries
                .extend_from_slice(&q[at..at + group * heads.size]);
        }
        math::scale(&mut self.queries, heads.scores.scale);
        self.scores.resize(lines * STRETCH, 0.0);
        for (values, count, start) in [
            (&mut self.max, lines, f32::NEG_INFINITY),
            (&mut self.total, lines, 0.0),
            (&mut self.sums, lines * heads.size, 0.0),
        ] {
            values.clear();
            values.resize(count, start);
        }
    }

    /// Writes the outputs of the lines from `line` on that `sums` has room for, and their
    /// log-sum-exp.
    fn finish(
        &self,
        line: usize,
        size: usize,
        out: &mut [MaybeUninit<f32>],
        sums: &mut [MaybeUninit<f32>],
    ) {
        for (line, (out, sum)) in (line..).zip(out.chunks_exact_mut(size).zip(sums)) {
            let inverse = 1.0 / self.total[line];
            for (o, a) in out.iter_mut().zip(&self.sums[line * size..]) {
                o.write(a * inverse);
            }
            sum.write(self.max[line] + self.total[line].ln());
        }
    }

    /// Makes weights of a line's scores of the positions from `first` on, relative to its
    /// running maximum; keys that it does not see get weight 0.
    fn weigh(&mut self, line: usize, heads: &Heads, seen: Range<usize>, keys: Range<usize>) {
        let size = heads.size;
        let scores = &mut self.scores[line * STRETCH..][..keys.len()];
        let from = seen.start.saturating_sub(keys.start).min(keys.len());
        let to = seen
            .end
            .saturating_sub(keys.start)
            .min(keys.len())
            .max(from);
        scores[..from].fill(0.0);
        scores[to..].fill(0.0);
        if from == to {
            return;
        }
        let visible = &mut scores[from..to];
        if let Some(cap) = heads.scores.soft_cap {
            math::soft_cap(visible, 1.0, cap);
        }
        let max = self.max[line].max(math::max(visible));
        let shrink = math::exp(self.max[line] - max);
        self.total[line] = self.total[line] * shrink + math::exp_sum(visible, max);
        if shrink != 1.0 {
            math::scale(&mut self.sums[line * size..(line + 1) * size], shrink);
        }
        self.max[line] = max;
    }
}

fn attend_block(inputs: &ForwardInputs<'_>, task: &RowBlock, q: &[f32], state: &mut BlockState) {
    let heads = inputs.heads;
    let (group, size) = (heads.group(), heads.size);
    let lines = task.rows * group;
    let context = &inputs.contexts[task.sequence];
    state.begin(heads, task, q);
    let first_block = heads.visible(task.position).start / BLOCK * BLOCK;
    for stretch in (first_block / STRETCH * STRETCH..task.end()).step_by(STRETCH) {
        let keys = first_block.max(stretch)..task.end().min(stretch + STRETCH);
        for (span, part) in packs::overlaps(context, &keys) {
            let left = LeftOperand {
                values: &state.queries,
                row_stride: size,
                depth_stride: 1,
            };
            let values = &mut state.scores[part.start - keys.start..];
            let columns = part.start - span.start..part.end - span.start;
            inputs.keys(task, span).multiply(
                lines,
                left,
                0..size,
                columns,
                &mut Out {
                    values,
                    stride: STRETCH,
                    write: Write::Set,
                },
            );
        }
        for line in 0..lines {
            state.weigh(
                line,
                heads,
                heads.visible(task.position + line / group),
                keys.clone(),
            );
        }
        for (span, part) in packs::overlaps(context, &keys) {
            let left = LeftOperand {
                values: &state.scores[part.start - keys.start..],
                row_stride: STRETCH,
                depth_stride: 1,
            };
            // A sum of many pieces is continued, so that it is the same wherever spans meet.
            let mut out = Out {
                values: &mut state.sums,
                stride: size,
                write: Write::Continue,
            };
            let depths = part.start - span.start..part.end - span.start;
            inputs
                .values(task, span)
                .multiply(lines, left, depths, 0..size, &mut out);
        }
    }
}
