//! `swiglu`: silu(gate) · up (arXiv 2002.05202), one pass; backward recomputes the sigmoid.

use rayon::prelude::*;

use crate::{math, memory};

/// Elements that a thread takes at a time.
const CHUNK: usize = 8192;

/// `gate`, `up` -> silu(gate) · up, all of one length.
pub fn forward(gate: &[f32], up: &[f32]) -> Vec<f32> {
    assert_eq!(gate.len(), up.len());
    let mut act = memory::float_room(gate.len());
    let inputs = gate.par_chunks(CHUNK).zip(up.par_chunks(CHUNK));
    act.par_chunks_mut(CHUNK)
        .zip(inputs)
        .for_each(|(act, (gate, up))| math::swiglu(gate, up, act));
    // SAFETY: every chunk was written.
    unsafe { memory::written(act) }
}

/// Gradients (of gate, of up) for `d_act`, all of one length.
pub fn backward(gate: &[f32], up: &[f32], d_act: &[f32]) -> (Vec<f32>, Vec<f32>) {
    assert!(gate.len() == up.len() && gate.len() == d_act.len());
    let mut d_gate = d_act.to_vec();
    let mut d_up = memory::float_room(d_act.len());
    let inputs = gate.par_chunks(CHUNK).zip(up.par_chunks(CHUNK));
    d_gate
        .par_chunks_mut(CHUNK)
        .zip(d_up.par_chunks_mut(CHUNK))
        .zip(inputs)
        .for_each(|((d, d_up), (gate, up))| math::swiglu_backward(gate, up, d, d_up));
    // SAFETY: every chunk was written.
    (d_gate, unsafe { memory::written(d_up) })
}
