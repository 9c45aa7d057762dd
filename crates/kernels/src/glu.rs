//! `glu`: activation(gate) · up (arXiv 2002.05202), one pass; backward recomputes the activation.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use crate::{math, memory};

/// Elements that a thread takes at a time.
const CHUNK: usize = 8192;

/// The function of the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateActivation {
    /// x · sigmoid(x)
    Silu,
    /// GELU by its tanh approximation (arXiv 1606.08415).
    GeluTanh,
}

impl GateActivation {
    /// `out = activation(gate) · up`.
    pub(crate) fn apply(self, gate: &[f32], up: &[f32], out: &mut [MaybeUninit<f32>]) {
        match self {
            Self::Silu => math::swiglu(gate, up, out),
            Self::GeluTanh => math::geglu(gate, up, out),
        }
    }

    /// `d` holds dL/dout on entry and dL/dgate on return; `d_up` receives dL/dup.
    pub(crate) fn apply_backward(
        self,
        gate: &[f32],
        up: &[f32],
        d: &mut [f32],
        d_up: &mut [MaybeUninit<f32>],
    ) {
        match self {
            Self::Silu => math::swiglu_backward(gate, up, d, d_up),
            Self::GeluTanh => math::geglu_backward(gate, up, d, d_up),
        }
    }
}

/// `gate`, `up` -> activation(gate) · up, all of one length.
pub fn forward(activation: GateActivation, gate: &[f32], up: &[f32]) -> Vec<f32> {
    assert_eq!(gate.len(), up.len());
    let mut act = memory::float_room(gate.len());
    let inputs = gate.par_chunks(CHUNK).zip(up.par_chunks(CHUNK));
    act.par_chunks_mut(CHUNK)
        .zip(inputs)
        .for_each(|(act, (gate, up))| activation.apply(gate, up, act));
    // SAFETY: every chunk was written.
    unsafe { memory::written(act) }
}

/// Gradients (of gate, of up) for `d_act`, all of one length.
pub fn backward(
    activation: GateActivation,
    gate: &[f32],
    up: &[f32],
    d_act: &[f32],
) -> (Vec<f32>, Vec<f32>) {
    assert!(gate.len() == up.len() && gate.len() == d_act.len());
    let mut d_gate = d_act.to_vec();
    let mut d_up = memory::float_room(d_act.len());
    let inputs = gate.par_chunks(CHUNK).zip(up.par_chunks(CHUNK));
    d_gate
        .par_chunks_mut(CHUNK)
        .zip(d_up.par_chunks_mut(CHUNK))
        .zip(inputs)
        .for_each(|((d, d_up), (gate, up))| activation.apply_backward(gate, up, d, d_up));
    // SAFETY: every chunk was written.
    (d_gate, unsafe { memory::written(d_up) })
}
