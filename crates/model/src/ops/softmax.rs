//! `softmax`, `log_softmax`: for scoring and the lens; no backward is needed.

use candle_core::{D, Tensor};
use rayon::prelude::*;

use super::cpu::{
    math,
    view::{self, View},
};
use crate::{
    error::Result,
    profile::{Op, enter},
};

/// Probabilities of each row: (N, V) -> (N, V).
pub fn softmax(x: &Tensor) -> Result<Tensor> {
    let _running = enter(Op::Softmax, 0);
    if !view::is_fused(x) {
        return softmax_composed(x);
    }
    let (rows, width) = x.dims2()?;
    let mut y = View::<f32>::new(x, "softmax")?.slice().to_vec();
    y.par_chunks_mut(width).for_each(|row| {
        let total = math::exp_sum(row, math::max(row));
        math::scale(row, 1.0 / total);
    });
    view::tensor(y, (rows, width))
}

/// [`softmax`] of candle operations.
pub fn softmax_composed(x: &Tensor) -> Result<Tensor> {
    let e = x.broadcast_sub(&x.max_keepdim(D::Minus1)?)?.exp()?;
    Ok(e.broadcast_div(&e.sum_keepdim(D::Minus1)?)?)
}

/// Logarithms of the probabilities of each row: (N, V) -> (N, V).
pub fn log_softmax(x: &Tensor) -> Result<Tensor> {
    let _running = enter(Op::Softmax, 0);
    if !view::is_fused(x) {
        return log_softmax_composed(x);
    }
    let (rows, width) = x.dims2()?;
    let mut y = View::<f32>::new(x, "log_softmax")?.slice().to_vec();
    y.par_chunks_mut(width).for_each(|row| {
        let shift = log_sum_exp(row);
        row.iter_mut().for_each(|v| *v -= shift);
    });
    view::tensor(y, (rows, width))
}

/// [`log_softmax`] of candle operations.
pub fn log_softmax_composed(x: &Tensor) -> Result<Tensor> {
    let shifted = x.broadcast_sub(&x.max_keepdim(D::Minus1)?)?;
    Ok(shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)?)
}

fn log_sum_exp(row: &[f32]) -> f32 {
    let max = math::max(row);
    max + math::exp_sum(&mut row.to_vec(), max).ln()
}
