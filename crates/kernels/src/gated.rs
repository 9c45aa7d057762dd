//! `gated`: the products around `glu`, with the activation computed on each rectangle of
//! theirs while it is in the cache.

use std::ops::Range;

use crate::{
    glu::GateActivation,
    linear::{FrozenGradient, FrozenProjection},
    memory,
    product::{
        self,
        shared::SharedOutput,
        tasks::{Destination, Job, Product, Start},
    },
};

/// The result of [`forward`]; all (N, F).
pub struct GatedRows {
    /// The projections of gate and up, where they are kept.
    pub parts: Option<(Vec<f32>, Vec<f32>)>,
    /// activation(gate) · up
    pub act: Vec<f32>,
}

/// activation(gate) · up of the projections of `rows` rows `x` (N, E); with `keep` these too. Where
/// they are not kept they never reach the memory.
pub fn forward(
    activation: GateActivation,
    rows: usize,
    x: &[f32],
    gate: &FrozenProjection<'_>,
    up: &FrozenProjection<'_>,
    keep: bool,
) -> GatedRows {
    let width = gate.weight.out();
    assert_eq!(width, up.weight.out());
    if keep {
        let (gate, up, act) = forward_kept(activation, rows, x, gate, up);
        return GatedRows {
            parts: Some((gate, up)),
            act,
        };
    }
    let mut act = memory::float_room(rows * width);
    let act_out = SharedOutput::new(&mut act, width);
    product::run(&[Job {
        rows,
        cols: width,
        products: vec![
            gate.product(x, None, Destination::Scratch),
            up.product(x, None, Destination::Scratch),
        ],
        after: Some(&|rows, cols, scratch| {
            activate_scratch(activation, &act_out, rows, cols, scratch)
        }),
    }]);
    // SAFETY: the activation of every rectangle was written.
    let act = unsafe { memory::written(act) };
    GatedRows { parts: None, act }
}

/// Gate, up and the activation.
fn forward_kept(
    activation: GateActivation,
    rows: usize,
    x: &[f32],
    gate: &FrozenProjection<'_>,
    up: &FrozenProjection<'_>,
) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let width = gate.weight.out();
    let [mut g, mut u, mut a] = [(); 3].map(|()| memory::float_room(rows * width));
    let [g_out, u_out, a_out] = [&mut g, &mut u, &mut a].map(|room| SharedOutput::new(room, width));
    product::run(&[Job {
        rows,
        cols: width,
        products: vec![
            gate.product(x, None, Destination::Matrix(g_out)),
            up.product(x, None, Destination::Matrix(u_out)),
        ],
        after: Some(&|rows, cols, _| activate(activation, [&g_out, &u_out, &a_out], rows, cols)),
    }]);
    // SAFETY: the products wrote every row of gate and up, and the activation of every
    // rectangle was written.
    unsafe { (memory::written(g), memory::written(u), memory::written(a)) }
}

/// The activation of a finished rectangle of gate and up.
fn activate(
    activation: GateActivation,
    [gate, up, act]: [&SharedOutput<'_>; 3],
    rows: Range<usize>,
    cols: Range<usize>,
) {
    for row in rows {
        // SAFETY: a job's rectangle is handed to one caller alone, and was written.
        unsafe {
            activation.apply(
                gate.piece(row, cols.start, cols.len()),
                up.piece(row, cols.start, cols.len()),
                act.room(row, cols.start, cols.len()),
            );
        }
    }
}

/// As [`activate`] of a rectangle in scratch.
fn activate_scratch(
    activation: GateActivation,
    act: &SharedOutput<'_>,
    rows: Range<usize>,
    cols: Range<usize>,
    scratch: &[Vec<f32>],
) {
    for (i, row) in rows.enumerate() {
        let piece = i * cols.len()..(i + 1) * cols.len();
        // SAFETY: a job's rectangle is handed to one caller alone.
        let act = unsafe { act.room(row, cols.start, cols.len()) };
        activation.apply(&scratch[0][piece.clone()], &scratch[1][piece], act);
    }
}

/// Gradients (of gate, of up), both `rows` rows (N, F), from `down`, the share of the projection
/// that reads the activation.
pub fn backward(
    activation: GateActivation,
    rows: usize,
    down: &FrozenGradient<'_>,
    gate: &[f32],
    up: &[f32],
) -> (Vec<f32>, Vec<f32>) {
    let width = down.weight.inner();
    assert!(gate.len() == rows * width && up.len() == rows * width);
    let [mut d_gate, mut d_up] = [(); 2].map(|()| memory::float_room(rows * width));
    let [gate_out, up_out] = [&mut d_gate, &mut d_up].map(|room| SharedOutput::new(room, width));
    product::run(&[Job {
        rows,
        cols: width,
        products: vec![Product {
            start: Start::Zero,
            terms: down.terms(),
            out: Destination::Matrix(gate_out),
        }],
        after: Some(&|rows, cols, _| {
            for row in rows {
                let at = row * width + cols.start..row * width + cols.end;
                // SAFETY: a job's rectangle is handed to one caller alone, and the product wrote
                // the gradient of the activation.
                let (d, d_up) = unsafe {
                    (
                        gate_out.piece(row, cols.start, cols.len()),
                        up_out.room(row, cols.start, cols.len()),
                    )
                };
                activation.apply_backward(&gate[at.clone()], &up[at], d, d_up);
            }
        }),
    }]);
    // SAFETY: both were written in every rectangle.
    unsafe { (memory::written(d_gate), memory::written(d_up)) }
}
