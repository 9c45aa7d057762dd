//! Backward on the CPU: one task per sequence and key head, which alone writes that head's dk and dv.

use candle_core::Tensor;
use rayon::prelude::*;

use super::{Grads, Heads, fused::QUERY_BLOCK};
use crate::{
    error::Result,
    ops::cpu::{
        gemm::{Out, Packed, Right, Shared, Values},
        math,
        tile::{COLS, Left},
        view::{self, View},
    },
    rows::Rows,
};

/// The rows of one sequence, as slices of the flat tensors from its first row on.
struct Inputs<'a> {
    heads: &'a Heads,
    n: usize,
    q: &'a [f32],
    k: &'a [f32],
    v: &'a [f32],
    out: &'a [f32],
    log_sum: &'a [f32],
    d_out: &'a [f32],
}

/// `tensors`: q, k, v, the output, its log-sum-exp, and the output's gradient.
pub(super) fn backward(heads: &Heads, rows: &Rows, tensors: [&Tensor; 6]) -> Result<Grads> {
    let [q, k, v, out, log_sum, d_out] = tensors;
    let (n, q_width) = q.dims2()?;
    let kv_width = heads.key_value * heads.size;
    let views = [q, k, v, out, log_sum, d_out].map(|t| View::<f32>::new(t, "attend backward"));
    let [q, k, v, out, log_sum, d_out] = views;
    let (q, k, v, out, log_sum, d_out) = (q?, k?, v?, out?, log_sum?, d_out?);
    let (mut dq, mut dk, mut dv) = (vec![0.0; n * q_width], vec![0.0; n * kv_width], vec![0.0; n * kv_width]);
    let pieces = [Shared::new(&mut dq, q_width), Shared::new(&mut dk, kv_width), Shared::new(&mut dv, kv_width)];
    (0..rows.sequences() * heads.key_value).into_par_iter().for_each(|task| {
        let (range, key_head) = (rows.range(task / heads.key_value), task % heads.key_value);
        let inputs = Inputs {
            heads,
            n: range.len(),
            q: &q.slice()[range.start * q_width..],
            k: &k.slice()[range.start * kv_width..],
            v: &v.slice()[range.start * kv_width..],
            out: &out.slice()[range.start * q_width..],
            log_sum: &log_sum.slice()[range.start * heads.query..],
            d_out: &d_out.slice()[range.start * q_width..],
        };
        sequence_backward(&inputs, key_head, range.start, &pieces);
    });
    Ok(Grads {
        q: view::tensor(dq, (n, q_width))?,
        k: view::tensor(dk, (n, kv_width))?,
        v: view::tensor(dv, (n, kv_width))?,
    })
}

/// Keys and values of one key head packed for the three products that read them.
struct Context {
    keys_t: Packed,
    values_t: Packed,
    keys: Packed,
}

fn sequence_backward(x: &Inputs<'_>, key_head: usize, first_row: usize, pieces: &[Shared<'_>; 3]) {
    let size = x.heads.size;
    let stride = x.heads.key_value * size;
    let at = (key_head * size).min(x.k.len());
    let of = |values| Right { stride, ..Right::transposed(Values::F32(values), x.n, size) };
    let context = Context {
        keys_t: Packed::new(&of(&x.k[at..])),
        values_t: Packed::new(&of(&x.v[at..])),
        keys: Packed::new(&Right { stride, ..Right::plain(Values::F32(&x.k[at..]), x.n, size) }),
    };
    let (mut dk, mut dv) = (vec![0.0; x.n * size], vec![0.0; x.n * size]);
    for head in key_head * x.heads.group()..(key_head + 1) * x.heads.group() {
        for first in (0..x.n).step_by(QUERY_BLOCK) {
            let count = QUERY_BLOCK.min(x.n - first);
            let dq = block_backward(x, &context, head, first..first + count, &mut dk, &mut dv);
            for i in 0..count {
                // SAFETY: this task alone owns this sequence's rows of this head.
                let piece = unsafe { pieces[0].piece(first_row + first + i, head * size, size) };
                piece.copy_from_slice(&dq[i * size..(i + 1) * size]);
            }
        }
    }
    for i in 0..x.n {
        // SAFETY: this task alone owns this sequence's rows of this key head.
        let (k, v) = unsafe {
            (
                pieces[1].piece(first_row + i, key_head * size, size),
                pieces[2].piece(first_row + i, key_head * size, size),
            )
        };
        k.copy_from_slice(&dk[i * size..(i + 1) * size]);
        v.copy_from_slice(&dv[i * size..(i + 1) * size]);
    }
}

/// One head, one block of rows: adds to dk and dv, returns dq (rows, D).
fn block_backward(
    x: &Inputs<'_>,
    context: &Context,
    head: usize,
    block: std::ops::Range<usize>,
    dk: &mut [f32],
    dv: &mut [f32],
) -> Vec<f32> {
    let (size, width, rows) = (x.heads.size, x.heads.query * x.heads.size, block.len());
    // Whole keys from the first one that the block's first row sees, down to a panel's edge.
    let first = x.heads.visible(block.start).start / COLS * COLS;
    let keys = first..block.end;
    let ld = keys.len();
    let at = block.start * width + head * size;
    let (q, d_out) = (
        Left { values: &x.q[at..], row_stride: width, depth_stride: 1 },
        Left { values: &x.d_out[at..], row_stride: width, depth_stride: 1 },
    );
    let (mut p, mut ds) = (vec![0.0; rows * ld], vec![0.0; rows * ld]);
    context.keys_t.multiply(rows, q, 0..size, keys.clone(), &mut Out { values: &mut p, stride: ld, add: false });
    context.values_t.multiply(rows, d_out, 0..size, keys.clone(), &mut Out { values: &mut ds, stride: ld, add: false });
    for i in 0..rows {
        let row = block.start + i;
        let at = row * width + head * size;
        let delta = math::dot(&x.out[at..at + size], &x.d_out[at..at + size]);
        let seen = x.heads.visible(row);
        let (from, to) = (seen.start - first, seen.end - first);
        let log_sum = x.log_sum[row * x.heads.query + head];
        row_backward(
            &mut p[i * ld..(i + 1) * ld],
            &mut ds[i * ld..(i + 1) * ld],
            from..to,
            x.heads.scale(),
            log_sum,
            delta,
        );
    }
    let right = |values, n| Packed::new(&Right { stride: width, ..Right::plain(Values::F32(values), n, size) });
    let transposed = |values| Left { values, row_stride: 1, depth_stride: ld };
    let (k_out, v_out) = (&mut dk[first * size..], &mut dv[first * size..]);
    right(&x.q[at..], rows).multiply(
        ld,
        transposed(&ds),
        0..rows,
        0..size,
        &mut Out { values: k_out, stride: size, add: true },
    );
    right(&x.d_out[at..], rows).multiply(
        ld,
        transposed(&p),
        0..rows,
        0..size,
        &mut Out { values: v_out, stride: size, add: true },
    );
    let mut dq = vec![0.0; rows * size];
    let left = Left { values: &ds, row_stride: ld, depth_stride: 1 };
    context.keys.multiply(rows, left, keys, 0..size, &mut Out { values: &mut dq, stride: size, add: false });
    dq
}

/// `p`: scores -> weights; `ds`: gradient of the weights -> gradient of the unscaled scores. Unseen keys get 0.
fn row_backward(p: &mut [f32], ds: &mut [f32], seen: std::ops::Range<usize>, scale: f32, log_sum: f32, delta: f32) {
    for range in [0..seen.start, seen.end..p.len()] {
        p[range.clone()].fill(0.0);
        ds[range].fill(0.0);
    }
    let (p, ds) = (&mut p[seen.clone()], &mut ds[seen]);
    math::scale(p, scale);
    math::exp_sum(p, log_sum);
    for (d, &p) in ds.iter_mut().zip(p.iter()) {
        *d = p * (*d - delta) * scale;
    }
}
