//! Quantised weights decoded into pieces of panels, as products read them: floats, or pairs of
//! bf16 for dot instructions; forward (x Wᵀ) and backward (dy W). Never here: how a block is
//! decoded ([`crate::quantised`]).

use std::{array, ops::Range};

use super::{
    bf16_pairs::{interleave, round_again, transpose_rows},
    call::COLS,
    line::{DEPTH, PAIRS, PairLine},
    transpose::transpose,
};
use crate::quantised::Blocks;

/// Elements along `in` that 32 rows are decoded at a time: 16 KiB, half of a first-level cache.
const STEP: usize = 4 * COLS;
/// Lines of a row of so many pairs.
const STEP_LINES: usize = STEP / DEPTH;

/// Elements `depths` along `in` of the outputs of a panel, as rows of [`COLS`]. `depths` starts
/// at a multiple of 32; outputs past the last are 0.
pub(super) fn forward(blocks: &Blocks, panel: usize, depths: Range<usize>, piece: &mut [f32]) {
    let mut rows = [0.0; COLS * STEP];
    each_step(
        blocks,
        panel,
        depths,
        &mut rows,
        |rows, from, squares, _| {
            for square in 0..squares {
                transpose(
                    &rows[square * COLS..],
                    STEP,
                    &mut piece[(from + square * COLS) * COLS..][..COLS * COLS],
                    COLS,
                );
            }
        },
    );
}

/// As [`forward`], rounded to pairs of neighbours along `in`: two lines for each pair.
pub(super) fn forward_lines(
    blocks: &Blocks,
    panel: usize,
    depths: Range<usize>,
    piece: &mut [PairLine],
) {
    let mut rows = [0.0; COLS * STEP];
    let mut rounded = [PairLine([0; PAIRS]); COLS * STEP_LINES];
    each_step(
        blocks,
        panel,
        depths,
        &mut rows,
        |rows, from, squares, width| {
            for (row, lines) in rows
                .chunks_exact(STEP)
                .zip(rounded.chunks_exact_mut(STEP_LINES))
            {
                round_again(&row[..width], lines);
            }
            for square in 0..squares {
                transpose_rows(
                    &rounded[square..],
                    STEP_LINES,
                    &mut piece[from + square * DEPTH..][..DEPTH],
                );
            }
        },
    );
}

/// Decodes a panel's rows, a step at a time, and calls `put` with them, where in `depths` the
/// step begins, how many squares of 32 it touches, and its width.
#[inline(always)]
fn each_step(
    blocks: &Blocks,
    panel: usize,
    depths: Range<usize>,
    rows: &mut [f32; COLS * STEP],
    mut put: impl FnMut(&[f32], usize, usize, usize),
) {
    let outputs = panel * COLS..blocks.rows().min((panel + 1) * COLS);
    for from in depths.clone().step_by(STEP) {
        let width = STEP.min(depths.end - from);
        for (row, values) in outputs.clone().zip(rows.chunks_exact_mut(STEP)) {
            blocks.decode(row, from, &mut values[..width]);
        }
        put(rows, from - depths.start, width.div_ceil(COLS), width);
    }
}

/// Rows `outputs` of the weight at the inputs of each of `panels`, as rows of [`COLS`], into a
/// piece of `room` values each. A row of all panels is decoded at a time: long stretches are
/// decoded faster than short ones. Inputs past the last are left as they are.
pub(super) fn backward(
    blocks: &Blocks,
    panels: Range<usize>,
    outputs: Range<usize>,
    room: usize,
    pieces: &mut [f32],
) {
    let inputs = inputs_of(blocks, &panels);
    let mut values = vec![0.0; panels.len() * COLS];
    for (p, row) in outputs.enumerate() {
        blocks.decode(row, inputs.start, &mut values[..inputs.len()]);
        for (values, piece) in values.chunks_exact(COLS).zip(pieces.chunks_exact_mut(room)) {
            piece[p * COLS..(p + 1) * COLS].copy_from_slice(values);
        }
    }
}

/// As [`backward`], rounded to pairs of neighbours along `out`, two lines for each, up to a
/// multiple of [`DEPTH`] outputs; those past the last are 0.
pub(super) fn backward_lines(
    blocks: &Blocks,
    panels: Range<usize>,
    outputs: Range<usize>,
    room: usize,
    pieces: &mut [PairLine],
) {
    let inputs = inputs_of(blocks, &panels);
    let mut two: [Vec<f32>; 2] = array::from_fn(|_| vec![0.0; panels.len() * COLS]);
    for pair in 0..outputs.len().next_multiple_of(DEPTH) / 2 {
        for (row, values) in (outputs.start + 2 * pair..).zip(&mut two) {
            if row < outputs.end {
                blocks.decode(row, inputs.start, &mut values[..inputs.len()]);
            } else {
                values.fill(0.0);
            }
        }
        let columns = two[0].chunks_exact(COLS).zip(two[1].chunks_exact(COLS));
        for ((even, odd), piece) in columns.zip(pieces.chunks_exact_mut(room)) {
            interleave(even, odd, &mut piece[2 * pair..][..2]);
        }
    }
}

/// The inputs of `panels`.
fn inputs_of(blocks: &Blocks, panels: &Range<usize>) -> Range<usize> {
    panels.start * COLS..blocks.width().min(panels.end * COLS)
}
