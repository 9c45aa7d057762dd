//! Forward on the CPU: one task per sequence, key head and block of rows, the heads of a group
//! together.
//!
//! A row's scores are weighed in stretches of [`STRETCH`] positions, counted from position 0,
//! and its values summed up in the order of positions, however they are cut. So its result has
//! the same bits whichever of the rows before it are the shared prefix, an ancestor or its own
//! sequence.

use std::{cell::RefCell, ops::Range};

use candle_core::Tensor;

use super::{
    Heads, LayerKv,
    packs::{self, BLOCK, Span},
    tasks::{self, Task},
};
use crate::{
    error::Result,
    ops::cpu::{
        gemm::{Order, Out, Packed, Shared},
        math,
        tile::{Left, Write},
        view::{self, View},
    },
    rows::Rows,
};

/// Positions whose scores are in memory at once; whole blocks.
const STRETCH: usize = 4 * BLOCK;

/// Keys (D, n) and values (n, D) of a shared prefix, one of each per key head.
pub(super) struct PackedKv {
    keys: Vec<Packed>,
    values: Vec<Packed>,
}

impl PackedKv {
    /// Packs (P, G · D) keys and values.
    pub(super) fn new(heads: &Heads, kv: &LayerKv) -> Result<Self> {
        let rows = Rows::new([kv.k.dims2()?.0], 0);
        let (k, v) = (
            View::<f32>::new(&kv.k, "prefix k")?,
            View::<f32>::new(&kv.v, "prefix v")?,
        );
        Ok(Self {
            keys: packs::pack(heads, &rows, k.slice(), &[], Order::Transposed),
            values: packs::pack(heads, &rows, v.slice(), &[], Order::Plain),
        })
    }
}

/// What all tasks read.
struct Inputs<'a> {
    heads: &'a Heads,
    contexts: Vec<Vec<Span>>,
    keys: Vec<Packed>,
    values: Vec<Packed>,
    prefix: Option<&'a PackedKv>,
}

impl Inputs<'_> {
    fn keys(&self, task: &Task, span: &Span) -> &Packed {
        span.pack(
            self.heads,
            task.key_head,
            &self.keys,
            self.prefix.map_or(&[], |p| &p.keys),
        )
    }

    fn values(&self, task: &Task, span: &Span) -> &Packed {
        span.pack(
            self.heads,
            task.key_head,
            &self.values,
            self.prefix.map_or(&[], |p| &p.values),
        )
    }
}

/// Of `q` (N, H · D), `k`, `v` (N, G · D): the output (N, H · D) and the log-sum-exp of the
/// scores (N, H).
pub(super) fn forward(
    heads: &Heads,
    rows: &Rows,
    [q, k, v]: [&Tensor; 3],
    prefix: Option<&LayerKv>,
    packed: Option<&PackedKv>,
) -> Result<(Tensor, Tensor)> {
    let (n, width) = q.dims2()?;
    let view = |x, op| View::<f32>::new(x, op);
    let (qs, ks, vs) = (
        view(q, "attend q")?,
        view(k, "attend k")?,
        view(v, "attend v")?,
    );
    let before = prefix
        .map(|p| Ok::<_, crate::ModelError>((view(&p.k, "prefix k")?, view(&p.v, "prefix v")?)));
    let before = before.transpose()?;
    let (before_k, before_v) = before
        .as_ref()
        .map_or((&[][..], &[][..]), |(k, v)| (k.slice(), v.slice()));
    let inputs = Inputs {
        heads,
        contexts: packs::contexts(rows),
        keys: packs::pack(heads, rows, ks.slice(), before_k, Order::Transposed),
        values: packs::pack(heads, rows, vs.slice(), before_v, Order::Plain),
        prefix: packed,
    };
    let (mut out, mut log_sum) = (view::unfilled(n * width), view::unfilled(n * heads.query));
    let (out_pieces, sum_pieces) = (
        Shared::new(&mut out, width),
        Shared::new(&mut log_sum, heads.query),
    );
    let (group, most) = (heads.group(), tasks::block_rows(heads));
    tasks::run(heads, &tasks::cut(heads, rows, |_| most), |task| {
        STATE.with_borrow_mut(|state| {
            attend_block(&inputs, task, qs.slice(), state);
            for i in 0..task.rows {
                // SAFETY: this task alone owns these rows of this group of heads.
                let (piece, sums) = unsafe {
                    let first = task.key_head * group;
                    (
                        out_pieces.piece(task.row + i, first * heads.size, group * heads.size),
                        sum_pieces.piece(task.row + i, first, group),
                    )
                };
                state.finish(i * group, heads.size, piece, sums);
            }
        });
    });
    Ok((
        view::tensor(out, (n, width))?,
        view::tensor(log_sum, (n, heads.query))?,
    ))
}

thread_local! {
    static STATE: RefCell<State> = const { RefCell::new(State::new()) };
}

/// Online softmax of a block, one line per row and head: the heads of a row one after another.
/// Reused by every task of a thread.
struct State {
    /// Scaled queries: (lines, D).
    queries: Vec<f32>,
    /// (lines, [`STRETCH`])
    scores: Vec<f32>,
    max: Vec<f32>,
    total: Vec<f32>,
    /// Unnormalised sums of values: (lines, D).
    sums: Vec<f32>,
}

impl State {
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
    fn begin(&mut self, heads: &Heads, task: &Task, q: &[f32]) {
        let (group, lines) = (heads.group(), task.rows * heads.group());
        self.queries.clear();
        for row in task.row..task.row + task.rows {
            let at = (row * heads.query + task.key_head * group) * heads.size;
            self.queries
                .extend_from_slice(&q[at..at + group * heads.size]);
        }
        math::scale(&mut self.queries, heads.scale());
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
    fn finish(&self, line: usize, size: usize, out: &mut [f32], sums: &mut [f32]) {
        for (line, (out, sum)) in (line..).zip(out.chunks_exact_mut(size).zip(sums)) {
            let inverse = 1.0 / self.total[line];
            for (o, a) in out.iter_mut().zip(&self.sums[line * size..]) {
                *o = a * inverse;
            }
            *sum = self.max[line] + self.total[line].ln();
        }
    }

    /// Turns a line's scores of the positions from `first` on into weights relative to its
    /// running maximum; keys that it does not see get weight 0.
    fn weigh(&mut self, line: usize, size: usize, seen: Range<usize>, keys: Range<usize>) {
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
        let max = self.max[line].max(math::max(visible));
        let shrink = math::exp(self.max[line] - max);
        self.total[line] = self.total[line] * shrink + math::exp_sum(visible, max);
        if shrink != 1.0 {
            math::scale(&mut self.sums[line * size..(line + 1) * size], shrink);
        }
        self.max[line] = max;
    }
}

fn attend_block(inputs: &Inputs<'_>, task: &Task, q: &[f32], state: &mut State) {
    let heads = inputs.heads;
    let (group, size) = (heads.group(), heads.size);
    let lines = task.rows * group;
    let context = &inputs.contexts[task.sequence];
    state.begin(heads, task, q);
    let first_block = heads.visible(task.position).start / BLOCK * BLOCK;
    for stretch in (first_block / STRETCH * STRETCH..task.end()).step_by(STRETCH) {
        let keys = first_block.max(stretch)..task.end().min(stretch + STRETCH);
        for (span, part) in packs::overlaps(context, &keys) {
            let left = Left {
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
                size,
                heads.visible(task.position + line / group),
                keys.clone(),
            );
        }
        for (span, part) in packs::overlaps(context, &keys) {
            let left = Left {
                values: &state.scores[part.start - keys.start..],
                row_stride: STRETCH,
                depth_stride: 1,
            };
            // A sum of many pieces is continued, so that it does not tell where spans meet.
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
