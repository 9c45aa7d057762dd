//! `attend`: causal grouped-query attention over flat rows, with a shared prefix read in place,
//! sequences that continue others, and an optional sliding window. No N x N matrix is in memory:
//! backward recomputes the weights (flash attention, arXiv 2205.14135).
//!
//! Row i sees key j where 0 <= position(i) - position(j) < window.

pub mod composed;
mod cpu;

use candle_core::Tensor;

pub use kernels::attend::{Heads, Scores};

use super::{Backend, check_shapes};
use crate::{
    error::{ModelError, Result},
    profile::{Op, enter},
    rows::Rows,
};

/// Keys and values of the shared prefix: each (P, G · D), keys after their rotation.
#[derive(Clone)]
pub struct LayerKv {
    /// Keys.
    pub k: Tensor,
    /// Values.
    pub v: Tensor,
    packed: PackedKv,
    /// Not shared: those before each sequence, which has one row; `k` and `v` are then empty.
    each: Option<Vec<LayerKv>>,
}

/// A backend's own form of keys and values.
#[derive(Clone)]
enum PackedKv {
    /// None, or none yet.
    No,
    /// For the CPU's kernels.
    Cpu(cpu::CpuKv),
}

impl LayerKv {
    /// Of keys and values.
    pub fn new(k: Tensor, v: Tensor) -> Self {
        Self {
            k,
            v,
            packed: PackedKv::No,
            each: None,
        }
    }

    /// Of several texts, each before one row of its own.
    pub(crate) fn of_each<'a>(texts: impl Iterator<Item = &'a Self>) -> Result<Self> {
        let each: Vec<Self> = texts.cloned().collect();
        let first = each
            .first()
            .ok_or_else(|| ModelError::op("attend", "no text to continue"))?;
        let (k, v) = (first.k.narrow(0, 0, 0)?, first.v.narrow(0, 0, 0)?);
        Ok(Self {
            each: Some(each),
            ..Self::new(k, v)
        })
    }

    /// Some of its rows.
    pub(crate) fn part(&self, start: usize, rows: usize) -> Result<Self> {
        let part = |of: &Tensor| of.narrow(0, start, rows)?.force_contiguous();
        Ok(Self::new(part(&self.k)?, part(&self.v)?))
    }

    /// With the rows of another behind its own.
    pub(crate) fn followed_by(&self, next: &Self) -> Result<Self> {
        Ok(Self::new(
            Tensor::cat(&[&self.k, &next.k], 0)?,
            Tensor::cat(&[&self.v, &next.v], 0)?,
        ))
    }

    /// Packs them where the backend has a form of its own: what many calls read need not be
    /// packed by each.
    pub fn pack(&mut self, heads: &Heads) -> Result<()> {
        self.packed = match Backend::of(&self.k) {
            Backend::Cpu => PackedKv::Cpu(cpu::CpuKv::new(heads, self)?),
            Backend::Composed => PackedKv::No,
        };
        Ok(())
    }
}

/// What backward needs beside q, k, v.
pub struct AttendKept {
    /// The op's output: (N, H · D).
    out: Tensor,
    form: KeptForm,
}

/// What a backend keeps beside the output, which its backward takes.
enum KeptForm {
    /// log sum exp of each row's scores: (N, H).
    Cpu { log_sum: Tensor },
    /// Nothing.
    Composed,
}

/// Gradients of the inputs.
pub struct QkvGradients {
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
) -> Result<(Tensor, AttendKept)> {
    if let Some(texts) = prefix.and_then(|prefix| prefix.each.as_deref()) {
        return forward_apart(heads, rows, q, k, v, texts);
    }
    let _running = enter(Op::Attend, 0);
    check(heads, rows, q, k, v, prefix)?;
    let (out, form) = match Backend::of(q) {
        Backend::Cpu => cpu::forward(heads, rows, q, k, v, prefix)?,
        Backend::Composed => {
            let out = composed::forward(heads, rows, q, k, v, prefix)?;
            (out, KeptForm::Composed)
        }
    };
    Ok((out.clone(), AttendKept { out, form }))
}

/// As [`forward`] for [`Rows::apart`]: row i after the i-th of `texts`, each row alone.
fn forward_apart(
    heads: &Heads,
    rows: &Rows,
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    texts: &[LayerKv],
) -> Result<(Tensor, AttendKept)> {
    let mut outs = Vec::with_capacity(texts.len());
    for (row, text) in texts.iter().enumerate() {
        let own = Rows::new([1], rows.first_position(row));
        let [q, k, v] = [q, k, v].map(|of| of.narrow(0, row, 1));
        outs.push(forward(heads, &own, &q?, &k?, &v?, Some(text))?.0);
    }
    let out = Tensor::cat(&outs, 0)?;
    let form = KeptForm::Composed; // nothing: there is no backward through a prefix
    Ok((out.clone(), AttendKept { out, form }))
}

/// Gradients for `d_out` (N, H · D); rows that others continue receive from all of them.
/// Training has no shared prefix.
pub fn backward(
    heads: &Heads,
    rows: &Rows,
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    saved: &AttendKept,
    d_out: &Tensor,
) -> Result<QkvGradients> {
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
    match &saved.form {
        KeptForm::Cpu { log_sum } => {
            cpu::backward(heads, rows, [q, k, v], &saved.out, log_sum, d_out)
        }
        KeptForm::Composed => composed::backward(heads, rows, q, k, v, d_out),
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
    let (own_shape, prefix_shape) = ([rows.len(), width], [rows.prefix(), width]);
    let own = q.dims() == [rows.len(), heads.query * heads.size]
        && k.dims() == own_shape
        && v.dims() == own_shape;
    let held = prefix.map_or(rows.prefix() == 0, |p| {
        p.k.dims() == prefix_shape && p.v.dims() == prefix_shape
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
