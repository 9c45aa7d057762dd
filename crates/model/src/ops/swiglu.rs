//! `swiglu`: silu(gate) · up (arXiv 2002.05202), one pass; backward recomputes the sigmoid.

use candle_core::Tensor;
use rayon::prelude::*;

use super::{
    check_shapes,
    cpu::{
        math,
        view::{self, View},
    },
};
use crate::{
    error::Result,
    profile::{Op, enter},
};

/// Elements a thread takes at a time.
const CHUNK: usize = 8192;

/// `gate`, `up` (N, F) -> (N, F).
pub fn forward(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    let _running = enter(Op::Elementwise, 0);
    check_shapes("swiglu", gate.shape() == up.shape(), &[gate, up])?;
    if !view::is_fused(gate) {
        return forward_composed(gate, up);
    }
    let (g, u) = (View::<f32>::new(gate, "gate")?, View::<f32>::new(up, "up")?);
    let mut y = view::unfilled(g.slice().len());
    let inputs = g.slice().par_chunks(CHUNK).zip(u.slice().par_chunks(CHUNK));
    y.par_chunks_mut(CHUNK)
        .zip(inputs)
        .for_each(|(y, (g, u))| math::swiglu(g, u, y));
    view::tensor(y, gate.shape())
}

/// [`forward`] of candle operations.
pub fn forward_composed(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    let sigmoid = (gate.neg()?.exp()? + 1.0)?.recip()?;
    Ok(((gate * sigmoid)? * up)?)
}

/// Gradients (of gate, of up), both (N, F).
pub fn backward(gate: &Tensor, up: &Tensor, dy: &Tensor) -> Result<(Tensor, Tensor)> {
    let _running = enter(Op::Elementwise, 0);
    check_shapes(
        "swiglu",
        gate.shape() == up.shape() && gate.shape() == dy.shape(),
        &[gate, up, dy],
    )?;
    if !view::is_fused(dy) {
        return backward_composed(gate, up, dy);
    }
    let (g, u) = (View::<f32>::new(gate, "gate")?, View::<f32>::new(up, "up")?);
    let mut d_gate = View::<f32>::new(dy, "swiglu gradient")?.slice().to_vec();
    let mut d_up = view::unfilled(d_gate.len());
    let inputs = g.slice().par_chunks(CHUNK).zip(u.slice().par_chunks(CHUNK));
    let outputs = d_gate.par_chunks_mut(CHUNK).zip(d_up.par_chunks_mut(CHUNK));
    outputs
        .zip(inputs)
        .for_each(|((d, d_up), (g, u))| math::swiglu_backward(g, u, d, d_up));
    Ok((
        view::tensor(d_gate, gate.shape())?,
        view::tensor(d_up, gate.shape())?,
    ))
}

/// [`backward`] of candle operations.
pub fn backward_composed(gate: &Tensor, up: &Tensor, dy: &Tensor) -> Result<(Tensor, Tensor)> {
    let sigmoid = (gate.neg()?.exp()? + 1.0)?.recip()?;
    let silu = (gate * &sigmoid)?;
    let slope = (&sigmoid + (&silu * (1.0 - &sigmoid)?)?)?;
    Ok((((dy * up)? * slope)?, (dy * silu)?))
}
