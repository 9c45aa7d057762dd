//! `attend`: causal grouped-query attention over flat rows, with a shared prefix read in place,
//! sequences that continue others, and an optional sliding window. Online softmax: no N x N
//! matrix in memory; backward recomputes the weights from the saved log-sum-exp (flash
//! attention, arXiv 2205.14135).
//!
//! Row i sees key j where 0 <= position(i) - position(j) < window.

pub mod composed;
mod fused;
mod fused_backward;
mod packs;
mod tasks;

use std::sync::Arc;

use candle_core::Tensor;

use super::{check_shapes, cpu::view};
use crate::{
    error::{ModelError, Result},
    profile::{Op, enter},
    rows::Rows,
};

/// Shape of the heads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heads {
    /// H, query heads.
    pub query: usize,
    /// G, key and value heads; divides H.
    pub key_value: usize,
    /// D, the size of a head.
    pub size: usize,
    /// Sliding window; `None`: everything before.
    pub window: Option<usize>,
}

impl Heads {
    /// Query heads that share one key head.
    pub(crate) fn group(&self) -> usize {
        self.query / self.key_value
    }

    /// Factor of the scores.
    pub(crate) fn scale(&self) -> f32 {
        1.0 / (self.size as f32).sqrt()
    }

    /// Key positions that a row at `position` sees.
    pub(crate) fn visible(&self, position: usize) -> std::ops::Range<usize> {
        let from = self.window.map_or(0, |w| (position + 1).saturating_sub(w));
        from..position + 1
    }
}

/// Keys and values of the shared prefix: each (P, G · D), keys after their rotation.
#[derive(Clone)]
pub struct LayerKv {
    /// Keys.
    pub k: Tensor,
    /// Values.
    pub v: Tensor,
    packed: Option<Arc<fused::PackedKv>>,
}

impl LayerKv {
    /// Of keys and values.
    pub fn new(k: Tensor, v: Tensor) -> Self {
        Self { k, v, packed: None }
    }

    /// Packs them for the fused version, where that takes them: what is read by many calls need
    /// not be packed by each.
    pub fn pack(&mut self, heads: &Heads) -> Result<()> {
        if view::is_fused(&self.k) {
            self.packed = Some(Arc::new(fused::PackedKv::new(heads, self)?));
        }
        Ok(())
    }
}

/// What backward needs beside q, k, v.
pub struct Saved {
    /// The op's output: (N, H · D).
    out: Tensor,
    /// log sum exp of each row's scores: (N, H); only of the fused version.
    log_sum: Option<Tensor>,
}

/// Gradients of the inputs.
pub struct Grads {
    /// (N, H · D)
    pub q: Tensor,
    /// (N, G · D)
    pub k: Tensor,
    /// (N, G · D)
    pub v: Tensor,
}

/// `q` (N, H · D), `k`, `v` (N, G · D), all after rotation -> (N, H · D).
pub fn forward(
    heads: &Heads,
    rows: &Rows,
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    prefix: Option<&LayerKv>,
) -> Result<(Tensor, Saved)> {
    let _running = enter(Op::Attend, 0);
    check(heads, rows, q, k, v, prefix)?;
    if view::is_fused(q) {
        let unpacked = prefix
            .filter(|p| p.packed.is_none())
            .map(|p| fused::PackedKv::new(heads, p))
            .transpose()?;
        let packed = prefix
            .and_then(|p| p.packed.as_deref())
            .or(unpacked.as_ref());
        let (out, log_sum) = fused::forward(heads, rows, [q, k, v], prefix, packed)?;
        return Ok((
            out.clone(),
            Saved {
                out,
                log_sum: Some(log_sum),
            },
        ));
    }
    let out = composed::forward(heads, rows, q, k, v, prefix)?;
    Ok((out.clone(), Saved { out, log_sum: None }))
}

/// Gradients for `d_out` (N, H · D); rows that others continue receive from all of them.
/// Training has no shared prefix.
pub fn backward(
    heads: &Heads,
    rows: &Rows,
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    saved: &Saved,
    d_out: &Tensor,
) -> Result<Grads> {
    let _running = enter(Op::AttendBackward, 0);
    if rows.prefix() > 0 {
        return Err(ModelError::op(
            "attend",
            "no gradient through a shared prefix",
        ));
    }
    check(heads, rows, q, k, v, None)?;
    check_shapes(
        "attend",
        saved.out.shape() == q.shape() && d_out.shape() == q.shape(),
        &[q, &saved.out, d_out],
    )?;
    match &saved.log_sum {
        Some(log_sum) => {
            fused_backward::backward(heads, rows, [q, k, v, &saved.out, log_sum, d_out])
        }
        None => composed::backward(heads, rows, q, k, v, d_out),
    }
}

fn check(
    heads: &Heads,
    rows: &Rows,
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    prefix: Option<&LayerKv>,
) -> Result<()> {
    let width = heads.key_value * heads.size;
    let is = |t: &Tensor, n: usize, width: usize| t.dims() == [n, width];
    let own = is(q, rows.len(), heads.query * heads.size)
        && is(k, rows.len(), width)
        && is(v, rows.len(), width);
    let held = prefix.map_or(rows.prefix() == 0, |p| {
        is(&p.k, rows.prefix(), width) && is(&p.v, rows.prefix(), width)
    });
    if own && held && heads.query.is_multiple_of(heads.key_value) {
        return Ok(());
    }
    let prefix = prefix.map(|p| (p.k.shape(), p.v.shape()));
    let (n, p) = (rows.len(), rows.prefix());
    let shapes = format!(
        "q {:?}, k {:?}, v {:?}, prefix {prefix:?}",
        q.shape(),
        k.shape(),
        v.shape()
    );
    Err(ModelError::op(
        "attend",
        format!("{shapes} do not fit {n} rows after {p}, {heads:?}"),
    ))
}
