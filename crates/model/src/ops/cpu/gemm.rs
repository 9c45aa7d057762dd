//! Operands and outputs of matrix products on the CPU: values seen as a right operand in either
//! order, an operand packed whole for a sequential product, and an output that tasks share. The
//! parallel product is [`super::product`].

use std::marker::PhantomData;

use super::tile::{self, COLS, Left, Place, ROWS, Sums, Write};

/// The values of a right operand, as stored.
#[derive(Clone, Copy)]
pub(crate) enum Values<'a> {
    /// 32-bit floats.
    F32(&'a [f32]),
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
        Self {
            values,
            depth: inner,
            cols: out,
            stride: inner,
            order: Order::Transposed,
        }
    }

    /// A matrix (depth, cols) used as it stands.
    pub(crate) fn plain(values: Values<'a>, depth: usize, cols: usize) -> Self {
        Self {
            values,
            depth,
            cols,
            stride: cols,
            order: Order::Plain,
        }
    }

    /// Rows `from..to` of columns `col..col + COLS` and their distance, where whole rows of
    /// them lie in memory as they are.
    pub(crate) fn in_place(
        &self,
        from: usize,
        to: usize,
        col: usize,
    ) -> Option<(&'a [f32], usize)> {
        match (self.order, self.values) {
            (Order::Plain, Values::F32(v)) if col + COLS <= self.cols && from < to => Some((
                &v[from * self.stride + col..(to - 1) * self.stride + col + COLS],
                self.stride,
            )),
            _ => None,
        }
    }

    /// Gathers rows `from..to` of the contracted dimension of columns `col..col + COLS`;
    /// missing columns are zero.
    pub(crate) fn pack(&self, from: usize, to: usize, col: usize, panel: &mut [f32]) {
        let width = COLS.min(self.cols - col);
        let panel = &mut panel[..(to - from) * COLS];
        if width < COLS {
            panel.fill(0.0);
        }
        match (self.order, self.values) {
            (Order::Plain, Values::F32(v)) => self.pack_plain(v, from, col, width, panel),
            (Order::Transposed, Values::F32(v)) => self.pack_transposed(v, from, col, width, panel),
        }
    }

    fn pack_plain(&self, v: &[f32], from: usize, col: usize, width: usize, panel: &mut [f32]) {
        for (p, row) in panel.chunks_exact_mut(COLS).enumerate() {
            let start = (from + p) * self.stride + col;
            row[..width].copy_from_slice(&v[start..start + width]);
        }
    }

    /// Sixteen elements of every column at a time, so that the part of the panel being written
    /// stays in the first cache.
    fn pack_transposed(&self, v: &[f32], from: usize, col: usize, width: usize, panel: &mut [f32]) {
        let depth = panel.len() / COLS;
        for (block, part) in panel.chunks_mut(16 * COLS).enumerate() {
            let p = block * 16;
            let count = 16.min(depth - p);
            for j in 0..width {
                let start = (col + j) * self.stride + from + p;
                for (q, &x) in v[start..start + count].iter().enumerate() {
                    part[q * COLS + j] = x;
                }
            }
        }
    }
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
        for (panel, part) in values
            .chunks_exact_mut((right.depth * COLS).max(1))
            .enumerate()
        {
            right.pack(0, right.depth, panel * COLS, part);
        }
        Self {
            values,
            depth: right.depth,
            cols: right.cols,
        }
    }

    /// `out[i][j] (+)= sum over p in depth_range of left[i][p] * right[p][j]` for the columns
    /// of whole panels `col..col + cols`; `col` is a multiple of [`COLS`]. `left` starts at the
    /// range's first element. Sequential.
    pub(crate) fn multiply(
        &self,
        rows: usize,
        left: Left<'_>,
        depths: std::ops::Range<usize>,
        cols: std::ops::Range<usize>,
        out: &mut Out<'_>,
    ) {
        assert!(
            cols.start.is_multiple_of(COLS) && cols.end <= self.cols && depths.end <= self.depth
        );
        for col in cols.clone().step_by(COLS) {
            let base = (col / COLS) * self.depth * COLS;
            let panel = &self.values[base + depths.start * COLS..base + depths.end * COLS];
            let width = COLS.min(cols.end - col);
            for first in (0..rows).step_by(ROWS) {
                let count = ROWS.min(rows - first);
                let part = Left {
                    values: &left.values[first * left.row_stride..],
                    ..left
                };
                let start = first * out.stride + (col - cols.start);
                out.take(start, count, width, |place| {
                    // SAFETY: `take` gives a place of `count` rows of a tile that nobody else
                    // has.
                    unsafe { tile::multiply_into(count, depths.len(), part, panel, COLS, place) }
                });
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
    /// What becomes of what is there.
    pub(crate) write: Write,
}

impl Out<'_> {
    /// Has `run` write a tile of `rows` rows whose first element is at `start`: in place where
    /// it has all its columns, else by way of a tile aside, of which `width` columns are taken.
    fn take(&mut self, start: usize, rows: usize, width: usize, run: impl FnOnce(Place)) {
        let values = &mut self.values[start..];
        assert!(
            rows > 0 && (rows - 1) * self.stride + width <= values.len(),
            "a tile past the end of the output"
        );
        if width == COLS {
            return run(Place {
                out: values.as_mut_ptr(),
                stride: self.stride,
                write: self.write,
            });
        }
        let mut sums: Sums = [[0.0; COLS]; ROWS];
        for (sums, values) in sums.iter_mut().zip(values.chunks(self.stride)).take(rows) {
            sums[..width].copy_from_slice(&values[..width]);
        }
        run(Place {
            out: sums.as_mut_ptr().cast(),
            stride: COLS,
            write: self.write,
        });
        for (sums, values) in sums.iter().zip(values.chunks_mut(self.stride)).take(rows) {
            values[..width].copy_from_slice(&sums[..width]);
        }
    }
}

/// The output of a parallel product, as often as it is needed: each task writes its own
/// rectangle.
#[derive(Clone, Copy)]
pub(crate) struct Shared<'a> {
    start: *mut f32,
    length: usize,
    stride: usize,
    owner: PhantomData<&'a mut [f32]>,
}

// SAFETY: tasks write disjoint rectangles (own rows, own columns), and the owner waits for all
// of them.
unsafe impl Sync for Shared<'_> {}
// SAFETY: as above.
unsafe impl Send for Shared<'_> {}

impl<'a> Shared<'a> {
    /// Rows of `stride` over `values`.
    pub(crate) fn new(values: &'a mut [f32], stride: usize) -> Self {
        Self {
            start: values.as_mut_ptr(),
            length: values.len(),
            stride,
            owner: PhantomData,
        }
    }

    /// Raw place of a tile of `rows` whole-width rows.
    pub(crate) fn place(&self, row: usize, rows: usize, col: usize, write: Write) -> Place {
        let at = row * self.stride + col;
        assert!(
            rows > 0 && at + (rows - 1) * self.stride + COLS <= self.length,
            "a tile past the end of the output"
        );
        // SAFETY: in bounds by the assert.
        Place {
            out: unsafe { self.start.add(at) },
            stride: self.stride,
            write,
        }
    }

    /// # Safety
    /// No two threads may hold overlapping pieces at the same time.
    #[allow(clippy::mut_from_ref)]
    pub(crate) unsafe fn piece(&self, row: usize, col: usize, width: usize) -> &mut [f32] {
        let at = row * self.stride + col;
        assert!(
            at + width <= self.length,
            "a piece past the end of the output"
        );
        // SAFETY: in bounds by the assert, exclusive by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(at), width) }
    }
}

/// A left operand with contiguous rows of `depth`.
pub(crate) fn rows_of(values: &[f32], depth: usize) -> Left<'_> {
    Left {
        values,
        row_stride: depth,
        depth_stride: 1,
    }
}

/// The transpose of a row-major matrix with rows of `cols` as a left operand: (cols, rows).
pub(crate) fn columns_of(values: &[f32], cols: usize) -> Left<'_> {
    Left {
        values,
        row_stride: 1,
        depth_stride: cols,
    }
}
