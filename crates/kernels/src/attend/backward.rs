//! Backward on the CPU: one task per piece of a sequence and key head, the heads of a group
//! together.
//!
//! A piece finds the gradients of its own queries, and what it adds to those of every key and
//! value it sees, its ancestors' too. These parts are summed up afterwards, in the order of the
//! pieces: nobody waits for a lock, and the sums are the same for any number of threads.

use std::{cell::RefCell, ops::Range};

use rayon::prelude::*;

use super::{
    Heads, Scores,
    blocks::{self, RowBlock},
    packs::{self, BLOCK, Span},
};
use crate::{
    math,
    product::{
        call::Write,
        operands::{LeftOperand, Order, RightOperand},
        packed::{Out, Packed},
        shared::SharedOutput,
    },
    rows::{Parent, Rows},
};

/// Rows of a piece: a long sequence is at most eight, for its parts are as long as what the
/// piece sees.
fn piece_rows(length: usize) -> usize {
    length.div_ceil(8).max(64)
}

/// What all tasks read: whole flat tensors, and packs for the products that read keys and
/// values.
struct BackwardInputs<'a> {
    heads: &'a Heads,
    contexts: Vec<Vec<Span>>,
    keys_t: Vec<Packed>,
    values_t: Vec<Packed>,
    keys: Vec<Packed>,
    q: &'a [f32],
    out: &'a [f32],
    log_sum: &'a [f32],
    d_out: &'a [f32],
}

/// The inputs and the results of a forward.
#[derive(Clone, Copy)]
pub struct AttendSaved<'a> {
    /// (N, H · D)
    pub q: &'a [f32],
    /// (N, G · D)
    pub k: &'a [f32],
    /// (N, G · D)
    pub v: &'a [f32],
    /// (N, H · D)
    pub out: &'a [f32],
    /// (N, H)
    pub log_sum: &'a [f32],
}

/// Gradients of the inputs.
pub struct AttendGradients {
    /// (N, H · D)
    pub q: Vec<f32>,
    /// (N, G · D)
    pub k: Vec<f32>,
    /// (N, G · D)
    pub v: Vec<f32>,
}

/// Gradients for `d_out` (N, H · D). There is no shared prefix.
pub fn backward(
    heads: &Heads,
    rows: &Rows,
    saved: &AttendSaved<'_>,
    d_out: &[f32],
) -> AttendGradients {
    let (n, q_width) = (rows.len(), heads.query * heads.size);
    let kv_width = heads.key_value * heads.size;
    heads.check(n, saved.q, saved.k, saved.v);
    assert!(rows.prefix() == 0 && d_out.len() == n * q_width);
    let inputs = BackwardInputs {
        heads,
        contexts: packs::contexts(rows),
        keys_t: packs::pack(heads, rows, saved.k, &[], Order::Transposed),
        values_t: packs::pack(heads, rows, saved.v, &[], Order::Transposed),
        keys: packs::pack(heads, rows, saved.k, &[], Order::Plain),
        q: saved.q,
        out: saved.out,
        log_sum: saved.log_sum,
        d_out,
    };
    let mut dq = vec![0.0; n * q_width];
    let [mut dk, mut dv] = [(); 2].map(|()| vec![0.0; n * kv_width]);
    let q_pieces = SharedOutput::over(&mut dq, q_width);
    let tasks = blocks::cut(heads, rows, piece_rows);
    let parts = blocks::run(heads, &tasks, |task| {
        piece_backward(&inputs, task, &q_pieces)
    });
    let outs = [&mut dk, &mut dv].map(|values| SharedOutput::over(values, kv_width));
    sum_parts(heads, rows, &tasks, &parts, outs);
    AttendGradients {
        q: dq,
        k: dk,
        v: dv,
    }
}

/// What a piece adds to the gradients of the keys and values that it sees, for one key head.
struct PieceShare {
    /// Position of the first key.
    first: usize,
    /// (keys, D)
    dk: Vec<f32>,
    /// (keys, D)
    dv: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<BlockScratch> = const { RefCell::new(BlockScratch::new()) };
}

/// Of one block, one line per row and head. Reused by every task of a thread.
struct BlockScratch {
    /// (lines, D)
    q: Vec<f32>,
    /// (lines, D)
    d_out: Vec<f32>,
    /// (lines, D)
    dq: Vec<f32>,
    /// Weights: (lines, keys).
    p: Vec<f32>,
    /// Gradient of the unscaled scores: (lines, keys).
    ds: Vec<f32>,
}

impl BlockScratch {
    const fn new() -> Self {
        Self {
            q: Vec::new(),
            d_out: Vec::new(),
            dq: Vec::new(),
            p: Vec::new(),
            ds: Vec::new(),
        }
    }
}

fn piece_backward(
    x: &BackwardInputs<'_>,
    piece: &RowBlock,
    q_pieces: &SharedOutput<'_>,
) -> PieceShare {
    let (size, group) = (x.heads.size, x.heads.group());
    let first = x.heads.visible(piece.position).start / BLOCK * BLOCK;
    let count = (piece.end() - first) * size;
    let mut part = PieceShare {
        first,
        dk: vec![0.0; count],
        dv: vec![0.0; count],
    };
    SCRATCH.with_borrow_mut(|scratch| {
        for block in piece.blocks(blocks::block_rows(x.heads)) {
            block_backward(x, &block, scratch, &mut part);
            for (i, dq) in scratch.dq.chunks_exact(group * size).enumerate() {
                // SAFETY: this task alone owns these rows of this group of heads.
                let to = unsafe {
                    q_pieces.piece(block.row + i, piece.key_head * group * size, group * size)
                };
                to.copy_from_slice(dq);
            }
        }
    });
    part
}

/// One block of rows: adds to the part and leaves dq (lines, D) in `scratch`.
fn block_backward(
    x: &BackwardInputs<'_>,
    block: &RowBlock,
    scratch: &mut BlockScratch,
    part: &mut PieceShare,
) {
    let (size, group) = (x.heads.size, x.heads.group());
    let lines = block.rows * group;
    // Whole blocks from the first key that the first row sees.
    let keys = x.heads.visible(block.position).start / BLOCK * BLOCK..block.end();
    let ld = keys.len();
    for (from, to) in [(x.q, &mut scratch.q), (x.d_out, &mut scratch.d_out)] {
        to.clear();
        for row in block.row..block.row + block.rows {
            let at = (row * x.heads.query + block.key_head * group) * size;
            to.extend_from_slice(&from[at..at + group * size]);
        }
    }
    weigh(x, block, &keys, scratch);
    // Every line's sum over keys, span by span.
    scratch.dq.clear();
    scratch.dq.resize(lines * size, 0.0);
    for (span, held) in packs::overlaps(&x.contexts[block.sequence], &keys) {
        let left = LeftOperand {
            values: &scratch.ds[held.start - keys.start..],
            row_stride: ld,
            depth_stride: 1,
        };
        let mut out = Out {
            values: &mut scratch.dq,
            stride: size,
            write: Write::Continue,
        };
        let depths = held.start - span.start..held.end - span.start;
        span.pack(x.heads, block.key_head, &x.keys, &[]).multiply(
            lines,
            left,
            depths,
            0..size,
            &mut out,
        );
    }
    add_shares(lines, &keys, size, scratch, part);
}

/// Adds what a block's lines give to the keys and values that they see.
fn add_shares(
    lines: usize,
    keys: &Range<usize>,
    size: usize,
    scratch: &BlockScratch,
    part: &mut PieceShare,
) {
    let at = (keys.start - part.first) * size;
    for (weights, right, out) in [
        (&scratch.ds, &scratch.q, &mut part.dk),
        (&scratch.p, &scratch.d_out, &mut part.dv),
    ] {
        let left = LeftOperand {
            values: weights,
            row_stride: 1,
            depth_stride: keys.len(),
        };
        let mut out = Out {
            values: &mut out[at..],
            stride: size,
            write: Write::Continue,
        };
        let right = Packed::new(&RightOperand::plain(right, lines, size));
        right.multiply(keys.len(), left, 0..lines, 0..size, &mut out);
    }
}

/// Fills the weights and the gradients of the scores of a block.
fn weigh(
    x: &BackwardInputs<'_>,
    block: &RowBlock,
    keys: &Range<usize>,
    scratch: &mut BlockScratch,
) {
    let (size, group, ld) = (x.heads.size, x.heads.group(), keys.len());
    let lines = block.rows * group;
    for (left, packs, to) in [
        (&scratch.q, &x.keys_t, &mut scratch.p),
        (&scratch.d_out, &x.values_t, &mut scratch.ds),
    ] {
        to.resize(lines * ld, 0.0);
        let left = LeftOperand {
            values: left,
            row_stride: size,
            depth_stride: 1,
        };
        for (span, held) in packs::overlaps(&x.contexts[block.sequence], keys) {
            let mut out = Out {
                values: &mut to[held.start - keys.start..],
                stride: ld,
                write: Write::Set,
            };
            let columns = held.start - span.start..held.end - span.start;
            span.pack(x.heads, block.key_head, packs, &[]).multiply(
                lines,
                left,
                0..size,
                columns,
                &mut out,
            );
        }
    }
    for line in 0..lines {
        let (row, head) = (
            block.row + line / group,
            block.key_head * group + line % group,
        );
        let at = (row * x.heads.query + head) * size;
        let delta = math::dot(&x.out[at..at + size], &x.d_out[at..at + size]);
        let seen = x.heads.visible(block.position + line / group);
        let seen = seen.start - keys.start..seen.end - keys.start;
        let log_sum = x.log_sum[row * x.heads.query + head];
        let (p, ds) = (
            &mut scratch.p[line * ld..][..ld],
            &mut scratch.ds[line * ld..][..ld],
        );
        line_backward(p, ds, seen, x.heads.scores, log_sum, delta);
    }
}

/// `p`: scores -> weights; `ds`: gradient of the weights -> gradient of the unscaled scores.
/// Unseen keys get 0.
fn line_backward(
    p: &mut [f32],
    ds: &mut [f32],
    seen: Range<usize>,
    scores: Scores,
    log_sum: f32,
    mut delta: f32,
) {
    for range in [0..seen.start, seen.end..p.len()] {
        p[range.clone()].fill(0.0);
        ds[range].fill(0.0);
    }
    let (p, ds) = (&mut p[seen.clone()], &mut ds[seen]);
    match scores.soft_cap {
        None => math::scale(p, scores.scale),
        Some(cap) => {
            math::soft_cap(p, scores.scale, cap);
            math::shift(ds, -delta);
            math::soft_cap_backward(p, cap, ds);
            delta = 0.0;
        }
    }
    math::exp_sum(p, log_sum);
    for (d, &p) in ds.iter_mut().zip(p.iter()) {
        *d = p * (*d - delta) * scores.scale;
    }
}

/// Rows of a piece that another piece, or itself, has a part of.
struct Gift {
    /// Index of the piece that gives.
    from: usize,
    /// Index of the first row within the part.
    at: usize,
    /// First flat row.
    row: usize,
    rows: usize,
}

/// Sums up the parts of all `tasks` (pieces outermost) into dk and dv, in the order of the
/// pieces.
fn sum_parts(
    heads: &Heads,
    rows: &Rows,
    tasks: &[RowBlock],
    parts: &[PieceShare],
    outs: [SharedOutput<'_>; 2],
) {
    let (size, key_heads) = (heads.size, heads.key_value);
    let firsts: Vec<usize> = parts
        .iter()
        .step_by(key_heads)
        .map(|part| part.first)
        .collect();
    let pieces: Vec<&RowBlock> = tasks.iter().step_by(key_heads).collect();
    let gifts = gifts(rows, &pieces, &firsts);
    (0..tasks.len()).into_par_iter().for_each(|at| {
        let (piece, key_head) = (at / key_heads, at % key_heads);
        for gift in &gifts[piece] {
            let part = &parts[gift.from * key_heads + key_head];
            for (values, out) in [&part.dk, &part.dv].into_iter().zip(&outs) {
                for (row, values) in (gift.row..gift.row + gift.rows)
                    .zip(values[gift.at * size..].chunks_exact(size))
                {
                    // SAFETY: this task alone owns this piece's rows of this key head.
                    let to = unsafe { out.piece(row, key_head * size, size) };
                    to.iter_mut()
                        .zip(values)
                        .for_each(|(sum, value)| *sum += value);
                }
            }
        }
    });
}

/// For each piece what the pieces have for it; `firsts`: the position of each part's first key.
fn gifts(rows: &Rows, pieces: &[&RowBlock], firsts: &[usize]) -> Vec<Vec<Gift>> {
    let mut gifts: Vec<Vec<Gift>> = pieces.iter().map(|_| Vec::new()).collect();
    for (from, (piece, &first)) in pieces.iter().zip(firsts).enumerate() {
        let own = piece.row + piece.rows - rows.range(piece.sequence).start;
        let mut position = 0;
        for stretch in rows.stretches(Parent {
            sequence: piece.sequence,
            rows: own,
        }) {
            let skipped = first.saturating_sub(position).min(stretch.len());
            let (mut row, mut at) = (
                stretch.start + skipped,
                (position + skipped).saturating_sub(first),
            );
            position += stretch.len();
            let mut to = pieces.partition_point(|piece| piece.row + piece.rows <= row);
            while row < stretch.end {
                let count = stretch.end.min(pieces[to].row + pieces[to].rows) - row;
                gifts[to].push(Gift {
                    from,
                    at,
                    row,
                    rows: count,
                });
                (row, at, to) = (row + count, at + count, to + 1);
            }
        }
    }
    gifts
}
