//! `attend` by the CPU's kernels.

use std::sync::Arc;

use candle_core::Tensor;
use kernels::attend::{self, AttendSaved, PackedPrefix, PrefixKv};

use super::{Heads, KeptForm, LayerKv, PackedKv, QkvGradients};
use crate::{
    error::Result,
    ops::view::{self, floats},
    rows::Rows,
};

/// Keys and values as the kernels read them.
#[derive(Clone)]
pub(super) struct CpuKv(Arc<PackedPrefix>);

impl CpuKv {
    pub(super) fn new(heads: &Heads, kv: &LayerKv) -> Result<Self> {
        let rows = kv.k.dims2()?.0;
        let (k, v) = (floats(&kv.k, "prefix k")?, floats(&kv.v, "prefix v")?);
        Ok(Self(Arc::new(PackedPrefix::new(heads, rows, &k, &v))))
    }
}

/// As [`super::forward`].
pub(super) fn forward(
    heads: &Heads,
    rows: &Rows,
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    prefix: Option<&LayerKv>,
) -> Result<(Tensor, KeptForm)> {
    let (qs, ks, vs) = (
        floats(q, "attend q")?,
        floats(k, "attend k")?,
        floats(v, "attend v")?,
    );
    let attended = match prefix {
        None => attend::forward(heads, rows, &qs, &ks, &vs, None),
        Some(kv) => {
            let packed = match &kv.packed {
                PackedKv::Cpu(packed) => packed.clone(),
                PackedKv::No => CpuKv::new(heads, kv)?,
            };
            let prefix = PrefixKv {
                k: &floats(&kv.k, "prefix k")?,
                v: &floats(&kv.v, "prefix v")?,
                packed: &packed.0,
            };
            attend::forward(heads, rows, &qs, &ks, &vs, Some(prefix))
        }
    };
    let log_sum = view::tensor(attended.log_sum, (rows.len(), heads.query))?;
    let out = view::tensor(attended.out, q.shape())?;
    Ok((out, KeptForm::Cpu { log_sum }))
}

/// As [`super::backward`].
pub(super) fn backward(
    heads: &Heads,
    rows: &Rows,
    [q, k, v]: [&Tensor; 3],
    out: &Tensor,
    log_sum: &Tensor,
    d_out: &Tensor,
) -> Result<QkvGradients> {
    let op = "attend backward";
    let saved = AttendSaved {
        q: &floats(q, op)?,
        k: &floats(k, op)?,
        v: &floats(v, op)?,
        out: &floats(out, op)?,
        log_sum: &floats(log_sum, op)?,
    };
    let gradients = attend::backward(heads, rows, &saved, &floats(d_out, op)?);
    Ok(QkvGradients {
        q: view::tensor(gradients.q, q.shape())?,
        k: view::tensor(gradients.k, k.shape())?,
        v: view::tensor(gradients.v, v.shape())?,
    })
}
