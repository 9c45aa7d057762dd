//! Sums of matrix products over flat rows, all cores: what every projection, forward and backward, is computed by.
//!
//! A [`Product`] is `out = start + sum over terms of left x right`; a [`Job`] is some products of one shape and what is done
//! with a rectangle of them once it is finished, while it is still in the cache (an activation, its gradient). Jobs run
//! together in one parallel region, cut into rectangles of rows x panels.
//!
//! The depth of a term is cut into stretches by its own length alone, so a row's result is bitwise the same whatever other
//! rows, and however many threads, there are.

use std::{cell::RefCell, ops::Range};

use half::bf16;
use rayon::prelude::*;

use super::{
    gemm::{Right, Shared},
    isa::{InstructionSet, instruction_set},
    panels::Panels,
    tile::{self, COLS, Left, Place, ROWS, Sums, Write},
};

/// Longest stretch of the contracted dimension: a group of panels of this depth lies in the second-level cache.
const DEPTH: usize = 768;
/// Panels that a tile of rows is run past while it is in the first-level cache.
const GROUP: usize = 4;
/// Rows of a finished rectangle that what follows finds in the second-level cache.
const BAND: usize = 8 * ROWS;
/// Fewest rows of a rectangle, where rows are shared out too: the pieces of a weight are made anew for each.
const TASK_ROWS: usize = 16 * ROWS;

/// Right operand of a term.
#[derive(Clone, Copy)]
pub(crate) enum Factor<'a> {
    /// Wᵀ of a frozen weight: depth `in`, columns `out`.
    Forward(&'a Panels),
    /// W: depth `out`, columns `in`.
    Backward(&'a Panels),
    /// Plain f32 values in either order.
    Values(Right<'a>),
}

/// One left x right. The left rows are contiguous where the factor is a frozen weight.
#[derive(Clone, Copy)]
pub(crate) struct Term<'a> {
    /// (rows, depth)
    pub(crate) left: Left<'a>,
    /// (depth, cols)
    pub(crate) right: Factor<'a>,
}

/// What a product is added to.
#[derive(Clone, Copy)]
pub(crate) enum Start<'a> {
    /// Nothing.
    Zero,
    /// A row of `cols`, the same for all rows.
    Bias(&'a [f32]),
    /// A matrix of the output's shape, the residual stream, and a row as of [`Start::Bias`].
    Matrix(&'a [f32], Option<&'a [f32]>),
}

/// Where a product goes.
#[derive(Clone, Copy)]
pub(crate) enum Target<'a> {
    /// A matrix; rows are `cols` apart.
    Matrix(Shared<'a>),
    /// The task's own memory, for what follows it alone.
    Scratch,
}

/// `out (rows, cols) = start + sum of terms`.
pub(crate) struct Product<'a> {
    /// What it is added to.
    pub(crate) start: Start<'a>,
    /// At least one, unless it starts from something.
    pub(crate) terms: Vec<Term<'a>>,
    /// Where it goes.
    pub(crate) out: Target<'a>,
}

/// Done with a finished rectangle (rows, columns) of a job's products; it may read and write that rectangle alone. The
/// third argument holds the rectangle of each product, row after row, that went to scratch.
pub(crate) type After<'a> = dyn Fn(Range<usize>, Range<usize>, &[Vec<f32>]) + Sync + 'a;

/// Products of one shape.
pub(crate) struct Job<'a> {
    /// Rows of every product.
    pub(crate) rows: usize,
    /// Columns of every product.
    pub(crate) cols: usize,
    /// The products.
    pub(crate) products: Vec<Product<'a>>,
    /// What follows.
    pub(crate) after: Option<&'a After<'a>>,
}

impl<'a> Job<'a> {
    /// One product and nothing after it.
    pub(crate) fn one(rows: usize, cols: usize, start: Start<'a>, terms: Vec<Term<'a>>, out: Shared<'a>) -> Self {
        Self { rows, cols, products: vec![Product { start, terms, out: Target::Matrix(out) }], after: None }
    }
}

/// A rectangle of one job.
struct Task {
    job: usize,
    rows: Range<usize>,
    panels: Range<usize>,
}

/// What a thread keeps from task to task.
#[derive(Default)]
struct Memory {
    /// Pieces of panels, per product and term.
    panels: Vec<Vec<f32>>,
    /// Rectangles, per product.
    scratch: Vec<Vec<f32>>,
}

thread_local! {
    static MEMORY: RefCell<Memory> = RefCell::default();
}

/// Runs all jobs.
pub(crate) fn run(jobs: &[Job<'_>]) {
    let tasks: Vec<Task> = jobs.iter().enumerate().flat_map(|(at, job)| cut(at, job)).collect();
    let rounded: Vec<Vec<Option<Vec<u32>>>> = jobs.iter().map(round_rows).collect();
    tasks.into_par_iter().with_max_len(1).for_each(|task| {
        // Taken, not borrowed: a thread that waits for others inside an op may be given a task of theirs.
        let mut memory = MEMORY.take();
        run_task(&jobs[task.job], &rounded[task.job], &task, &mut memory);
        MEMORY.set(memory);
    });
}

/// A task, in bands of rows where something follows that finds them in the cache.
fn run_task(job: &Job<'_>, rounded: &[Option<Vec<u32>>], task: &Task, memory: &mut Memory) {
    let most = most_terms(job);
    let cols = task.panels.start * COLS..job.cols.min(task.panels.end * COLS);
    memory.panels.resize_with(memory.panels.len().max(most * job.products.len()), Vec::new);
    memory.scratch.resize_with(memory.scratch.len().max(job.products.len()), Vec::new);
    let one_stretch = job.products.iter().flat_map(|p| &p.terms).all(|t| depth_of(&t.right) <= DEPTH);
    let band = if job.after.is_some() && one_stretch { BAND } else { task.rows.len().max(1) };
    for start in task.rows.clone().step_by(band) {
        let band = Task { job: task.job, rows: start..task.rows.end.min(start + band), panels: task.panels.clone() };
        for (at, product) in job.products.iter().enumerate() {
            let scratch = &mut memory.scratch[at];
            if matches!(product.out, Target::Scratch) {
                scratch.resize(band.rows.len() * cols.len(), 0.0);
            }
            let out = match product.out {
                Target::Matrix(out) => Corner { out, row: 0, col: 0 },
                Target::Scratch => Corner { out: Shared::new(scratch, cols.len()), row: start, col: cols.start },
            };
            let made = start > task.rows.start;
            let (panels, rounded) = (&mut memory.panels[at * most..], &rounded[at * most..(at + 1) * most]);
            run_product(product, &out, rounded, job.cols, &band, made, panels);
        }
        if let Some(after) = job.after {
            after(band.rows, cols.clone(), &memory.scratch[..job.products.len()]);
        }
    }
}

/// An output and the row and column of the whole that its first element is.
struct Corner<'a> {
    out: Shared<'a>,
    row: usize,
    col: usize,
}

/// Rectangles of like size, enough for the threads to share evenly.
fn cut(at: usize, job: &Job<'_>) -> Vec<Task> {
    let threads = rayon::current_num_threads();
    let panels = job.cols.div_ceil(COLS);
    let mut groups = panels.div_ceil(GROUP);
    if groups < 4 * threads {
        groups = groups.next_multiple_of(threads).min(panels);
    }
    let blocks = (4 * threads).div_ceil(groups.max(1)).min(job.rows / TASK_ROWS).max(1);
    let share = job.rows.div_ceil(blocks).next_multiple_of(ROWS).max(ROWS);
    let mut tasks = Vec::with_capacity(groups * blocks);
    for start in (0..job.rows).step_by(share) {
        for group in 0..groups {
            let panels = group * panels / groups..(group + 1) * panels / groups;
            tasks.push(Task { job: at, rows: start..job.rows.min(start + share), panels });
        }
    }
    tasks
}

fn most_terms(job: &Job<'_>) -> usize {
    job.products.iter().map(|p| p.terms.len()).max().unwrap_or(0).max(1)
}

/// Rows in bf16 pairs for the terms that dot instructions compute: per product as many entries as the longest has terms.
fn round_rows(job: &Job<'_>) -> Vec<Option<Vec<u32>>> {
    let most = most_terms(job);
    let mut rounded: Vec<Option<Vec<u32>>> = (0..most * job.products.len()).map(|_| None).collect();
    if instruction_set() != InstructionSet::Avx512Bf16 {
        return rounded;
    }
    for (product, rounded) in job.products.iter().zip(rounded.chunks_mut(most)) {
        for (term, rounded) in product.terms.iter().zip(rounded) {
            let depth = match term.right {
                Factor::Forward(panels) if panels.is_bf16() => panels.inner(),
                _ => continue,
            };
            let stride = depth.div_ceil(2);
            let mut pairs = vec![0; job.rows * stride];
            pairs.par_chunks_mut(stride.max(1)).enumerate().for_each(|(row, pairs)| {
                let values = &term.left.values[row * term.left.row_stride..][..depth];
                for (pair, values) in pairs.iter_mut().zip(values.chunks(2)) {
                    let bits = |value: f32| u32::from(bf16::from_f32(value).to_bits());
                    *pair = bits(values[0]) | values.get(1).map_or(0, |&v| bits(v)) << 16;
                }
            });
            *rounded = Some(pairs);
        }
    }
    rounded
}

/// `made`: the pieces of the panels were made for an earlier band of the same task.
fn run_product(
    product: &Product<'_>,
    out: &Corner<'_>,
    rounded: &[Option<Vec<u32>>],
    cols: usize,
    task: &Task,
    made: bool,
    panels: &mut [Vec<f32>],
) {
    let mut add = begin(product, out, cols, task);
    for ((term, pairs), buffer) in product.terms.iter().zip(rounded).zip(panels) {
        match (term.right, pairs) {
            (Factor::Forward(panels), Some(pairs)) => run_dots(panels, pairs, out, cols, task, add),
            _ => run_term(term, out, cols, task, add, made, buffer),
        }
        add = true;
    }
}

/// Puts what a product starts from into the rectangle; whether there is something to add to.
fn begin(product: &Product<'_>, out: &Corner<'_>, cols: usize, task: &Task) -> bool {
    let from = task.panels.start * COLS;
    let width = cols.min(task.panels.end * COLS) - from;
    for row in task.rows.clone() {
        if matches!(product.start, Start::Zero) && !product.terms.is_empty() {
            return false;
        }
        // SAFETY: this task alone owns these rows in these columns.
        let piece = unsafe { out.out.piece(row - out.row, from - out.col, width) };
        match product.start {
            Start::Zero => piece.fill(0.0),
            Start::Bias(bias) => piece.copy_from_slice(&bias[from..from + width]),
            Start::Matrix(matrix, bias) => {
                piece.copy_from_slice(&matrix[row * cols + from..][..width]);
                for (value, bias) in piece.iter_mut().zip(bias.map_or(&[][..], |bias| &bias[from..from + width])) {
                    *value += bias;
                }
            }
        }
    }
    true
}

/// Length of the stretches that a depth is cut into: by the depth alone, whole panels, all but the last equal.
fn stretch(depth: usize) -> usize {
    depth.div_ceil(depth.div_ceil(DEPTH).max(1)).next_multiple_of(COLS)
}

fn depth_of(right: &Factor<'_>) -> usize {
    match right {
        Factor::Forward(panels) => panels.inner(),
        Factor::Backward(panels) => panels.out(),
        Factor::Values(right) => right.depth,
    }
}

/// Adds one term's rectangle, stretch by stretch: the pieces of all panels of the group are made once, then each tile of
/// rows is run past all of them.
fn run_term(term: &Term<'_>, out: &Corner<'_>, cols: usize, task: &Task, add: bool, made: bool, buffer: &mut Vec<f32>) {
    let depth = depth_of(&term.right);
    let step = stretch(depth);
    let room = step * COLS;
    if buffer.len() < room * task.panels.len() {
        buffer.resize(room * task.panels.len(), 0.0);
    }
    for from in (0..depth).step_by(step) {
        let to = depth.min(from + step);
        let pieces = pieces_of(&term.right, task, from..to, room, made, buffer);
        for row in task.rows.clone().step_by(ROWS) {
            let count = ROWS.min(task.rows.end - row);
            let left = term.left.from(row, from);
            for (panel, &(piece, stride)) in task.panels.clone().zip(&pieces) {
                put_tile(out, cols, row, count, panel, add || from > 0, |place| {
                    // SAFETY: the place is this task's own.
                    unsafe { tile::multiply_into(count, to - from, left, piece, stride, place) }
                });
            }
        }
    }
}

/// A stretch of each of the task's panels and the distance of its rows: in place where it lies so, else made in a piece of
/// `room` values of `buffer`, unless that was `made` before.
fn pieces_of<'b>(
    right: &'b Factor<'_>,
    task: &Task,
    depths: Range<usize>,
    room: usize,
    made: bool,
    buffer: &'b mut [f32],
) -> Vec<(&'b [f32], usize)> {
    let (from, to) = (depths.start, depths.end);
    match right {
        Factor::Forward(panels) => task
            .panels
            .clone()
            .zip(buffer.chunks_exact_mut(room))
            .map(|(panel, buffer)| (panels.forward(panel, from, to, made, buffer), COLS))
            .collect(),
        Factor::Backward(panels) => {
            if !made {
                panels.backward(task.panels.clone(), from, to, room, buffer);
            }
            buffer.chunks_exact(room).take(task.panels.len()).map(|piece| (piece, COLS)).collect()
        }
        Factor::Values(right) => task
            .panels
            .clone()
            .zip(buffer.chunks_exact_mut(room))
            .map(|(panel, buffer)| match right.in_place(from, to, panel * COLS) {
                // A copy would cost more than it saves where few rows read it.
                Some(found) if !made && task.rows.len() <= ROWS => found,
                _ => {
                    if !made {
                        right.pack(from, to, panel * COLS, buffer);
                    }
                    (&*buffer, COLS)
                }
            })
            .collect(),
    }
}

/// As [`run_term`] of a bf16 weight and rows in bf16, by dot instructions.
fn run_dots(panels: &Panels, pairs: &[u32], out: &Corner<'_>, cols: usize, task: &Task, add: bool) {
    let depth = panels.inner();
    let (step, stride) = (stretch(depth), depth.div_ceil(2));
    for from in (0..depth).step_by(step) {
        let to = depth.min(from + step);
        for row in task.rows.clone().step_by(ROWS) {
            let count = ROWS.min(task.rows.end - row);
            let left = &pairs[row * stride + from / 2..];
            for panel in task.panels.clone() {
                let piece = panels.forward_pairs(panel, from, to);
                put_tile(out, cols, row, count, panel, add || from > 0, |place| {
                    // SAFETY: the place is this task's own; rows are rounded only where these instructions are in use.
                    unsafe { tile::dot_into(count, (to - from).div_ceil(2), left, stride, piece, place) }
                });
            }
        }
    }
}

/// Runs a kernel straight into the output, or where the panel is wider than what is left of it, by way of a buffer.
#[inline(always)]
fn put_tile(out: &Corner<'_>, cols: usize, row: usize, count: usize, panel: usize, add: bool, run: impl Fn(Place)) {
    let (col, width) = (panel * COLS, COLS.min(cols - panel * COLS));
    if width == COLS {
        let write = if add { Write::Add } else { Write::Set };
        run(out.out.place(row - out.row, count, col - out.col, write));
        return;
    }
    let mut sums: Sums = [[0.0; COLS]; ROWS];
    run(Place { out: sums.as_mut_ptr().cast(), stride: COLS, write: Write::Set });
    for (i, sums) in sums.iter().enumerate().take(count) {
        // SAFETY: this task alone owns these rows in these columns.
        let piece = unsafe { out.out.piece(row - out.row + i, col - out.col, width) };
        for (out, &sum) in piece.iter_mut().zip(sums) {
            *out = if add { *out + sum } else { sum };
        }
    }
}
