//! Forward on the CPU: one task per sequence, key head and block of rows; keys and values packed once per call.

use candle_core::Tensor;
use rayon::prelude::*;

use super::{Heads, LayerKv};
use crate::{
    error::Result,
    ops::cpu::{
        gemm::{Out, Packed, Right, Shared, Values},
        math,
        tile::Left,
        view::{self, View},
    },
    rows::Rows,
};

/// Query rows of a task: four tiles.
pub(super) const QUERY_BLOCK: usize = 56;
/// Keys whose scores are in memory at once; whole panels.
const KEY_BLOCK: usize = 256;

/// Keys (D, n) and values (n, D) of a run of rows for one key head, packed for the tile.
struct Context {
    keys: Packed,
    values: Packed,
}

/// A stretch of keys that a row sees part of.
struct Segment<'a> {
    context: &'a Context,
    /// Keys of the context that are seen at all.
    length: usize,
    /// Position of the first key.
    position: usize,
}

pub(super) fn forward(
    heads: &Heads,
    rows: &Rows,
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    prefix: Option<&LayerKv>,
) -> Result<(Tensor, Tensor)> {
    let (n, width) = q.dims2()?;
    let (qs, ks, vs) =
        (View::<f32>::new(q, "attend q")?, View::<f32>::new(k, "attend k")?, View::<f32>::new(v, "attend v")?);
    let own = pack(heads, ks.slice(), vs.slice(), &(0..rows.sequences()).map(|s| rows.range(s)).collect::<Vec<_>>());
    let shared = match prefix {
        None => Vec::new(),
        Some(kv) => {
            let (ks, vs) = (View::<f32>::new(&kv.k, "prefix k")?, View::<f32>::new(&kv.v, "prefix v")?);
            #[allow(clippy::single_range_in_vec_init)]
            pack(heads, ks.slice(), vs.slice(), &[0..rows.prefix()])
        }
    };
    let (mut out, mut log_sum) = (vec![0.0; n * width], vec![0.0; n * heads.query]);
    let out_pieces = Shared::new(&mut out, width);
    let sum_pieces = Shared::new(&mut log_sum, heads.query);
    tasks(heads, rows).into_par_iter().for_each(|task| {
        let segments = segments(rows, &task, heads, &shared, &own);
        for head in task.key_head * heads.group()..(task.key_head + 1) * heads.group() {
            let left = Left {
                values: &qs.slice()[task.row * width + head * heads.size..],
                row_stride: width,
                depth_stride: 1,
            };
            let state = attend_block(heads, &task, left, &segments);
            for i in 0..task.rows {
                // SAFETY: this task alone owns these rows of this head.
                let (piece, sum) = unsafe {
                    (
                        out_pieces.piece(task.row + i, head * heads.size, heads.size),
                        sum_pieces.piece(task.row + i, head, 1),
                    )
                };
                let inverse = 1.0 / state.total[i];
                for (o, a) in piece.iter_mut().zip(&state.sums[i * heads.size..]) {
                    *o = a * inverse;
                }
                sum[0] = state.max[i] + state.total[i].ln();
            }
        }
    });
    Ok((view::tensor(out, (n, width))?, view::tensor(log_sum, (n, heads.query))?))
}

/// A block of rows of one sequence, for the query heads of one key head.
struct Task {
    sequence: usize,
    key_head: usize,
    /// First flat row.
    row: usize,
    rows: usize,
    /// Position of the first row.
    position: usize,
}

fn tasks(heads: &Heads, rows: &Rows) -> Vec<Task> {
    let mut tasks = Vec::new();
    for sequence in 0..rows.sequences() {
        let range = rows.range(sequence);
        for row in range.clone().step_by(QUERY_BLOCK) {
            let position = rows.first_position(sequence) + row - range.start;
            let count = QUERY_BLOCK.min(range.end - row);
            tasks.extend((0..heads.key_value).map(|key_head| Task { sequence, key_head, row, rows: count, position }));
        }
    }
    tasks
}

/// One context per range and key head, ranges outermost.
fn pack(heads: &Heads, k: &[f32], v: &[f32], ranges: &[std::ops::Range<usize>]) -> Vec<Context> {
    let stride = heads.key_value * heads.size;
    (0..ranges.len() * heads.key_value)
        .into_par_iter()
        .map(|at| {
            let (range, head) = (&ranges[at / heads.key_value], at % heads.key_value);
            let start = (range.start * stride + head * heads.size).min(k.len());
            let (keys, values) = (Values::F32(&k[start..]), Values::F32(&v[start..]));
            let keys = Right { stride, ..Right::transposed(keys, range.len(), heads.size) };
            let values = Right { stride, ..Right::plain(values, range.len(), heads.size) };
            Context { keys: Packed::new(&keys), values: Packed::new(&values) }
        })
        .collect()
}

fn segments<'a>(
    rows: &Rows,
    task: &Task,
    heads: &Heads,
    shared: &'a [Context],
    own: &'a [Context],
) -> Vec<Segment<'a>> {
    let of = |sequence: usize| &own[sequence * heads.key_value + task.key_head];
    let mut segments = Vec::with_capacity(3);
    if let Some(context) = shared.get(task.key_head) {
        segments.push(Segment { context, length: rows.prefix(), position: 0 });
    }
    if let Some(parent) = rows.parent(task.sequence) {
        segments.push(Segment { context: of(parent.sequence), length: parent.rows, position: rows.prefix() });
    }
    let length = task.row + task.rows - rows.range(task.sequence).start;
    segments.push(Segment { context: of(task.sequence), length, position: rows.first_position(task.sequence) });
    segments
}

/// Online softmax of a block of rows for one head.
struct State {
    max: Vec<f32>,
    total: Vec<f32>,
    /// Unnormalised sums of values: (rows, D).
    sums: Vec<f32>,
}

fn attend_block(heads: &Heads, task: &Task, queries: Left<'_>, segments: &[Segment<'_>]) -> State {
    let mut state = State {
        max: vec![f32::NEG_INFINITY; task.rows],
        total: vec![0.0; task.rows],
        sums: vec![0.0; task.rows * heads.size],
    };
    let mut scores = vec![0.0f32; task.rows * KEY_BLOCK];
    let first_seen = heads.visible(task.position).start;
    for segment in segments {
        for key in (0..segment.length).step_by(KEY_BLOCK) {
            let keys = key..segment.length.min(key + KEY_BLOCK);
            if segment.position + keys.end <= first_seen {
                continue;
            }
            let mut out = Out { values: &mut scores, stride: KEY_BLOCK, add: false };
            segment.context.keys.multiply(task.rows, queries, 0..heads.size, keys.clone(), &mut out);
            for i in 0..task.rows {
                weigh(
                    heads,
                    task.position + i,
                    segment.position + key,
                    keys.len(),
                    &mut scores[i * KEY_BLOCK..],
                    &mut state,
                    i,
                );
            }
            let left = Left { values: &scores, row_stride: KEY_BLOCK, depth_stride: 1 };
            let mut out = Out { values: &mut state.sums, stride: heads.size, add: true };
            segment.context.values.multiply(task.rows, left, keys, 0..heads.size, &mut out);
        }
    }
    state
}

/// Turns a row's scores into weights relative to its running maximum; keys it does not see get weight 0.
fn weigh(
    heads: &Heads,
    position: usize,
    first_key: usize,
    keys: usize,
    scores: &mut [f32],
    state: &mut State,
    i: usize,
) {
    let seen = heads.visible(position);
    let from = seen.start.saturating_sub(first_key).min(keys);
    let to = seen.end.saturating_sub(first_key).min(keys).max(from);
    scores[..from].fill(0.0);
    scores[to..keys].fill(0.0);
    if from == to {
        return;
    }
    let visible = &mut scores[from..to];
    math::scale(visible, heads.scale());
    let max = state.max[i].max(math::max(visible));
    let shrink = math::exp(state.max[i] - max);
    state.total[i] = state.total[i] * shrink + math::exp_sum(visible, max);
    math::scale(&mut state.sums[i * heads.size..(i + 1) * heads.size], shrink);
    state.max[i] = max;
}
