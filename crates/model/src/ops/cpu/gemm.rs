//! Matrix products on the CPU: the right operand is packed by tile as it is used, whatever it is stored as.
//!
//! A frozen weight stays as it lies in the file (f32 or bf16, rows of outputs): each task copies one panel of
//! [`COLS`] columns into a cache-sized buffer, in f32, and runs every row of the left operand past it. With hundreds of
//! rows the copy costs a few percent, no second copy of the weight is kept, and forward (x Wᵀ) and backward (dy W) differ
//! only in how a panel is gathered. Depth is cut by its own length alone, so a row's result is bitwise the same
//! whatever other rows, and however many threads, there are.

use std::{cell::RefCell, marker::PhantomData};

use half::bf16;
use rayon::prelude::*;

use super::tile::{self, COLS, Left, ROWS, Sums};

/// Longest stretch of the contracted dimension in one packed panel: 32 x 576 floats lie in the second-level cache.
const DEPTH: usize = 576;
/// Fewest rows a task is given, where rows are shared out too.
const TASK_ROWS: usize = 16 * ROWS;

/// The values of a right operand, as stored.
#[derive(Clone, Copy)]
pub(crate) enum Values<'a> {
    /// 32-bit floats.
    F32(&'a [f32]),
    /// bfloat16, widened as it is packed.
    Bf16(&'a [bf16]),
}

/// How a right operand of `depth` x `cols` lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Row `j` holds column `j`: a weight (out, in) in x Wᵀ.
    Transposed,
    /// Row `p` holds element `p` of every column: a weight (out, in) in dy W.
    Plain,
}

/// Right operand of a product.
#[derive(Clone, Copy)]
pub(crate) struct Right<'a> {
    /// Stored values.
    pub(crate) values: Values<'a>,
    /// Length of the contracted dimension.
    pub(crate) depth: usize,
    /// Columns of the result.
    pub(crate) cols: usize,
    /// Distance of two stored rows.
    pub(crate) stride: usize,
    /// What a stored row is.
    pub(crate) order: Order,
}

impl<'a> Right<'a> {
    /// A weight (out, in) used as x Wᵀ: depth `in`, `out` columns.
    pub(crate) fn transposed(values: Values<'a>, out: usize, inner: usize) -> Self {
        Self { values, depth: inner, cols: out, stride: inner, order: Order::Transposed }
    }

    /// A matrix (depth, cols) used as it stands.
    pub(crate) fn plain(values: Values<'a>, depth: usize, cols: usize) -> Self {
        Self { values, depth, cols, stride: cols, order: Order::Plain }
    }

    /// Gathers rows `from..to` of the contracted dimension of columns `col..col + COLS`; missing columns are zero.
    fn pack(&self, from: usize, to: usize, col: usize, panel: &mut [f32]) {
        let width = COLS.min(self.cols - col);
        let panel = &mut panel[..(to - from) * COLS];
        if width < COLS {
            panel.fill(0.0);
        }
        match (self.order, self.values) {
            (Order::Plain, Values::F32(v)) => self.pack_plain(v, from, col, width, panel, |x| x),
            (Order::Plain, Values::Bf16(v)) => self.pack_plain(v, from, col, width, panel, bf16::to_f32),
            (Order::Transposed, Values::F32(v)) => self.pack_transposed(v, from, col, width, panel, |x| x),
            (Order::Transposed, Values::Bf16(v)) => self.pack_transposed(v, from, col, width, panel, bf16::to_f32),
        }
    }

    #[inline(always)]
    fn pack_plain<T: Copy>(
        &self,
        v: &[T],
        from: usize,
        col: usize,
        width: usize,
        panel: &mut [f32],
        widen: impl Fn(T) -> f32,
    ) {
        for (p, row) in panel.chunks_exact_mut(COLS).enumerate() {
            let start = (from + p) * self.stride + col;
            for (out, &x) in row.iter_mut().zip(&v[start..start + width]) {
                *out = widen(x);
            }
        }
    }

    /// Sixteen elements of every column at a time, so that the part of the panel being written stays in the first cache.
    #[inline(always)]
    fn pack_transposed<T: Copy>(
        &self,
        v: &[T],
        from: usize,
        col: usize,
        width: usize,
        panel: &mut [f32],
        widen: impl Fn(T) -> f32,
    ) {
        let depth = panel.len() / COLS;
        for (block, part) in panel.chunks_mut(16 * COLS).enumerate() {
            let p = block * 16;
            let count = 16.min(depth - p);
            for j in 0..width {
                let start = (col + j) * self.stride + from + p;
                for (q, &x) in v[start..start + count].iter().enumerate() {
                    part[q * COLS + j] = widen(x);
                }
            }
        }
    }
}

/// Length of the stretches that a depth is cut into: by the depth alone, all but the last equal.
fn stretch(depth: usize) -> usize {
    depth.div_ceil(depth.div_ceil(DEPTH).max(1)).max(1)
}

/// A right operand packed whole, for one that is used many times: all panels one after another.
pub(crate) struct Packed {
    values: Vec<f32>,
    depth: usize,
    cols: usize,
}

impl Packed {
    /// Packs `right`.
    pub(crate) fn new(right: &Right<'_>) -> Self {
        let panels = right.cols.div_ceil(COLS);
        let mut values = vec![0.0; panels * right.depth * COLS];
        for (panel, part) in values.chunks_exact_mut((right.depth * COLS).max(1)).enumerate() {
            right.pack(0, right.depth, panel * COLS, part);
        }
        Self { values, depth: right.depth, cols: right.cols }
    }

    /// `out[i][j] (+)= sum over p in depth_range of left[i][p] * right[p][j]` for the columns of whole panels
    /// `col..col + cols`; `col` is a multiple of [`COLS`]. `left` starts at the range's first element. Sequential.
    pub(crate) fn multiply(
        &self,
        rows: usize,
        left: Left<'_>,
        depths: std::ops::Range<usize>,
        cols: std::ops::Range<usize>,
        out: &mut Out<'_>,
    ) {
        debug_assert!(cols.start.is_multiple_of(COLS) && cols.end <= self.cols && depths.end <= self.depth);
        let mut sums: Sums = [[0.0; COLS]; ROWS];
        for col in cols.clone().step_by(COLS) {
            let base = (col / COLS) * self.depth * COLS;
            let panel = &self.values[base + depths.start * COLS..base + depths.end * COLS];
            let width = COLS.min(cols.end - col);
            for first in (0..rows).step_by(ROWS) {
                let count = ROWS.min(rows - first);
                let part = Left { values: &left.values[first * left.row_stride..], ..left };
                tile::multiply(count, depths.len(), part, panel, &mut sums);
                for (i, row) in sums.iter().enumerate().take(count) {
                    let start = (first + i) * out.stride + (col - cols.start);
                    store(&mut out.values[start..start + width], row, out.add, 1.0);
                }
            }
        }
    }
}

/// Where a sequential product goes.
pub(crate) struct Out<'a> {
    /// Values from the result's first element on.
    pub(crate) values: &'a mut [f32],
    /// Distance of two rows.
    pub(crate) stride: usize,
    /// Add to what is there.
    pub(crate) add: bool,
}

#[inline(always)]
fn store(out: &mut [f32], sums: &[f32; COLS], add: bool, scale: f32) {
    if add {
        for (o, &s) in out.iter_mut().zip(sums) {
            *o += s * scale;
        }
    } else {
        for (o, &s) in out.iter_mut().zip(sums) {
            *o = s * scale;
        }
    }
}

/// What a product does to its output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mode {
    /// Add to what is there instead of replacing it.
    pub(crate) add: bool,
    /// Factor of the product.
    pub(crate) scale: f32,
}

/// Replaces the output.
pub(crate) const SET: Mode = Mode { add: false, scale: 1.0 };
/// Adds to the output.
pub(crate) const ADD: Mode = Mode { add: true, scale: 1.0 };

/// The output of a parallel product: each task writes its own rectangle.
pub(crate) struct Shared<'a> {
    start: *mut f32,
    length: usize,
    stride: usize,
    owner: PhantomData<&'a mut [f32]>,
}

// SAFETY: tasks write disjoint rectangles (own rows, own columns), and the owner waits for all of them.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    /// Rows of `stride` over `values`.
    pub(crate) fn new(values: &'a mut [f32], stride: usize) -> Self {
        Self { start: values.as_mut_ptr(), length: values.len(), stride, owner: PhantomData }
    }

    /// # Safety
    /// No two threads may hold overlapping pieces at the same time.
    #[allow(clippy::mut_from_ref)]
    pub(crate) unsafe fn piece(&self, row: usize, col: usize, width: usize) -> &mut [f32] {
        let at = row * self.stride + col;
        assert!(at + width <= self.length, "a piece past the end of the output");
        // SAFETY: in bounds by the assert, exclusive by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(at), width) }
    }
}

thread_local! {
    static PANEL: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// `out (rows, cols) = left (rows, depth) x right (depth, cols)`, all cores. `out` rows are `right.cols` apart.
pub(crate) fn multiply(rows: usize, left: Left<'_>, right: &Right<'_>, out: &mut [f32], mode: Mode) {
    let (cols, depth) = (right.cols, right.depth);
    assert!(out.len() >= rows * cols, "output too short");
    if rows == 0 || cols == 0 {
        return;
    }
    let panels = cols.div_ceil(COLS);
    let share = rows_per_task(rows, panels);
    let shared = Shared::new(out, cols);
    (0..panels * rows.div_ceil(share)).into_par_iter().for_each(|task| {
        let (panel, block) = (task % panels, task / panels);
        let range = block * share..rows.min((block + 1) * share);
        PANEL.with_borrow_mut(|buffer| {
            let step = stretch(depth);
            buffer.resize(step * COLS, 0.0);
            for from in (0..depth).step_by(step) {
                let to = depth.min(from + step);
                right.pack(from, to, panel * COLS, buffer);
                let mode = Mode { add: mode.add || from > 0, ..mode };
                one_panel(range.clone(), left, from..to, buffer, &shared, panel * COLS, cols, mode);
            }
        });
    });
}

/// Enough tasks for the threads to share evenly, none smaller than the packing of its panel is worth.
fn rows_per_task(rows: usize, panels: usize) -> usize {
    let wanted = (4 * rayon::current_num_threads()).div_ceil(panels).max(1);
    rows.div_ceil(wanted).max(TASK_ROWS).next_multiple_of(ROWS)
}

#[allow(clippy::too_many_arguments)]
fn one_panel(
    rows: std::ops::Range<usize>,
    left: Left<'_>,
    depths: std::ops::Range<usize>,
    panel: &[f32],
    out: &Shared<'_>,
    col: usize,
    cols: usize,
    mode: Mode,
) {
    let width = COLS.min(cols - col);
    let mut sums: Sums = [[0.0; COLS]; ROWS];
    for first in rows.clone().step_by(ROWS) {
        let count = ROWS.min(rows.end - first);
        let start = first * left.row_stride + depths.start * left.depth_stride;
        let part = Left { values: &left.values[start..], ..left };
        tile::multiply(count, depths.len(), part, panel, &mut sums);
        for (i, row) in sums.iter().enumerate().take(count) {
            // SAFETY: this task alone owns these rows in these columns.
            let piece = unsafe { out.piece(first + i, col, width) };
            store(piece, row, mode.add, mode.scale);
        }
    }
}

/// A left operand with contiguous rows of `depth`.
pub(crate) fn rows_of(values: &[f32], depth: usize) -> Left<'_> {
    Left { values, row_stride: depth, depth_stride: 1 }
}

/// The transpose of a row-major matrix with rows of `cols` as a left operand: (cols, rows).
pub(crate) fn columns_of(values: &[f32], cols: usize) -> Left<'_> {
    Left { values, row_stride: 1, depth_stride: cols }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn noise(n: usize, seed: u64) -> Vec<f32> {
        let mut state = seed | 1;
        (0..n)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 40) as f32 / 8_388_608.0 - 1.0
            })
            .collect()
    }

    fn plain_product(a: &[f32], b: impl Fn(usize, usize) -> f32, rows: usize, depth: usize, cols: usize) -> Vec<f64> {
        (0..rows * cols)
            .map(|at| (0..depth).map(|p| f64::from(a[at / cols * depth + p]) * f64::from(b(p, at % cols))).sum())
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn equals_the_plain_product(rows in 1usize..70, depth in 1usize..1300, cols in 1usize..80, seed: u64) {
            let (a, b) = (noise(rows * depth, seed), noise(depth * cols, seed ^ 7));
            let mut out = vec![0.5; rows * cols];
            multiply(rows, rows_of(&a, depth), &Right::plain(Values::F32(&b), depth, cols), &mut out, SET);
            let want = plain_product(&a, |p, j| b[p * cols + j], rows, depth, cols);
            for (x, y) in out.iter().zip(&want) { prop_assert!((f64::from(*x) - y).abs() < 2e-4, "{x} {y}"); }

            multiply(rows, rows_of(&a, depth), &Right::transposed(Values::F32(&b), cols, depth), &mut out, SET);
            let want = plain_product(&a, |p, j| b[j * depth + p], rows, depth, cols);
            for (x, y) in out.iter().zip(&want) { prop_assert!((f64::from(*x) - y).abs() < 2e-4, "{x} {y}"); }
        }

        /// The ground of batch-independent evaluation: each row alone gives the same bits as all together.
        #[test]
        fn a_row_does_not_depend_on_its_neighbours(rows in 2usize..40, depth in 1usize..1300, cols in 1usize..80, seed: u64) {
            let (a, b) = (noise(rows * depth, seed), noise(depth * cols, seed ^ 7));
            let right = Right::transposed(Values::F32(&b), cols, depth);
            let mut together = vec![0.0; rows * cols];
            multiply(rows, rows_of(&a, depth), &right, &mut together, SET);
            for i in 0..rows {
                let mut alone = vec![0.0; cols];
                multiply(1, rows_of(&a[i * depth..], depth), &right, &mut alone, SET);
                prop_assert_eq!(&alone[..], &together[i * cols..(i + 1) * cols]);
            }
        }

        #[test]
        fn packed_parts_add_up(rows in 1usize..30, depth in 2usize..200, cols in 1usize..80, seed: u64) {
            let (a, b) = (noise(rows * depth, seed), noise(depth * cols, seed ^ 7));
            let packed = Packed::new(&Right::plain(Values::F32(&b), depth, cols));
            let cut = depth / 2;
            let mut out = vec![0.0; rows * cols];
            for (range, add) in [(0..cut, false), (cut..depth, true)] {
                let left = Left { values: &a[range.start..], row_stride: depth, depth_stride: 1 };
                packed.multiply(rows, left, range, 0..cols, &mut Out { values: &mut out, stride: cols, add });
            }
            let want = plain_product(&a, |p, j| b[p * cols + j], rows, depth, cols);
            for (x, y) in out.iter().zip(&want) { prop_assert!((f64::from(*x) - y).abs() < 2e-4, "{x} {y}"); }
        }
    }

    #[test]
    fn adds_scales_and_transposes() {
        let a = noise(6 * 5, 1); // (6, 5), used as its transpose (5, 6)
        let b = noise(6 * 3, 2);
        let mut out = vec![1.0; 5 * 3];
        multiply(5, columns_of(&a, 5), &Right::plain(Values::F32(&b), 6, 3), &mut out, Mode { add: true, scale: 0.5 });
        for i in 0..5 {
            for j in 0..3 {
                let want = 1.0 + 0.5 * (0..6).map(|p| a[p * 5 + i] * b[p * 3 + j]).sum::<f32>();
                assert!((out[i * 3 + j] - want).abs() < 1e-5);
            }
        }
    }
}
