//! `attend` of candle operations, a sequence at a time.

use candle_core::{D, Tensor};

use super::{Heads, LayerKv, QkvGradients};
use crate::{
    error::Result,
    ops::softmax,
    rows::{Parent, Rows},
};

/// As [`super::forward`].
pub fn forward(
    heads: &Heads,
    rows: &Rows,
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    prefix: Option<&LayerKv>,
) -> Result<Tensor> {
    let mut outs = Vec::with_capacity(rows.sequences());
    for sequence in filled(rows) {
        let range = rows.range(sequence);
        let queries = split(&q.narrow(0, range.start, range.len())?, heads)?; // (H, n, D)
        let keys = repeat(&context(rows, sequence, k, prefix.map(|p| &p.k))?, heads)?; // (H, t, D)
        let values = repeat(&context(rows, sequence, v, prefix.map(|p| &p.v))?, heads)?;
        let scores = scores(heads, &queries, &keys)?;
        let weights = weights(heads, rows, sequence, &scores)?; // (H, n, t)
        outs.push(join(&weights.matmul(&values)?)?); // (n, H · D)
    }
    concatenate(&outs, q)
}

/// As [`super::backward`].
pub fn backward(
    heads: &Heads,
    rows: &Rows,
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    d_out: &Tensor,
) -> Result<QkvGradients> {
    let (mut dq, mut dk, mut dv, mut seen) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for sequence in filled(rows) {
        let range = rows.range(sequence);
        let part = |t: &Tensor| t.narrow(0, range.start, range.len());
        let (queries, d_out) = (split(&part(q)?, heads)?, split(&part(d_out)?, heads)?); // (H, n, D)
        let keys = repeat(&context(rows, sequence, k, None)?, heads)?; // (H, t, D)
        let values = repeat(&context(rows, sequence, v, None)?, heads)?;
        let scores = scores(heads, &queries, &keys)?;
        let p = weights(heads, rows, sequence, &scores)?; // (H, n, t)
        let dp = d_out.matmul(&values.t()?)?;
        let ds = ((&p * dp.broadcast_sub(&(&dp * &p)?.sum_keepdim(D::Minus1)?)?)?
            * f64::from(heads.scores.scale))?;
        let ds = match heads.scores.soft_cap {
            None => ds,
            Some(cap) => (ds * (1.0 - (scores / f64::from(cap))?.sqr()?)?)?,
        };
        dq.push(join(&ds.matmul(&keys)?)?);
        dk.push(sum_groups(&ds.t()?.matmul(&queries)?, heads)?);
        dv.push(sum_groups(&p.t()?.matmul(&d_out)?, heads)?);
        seen.extend(
            stretches(rows, sequence)
                .into_iter()
                .flatten()
                .map(|row| row as u32),
        );
    }
    if dq.is_empty() {
        return Ok(QkvGradients {
            q: q.zeros_like()?,
            k: k.zeros_like()?,
            v: v.zeros_like()?,
        });
    }
    // A row that several sequences continue is in the contexts of all of them.
    let seen = Tensor::new(seen, q.device())?;
    let sum = |parts: &[Tensor], like: &Tensor| {
        like.zeros_like()?
            .index_add(&seen, &Tensor::cat(parts, 0)?, 0)
    };
    Ok(QkvGradients {
        q: concatenate(&dq, q)?,
        k: sum(&dk, k)?,
        v: sum(&dv, v)?,
    })
}

/// The flat rows of a sequence's context.
fn stretches(rows: &Rows, sequence: usize) -> Vec<std::ops::Range<usize>> {
    rows.stretches(Parent {
        sequence,
        rows: rows.range(sequence).len(),
    })
}

/// The sequences that have rows.
fn filled(rows: &Rows) -> impl Iterator<Item = usize> {
    (0..rows.sequences()).filter(|&sequence| !rows.range(sequence).is_empty())
}

/// The sequences' parts, one after another; `like` has their sum's shape.
fn concatenate(parts: &[Tensor], like: &Tensor) -> Result<Tensor> {
    if parts.is_empty() {
        Ok(like.zeros_like()?)
    } else {
        Ok(Tensor::cat(parts, 0)?)
    }
}

/// Scores of all keys, the unseen ones too: (H, n, t).
fn scores(heads: &Heads, queries: &Tensor, keys: &Tensor) -> Result<Tensor> {
    let scores = (queries.matmul(&keys.t()?)? * f64::from(heads.scores.scale))?;
    Ok(match heads.scores.soft_cap {
        None => scores,
        Some(cap) => ((scores / f64::from(cap))?.tanh()? * f64::from(cap))?,
    })
}

/// Softmax of the masked scores.
fn weights(heads: &Heads, rows: &Rows, sequence: usize, scores: &Tensor) -> Result<Tensor> {
    let (n, t) = (scores.dim(1)?, scores.dim(2)?);
    let first = rows.first_position(sequence);
    // All keys of a context are at positions 0..t.
    let mask: Vec<f32> = (0..n * t)
        .map(|at| {
            if heads.visible(first + at / t).contains(&(at % t)) {
                0.0
            } else {
                f32::NEG_INFINITY
            }
        })
        .collect();
    let mask = Tensor::from_vec(mask, (n, t), &candle_core::Device::Cpu)?
        .to_device(scores.device())?
        .to_dtype(scores.dtype())?;
    softmax::composed::softmax(&scores.broadcast_add(&mask)?)
}

/// The prefix, the ancestors' visible rows and the sequence's own: (t, G · D).
fn context(rows: &Rows, sequence: usize, own: &Tensor, prefix: Option<&Tensor>) -> Result<Tensor> {
    let mut parts: Vec<Tensor> = prefix
        .into_iter()
        .map(|p| p.to_dtype(own.dtype()))
        .collect::<candle_core::Result<_>>()?;
    for stretch in stretches(rows, sequence) {
        parts.push(own.narrow(0, stretch.start, stretch.len())?);
    }
    Ok(Tensor::cat(&parts, 0)?)
}

/// (n, H · D) -> (H, n, D)
fn split(x: &Tensor, heads: &Heads) -> Result<Tensor> {
    let (n, width) = x.dims2()?;
    Ok(x.reshape((n, width / heads.size, heads.size))?
        .transpose(0, 1)?
        .contiguous()?)
}

/// (t, G · D) -> (H, t, D), each key head standing for its group.
fn repeat(x: &Tensor, heads: &Heads) -> Result<Tensor> {
    let x = split(x, heads)?; // (G, t, D)
    let (g, t, d) = x.dims3()?;
    Ok(x.unsqueeze(1)?
        .broadcast_as((g, heads.group(), t, d))?
        .contiguous()?
        .reshape((g * heads.group(), t, d))?)
}

/// (H, n, D) -> (n, G · D), summed over each group.
fn sum_groups(x: &Tensor, heads: &Heads) -> Result<Tensor> {
    let (_, n, d) = x.dims3()?;
    join(&x.reshape((heads.key_value, heads.group(), n, d))?.sum(1)?)
}

/// (H, n, D) -> (n, H · D)
fn join(x: &Tensor) -> Result<Tensor> {
    let (h, n, d) = x.dims3()?;
    Ok(x.transpose(0, 1)?.contiguous()?.reshape((n, h * d))?)
}
