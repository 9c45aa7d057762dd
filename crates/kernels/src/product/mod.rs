//! Sums of matrix products over flat rows, all cores: what every projection, forward and
//! backward, is computed by.
//!
//! A [`Product`] is `out = start + sum over terms of left x right`; a [`Job`]
//! is some products of one shape and the function that is called with each finished rectangle
//! while it is still in the cache (an activation, its gradient). Jobs run together in one
//! parallel region.
//!
//! The depth of a term is cut into stretches by its own length alone, so a row's result is
//! bitwise the same whatever other rows, and however many threads, there are.

#[cfg(target_arch = "aarch64")]
mod arm;
pub(crate) mod bf16_pairs;
pub(crate) mod call;
mod decoded;
pub(crate) mod line;
pub(crate) mod operands;
pub(crate) mod packed;
pub(crate) mod panels;
mod rounded;
pub(crate) mod shared;
pub(crate) mod tasks;
pub(crate) mod tile;
mod transpose;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::{cell::RefCell, mem::MaybeUninit, ops::Range};

use rayon::prelude::*;

use crate::memory;
use call::{COLS, ROWS, Sums, TilePlace, Write};
use line::PairLine;
use rounded::RoundedRows;
use shared::SharedOutput;

use tasks::{Destination, Job, Product, ProductTask, RightFactor, Start, Term, cut};

/// Longest stretch of the contracted dimension: a group of panels of this depth lies in the
/// second-level cache.
const DEPTH: usize = 768;
/// Rows of a finished rectangle that what follows finds in the second-level cache.
const BAND: usize = 8 * ROWS;

/// Pieces of a term's panels: of floats, or transposed for dot instructions.
#[derive(Default)]
struct Pieces {
    floats: Vec<f32>,
    pairs: Vec<PairLine>,
}

/// What a thread keeps from task to task.
#[derive(Default)]
struct Memory {
    /// Pieces of panels, per product and term.
    panels: Vec<Pieces>,
    /// Rectangles, per product.
    scratch: Vec<Vec<f32>>,
}

thread_local! {
    static MEMORY: RefCell<Memory> = RefCell::default();
}

/// Runs all jobs.
pub(crate) fn run(jobs: &[Job<'_>]) {
    let tasks: Vec<ProductTask> = jobs
        .iter()
        .enumerate()
        .flat_map(|(at, job)| cut(at, job))
        .collect();
    let rounded = rounded::prepare(jobs);
    tasks.into_par_iter().with_max_len(1).for_each(|task| {
        // Taken, not borrowed: a thread that waits for others inside an op may be given a task
        // of theirs.
        let mut memory = MEMORY.take();
        run_task(&jobs[task.job], &rounded[task.job], &task, &mut memory);
        MEMORY.set(memory);
    });
}

/// A task, in bands of rows where something follows that finds them in the cache.
fn run_task(
    job: &Job<'_>,
    rounded: &[Option<RoundedRows>],
    task: &ProductTask,
    memory: &mut Memory,
) {
    let most = job.most_terms();
    let cols = task.panels.start * COLS..job.cols.min(task.panels.end * COLS);
    memory.grow(most * job.products.len(), job.products.len());
    let step = band_rows(job, task);
    for start in task.rows.clone().step_by(step) {
        let band = ProductTask {
            job: task.job,
            rows: start..task.rows.end.min(start + step),
            panels: task.panels.clone(),
        };
        for (at, product) in job.products.iter().enumerate() {
            let place = Rectangle {
                out: Corner::of(&product.out, &band, &cols, &mut memory.scratch[at]),
                cols: job.cols,
                task: &band,
                made: start > task.rows.start,
            };
            run_product(
                product,
                &rounded[at * most..(at + 1) * most],
                &place,
                &mut memory.panels[at * most..],
            );
        }
        if let Some(after) = job.after {
            let scratch = &memory.scratch[..job.products.len()];
            after(band.rows, cols.clone(), scratch);
        }
    }
}

impl Memory {
    /// Has pieces for so many terms and scratch for so many products.
    fn grow(&mut self, terms: usize, products: usize) {
        let terms = terms.max(self.panels.len());
        self.panels.resize_with(terms, Pieces::default);
        let products = products.max(self.scratch.len());
        self.scratch.resize_with(products, Vec::new);
    }
}

/// Rows of a task that are finished together.
fn band_rows(job: &Job<'_>, task: &ProductTask) -> usize {
    let mut terms = job.products.iter().flat_map(|product| &product.terms);
    if job.after.is_some() && terms.all(|term| depth_of(&term.right) <= DEPTH) {
        BAND
    } else {
        task.rows.len().max(1)
    }
}

/// An output and the row and column of the whole that its first element is.
struct Corner<'a> {
    out: SharedOutput<'a>,
    row: usize,
    col: usize,
}

impl<'a> Corner<'a> {
    /// Where a band goes in these columns: the matrix, or `scratch` that is as large as the band.
    fn of(
        out: &Destination<'a>,
        band: &ProductTask,
        cols: &Range<usize>,
        scratch: &'a mut Vec<f32>,
    ) -> Self {
        match out {
            Destination::Matrix(out) => Self {
                out: *out,
                row: 0,
                col: 0,
            },
            Destination::Scratch => {
                scratch.resize(band.rows.len() * cols.len(), 0.0);
                Self {
                    out: SharedOutput::over(scratch, cols.len()),
                    row: band.rows.start,
                    col: cols.start,
                }
            }
        }
    }
}

/// What a product's rectangle is and where it goes.
struct Rectangle<'a> {
    out: Corner<'a>,
    /// Columns of the whole product.
    cols: usize,
    task: &'a ProductTask,
    /// The pieces of the panels were made for an earlier band of the same task.
    made: bool,
}

fn run_product(
    product: &Product<'_>,
    rounded: &[Option<RoundedRows>],
    place: &Rectangle<'_>,
    panels: &mut [Pieces],
) {
    let mut add = begin(product, &place.out, place.cols, place.task);
    for ((term, rows), buffer) in product.terms.iter().zip(rounded).zip(panels) {
        match (term.right, rows) {
            (RightFactor::Forward(_) | RightFactor::Backward(_), Some(rows)) => {
                run_dots(&term.right, rows, place, add, &mut buffer.pairs);
            }
            _ => run_term(term, place, add, &mut buffer.floats),
        }
        add = true;
    }
}

/// Puts what a product starts from into the rectangle; whether there is something to add to.
fn begin(product: &Product<'_>, out: &Corner<'_>, cols: usize, task: &ProductTask) -> bool {
    let from = task.panels.start * COLS;
    let width = cols.min(task.panels.end * COLS) - from;
    for row in task.rows.clone() {
        if matches!(product.start, Start::Zero) && !product.terms.is_empty() {
            return false;
        }
        // SAFETY: this task alone owns these rows in these columns.
        let room = unsafe { out.out.room(row - out.row, from - out.col, width) };
        match product.start {
            Start::Zero => room.fill(MaybeUninit::new(0.0)),
            Start::Bias(bias) => memory::write_copy(&bias[from..from + width], room),
            Start::Matrix(matrix, None) => {
                memory::write_copy(&matrix[row * cols + from..][..width], room);
            }
            Start::Matrix(matrix, Some(bias)) => {
                let sums = matrix[row * cols + from..]
                    .iter()
                    .zip(&bias[from..from + width]);
                for (value, (x, b)) in room.iter_mut().zip(sums) {
                    value.write(x + b);
                }
            }
        }
    }
    true
}

/// Length of the stretches that a depth is cut into: by the depth alone, whole panels, all but
/// the last equal.
fn stretch(depth: usize) -> usize {
    depth
        .div_ceil(depth.div_ceil(DEPTH).max(1))
        .next_multiple_of(COLS)
}

fn depth_of(right: &RightFactor<'_>) -> usize {
    match right {
        RightFactor::Forward(panels) => panels.inner(),
        RightFactor::Backward(panels) => panels.out(),
        RightFactor::Values(right) => right.depth,
    }
}

/// Adds one term's rectangle, stretch by stretch: the pieces of all panels of the group are
/// made once, then each tile of rows is run past all of them.
fn run_term(term: &Term<'_>, place: &Rectangle<'_>, add: bool, buffer: &mut Vec<f32>) {
    let task = place.task;
    let depth = depth_of(&term.right);
    let step = stretch(depth);
    let room = step * COLS;
    if buffer.len() < room * task.panels.len() {
        buffer.resize(room * task.panels.len(), 0.0);
    }
    for from in (0..depth).step_by(step) {
        let to = depth.min(from + step);
        let pieces = pieces_of(&term.right, task, from..to, room, place.made, buffer);
        each_tile(place, add || from > 0, |row, count, at, out| {
            let (piece, stride) = pieces[at];
            // SAFETY: the place is this task's own.
            unsafe {
                tile::multiply_into(
                    count,
                    to - from,
                    term.left.from(row, from),
                    piece,
                    stride,
                    out,
                )
            }
        });
    }
}

/// A stretch of each of the task's panels and the distance of its rows: in place where it lies
/// so, else made in a piece of `room` values of `buffer`, unless that was `made` before.
fn pieces_of<'b>(
    right: &'b RightFactor<'_>,
    task: &ProductTask,
    depths: Range<usize>,
    room: usize,
    made: bool,
    buffer: &'b mut [f32],
) -> Vec<(&'b [f32], usize)> {
    let (from, to) = (depths.start, depths.end);
    match right {
        RightFactor::Forward(panels) => task
            .panels
            .clone()
            .zip(buffer.chunks_exact_mut(room))
            .map(|(panel, buffer)| (panels.forward(panel, from, to, made, buffer), COLS))
            .collect(),
        RightFactor::Backward(panels) => {
            if !made {
                panels.backward(task.panels.clone(), from, to, room, buffer);
            }
            buffer
                .chunks_exact(room)
                .take(task.panels.len())
                .map(|piece| (piece, COLS))
                .collect()
        }
        RightFactor::Values(right) => task
            .panels
            .clone()
            .zip(buffer.chunks_exact_mut(room))
            .map(
                |(panel, buffer)| match right.in_place(from, to, panel * COLS) {
                    // A copy would cost more than it saves where few rows read it.
                    Some(found) if !made && task.rows.len() <= ROWS => found,
                    _ => {
                        if !made {
                            right.pack(from, to, panel * COLS, buffer);
                        }
                        (&*buffer, COLS)
                    }
                },
            )
            .collect(),
    }
}

/// As [`run_term`] of a weight in pairs of bf16 and rows rounded to such, by dot instructions.
fn run_dots(
    right: &RightFactor<'_>,
    rows: &RoundedRows,
    place: &Rectangle<'_>,
    add: bool,
    buffer: &mut Vec<PairLine>,
) {
    let depth = depth_of(right);
    let step = stretch(depth);
    let room = step * place.task.panels.len();
    if buffer.len() < room {
        buffer.resize(room, PairLine::default());
    }
    for from in (0..depth).step_by(step) {
        let to = depth.min(from + step);
        let pieces = pair_pieces(right, place, from..to, step, buffer);
        each_tile(place, add || from > 0, |row, count, at, out| {
            let (left, pairs) = (rows.from(row, from), (to - from).div_ceil(2));
            // SAFETY: the place is this task's own; rows are rounded only where these
            // instructions are in use.
            unsafe { tile::dot_into(count, pairs, left, rows.stride(), pieces[at], out) }
        });
    }
}

/// As [`pieces_of`] in pairs, `room` lines for each panel.
fn pair_pieces<'b>(
    right: &'b RightFactor<'_>,
    place: &Rectangle<'_>,
    depths: Range<usize>,
    room: usize,
    buffer: &'b mut [PairLine],
) -> Vec<&'b [u32]> {
    let panels = place.task.panels.clone();
    match right {
        RightFactor::Forward(weight) => panels
            .zip(buffer.chunks_exact_mut(room))
            .map(|(panel, piece)| weight.forward_pairs(panel, depths.clone(), place.made, piece))
            .collect(),
        RightFactor::Backward(weight) => {
            if !place.made {
                weight.backward_lines(panels.clone(), depths, room, buffer);
            }
            buffer
                .chunks_exact(room)
                .take(panels.len())
                .map(line::flat)
                .collect()
        }
        // Its rows are not rounded.
        RightFactor::Values(_) => Vec::new(),
    }
}

/// Runs a kernel for each tile of a rectangle, a tile of rows past all panels: with its first
/// row, its rows, the place of its panel among the task's, and where it goes.
#[inline(always)]
fn each_tile(place: &Rectangle<'_>, add: bool, run: impl Fn(usize, usize, usize, TilePlace)) {
    let task = place.task;
    for (row, count) in tile::row_tiles(task.rows.clone()) {
        for (at, panel) in task.panels.clone().enumerate() {
            put_tile(place, row, count, panel, add, |out| {
                run(row, count, at, out)
            });
        }
    }
}

/// Runs a kernel straight into the output, or where the panel is wider than what is left of it,
/// by way of a buffer.
#[inline(always)]
fn put_tile(
    place: &Rectangle<'_>,
    row: usize,
    count: usize,
    panel: usize,
    add: bool,
    run: impl Fn(TilePlace),
) {
    let (out, cols) = (&place.out, place.cols);
    let (col, width) = (panel * COLS, COLS.min(cols - panel * COLS));
    if width == COLS {
        let write = if add { Write::Add } else { Write::Set };
        run(out.out.place(row - out.row, count, col - out.col, write));
        return;
    }
    let mut sums: Sums = [[0.0; COLS]; ROWS];
    run(TilePlace::all_of(&mut sums));
    for (i, sums) in sums.iter().enumerate().take(count) {
        let (row, col) = (row - out.row + i, col - out.col);
        // SAFETY: this task alone owns these rows in these columns, and wrote what it adds to.
        unsafe {
            if add {
                let piece = out.out.piece(row, col, width);
                piece
                    .iter_mut()
                    .zip(sums)
                    .for_each(|(out, sum)| *out += sum);
            } else {
                memory::write_copy(&sums[..width], out.out.room(row, col, width));
            }
        }
    }
}
