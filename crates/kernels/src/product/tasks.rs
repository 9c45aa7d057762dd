//! What products are, and how they are cut into rectangles of rows x panels, each the task of
//! one thread. Never here: how one is computed.

use std::ops::Range;

use super::{
    call::{COLS, ROWS},
    operands::{LeftOperand, RightOperand},
    panels::Panels,
    shared::SharedOutput,
    tile::tile_rows,
};

/// Panels that a tile of rows is run past while it is in the first-level cache.
const GROUP: usize = 4;
/// Fewest rows of a rectangle, where rows are shared out too: the pieces of a weight are made
/// anew for each.
const TASK_ROWS: usize = 16 * ROWS;

/// RightOperand operand of a term.
#[derive(Clone, Copy)]
pub(crate) enum RightFactor<'a> {
    /// Wᵀ of a frozen weight: depth `in`, columns `out`.
    Forward(&'a Panels),
    /// W: depth `out`, columns `in`.
    Backward(&'a Panels),
    /// Plain f32 values in either order.
    Values(RightOperand<'a>),
}

/// One left x right. The left rows are contiguous where the factor is a frozen weight.
#[derive(Clone, Copy)]
pub(crate) struct Term<'a> {
    /// (rows, depth)
    pub(crate) left: LeftOperand<'a>,
    /// (depth, cols)
    pub(crate) right: RightFactor<'a>,
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
pub(crate) enum Destination<'a> {
    /// A matrix; rows are `cols` apart.
    Matrix(SharedOutput<'a>),
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
    pub(crate) out: Destination<'a>,
}

/// Done with a finished rectangle (rows, columns) of a job's products; it may read and write
/// that rectangle alone. The third argument holds the rectangle of each product, row after row,
/// that went to scratch.
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
    pub(crate) fn one(
        rows: usize,
        cols: usize,
        start: Start<'a>,
        terms: Vec<Term<'a>>,
        out: SharedOutput<'a>,
    ) -> Self {
        Self {
            rows,
            cols,
            products: vec![Product {
                start,
                terms,
                out: Destination::Matrix(out),
            }],
            after: None,
        }
    }

    /// Terms of its longest product; at least one.
    pub(super) fn most_terms(&self) -> usize {
        self.products
            .iter()
            .map(|p| p.terms.len())
            .max()
            .unwrap_or(0)
            .max(1)
    }
}

/// A rectangle of one job.
pub(super) struct ProductTask {
    /// Its number.
    pub(super) job: usize,
    /// Its rows.
    pub(super) rows: Range<usize>,
    /// Its panels of columns.
    pub(super) panels: Range<usize>,
}

/// Rectangles of like size, enough for the threads to share evenly.
pub(super) fn cut(at: usize, job: &Job<'_>) -> Vec<ProductTask> {
    let threads = rayon::current_num_threads();
    let panels = job.cols.div_ceil(COLS);
    let mut groups = panels.div_ceil(GROUP);
    if groups < 4 * threads {
        groups = groups.next_multiple_of(threads).min(panels);
    }
    let blocks = (4 * threads)
        .div_ceil(groups.max(1))
        .min(job.rows / TASK_ROWS)
        .max(1);
    let tile = tile_rows();
    let share = job.rows.div_ceil(blocks).next_multiple_of(tile).max(tile);
    let mut tasks = Vec::with_capacity(groups * blocks);
    for start in (0..job.rows).step_by(share) {
        for group in 0..groups {
            let panels = group * panels / groups..(group + 1) * panels / groups;
            tasks.push(ProductTask {
                job: at,
                rows: start..job.rows.min(start + share),
                panels,
            });
        }
    }
    tasks
}
