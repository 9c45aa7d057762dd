//! Operands of matrix products: values seen as a left operand with two strides, or as a right
//! operand in either order. Never here: outputs, products.

use super::call::COLS;

/// LeftOperand operand: element `p` of row `i` is at `values[i * row_stride + p * depth_stride]`.
#[derive(Clone, Copy)]
pub(crate) struct LeftOperand<'a> {
    /// Values from the operand's first element on.
    pub(crate) values: &'a [f32],
    /// Distance of two rows.
    pub(crate) row_stride: usize,
    /// Distance of two elements of the contracted dimension.
    pub(crate) depth_stride: usize,
}

impl<'a> LeftOperand<'a> {
    /// From row `row` and element `depth` on.
    pub(crate) fn from(&self, row: usize, depth: usize) -> Self {
        Self {
            values: &self.values[row * self.row_stride + depth * self.depth_stride..],
            ..*self
        }
    }

    /// Whether `rows` rows of `depth` elements lie inside.
    pub(crate) fn holds(&self, rows: usize, depth: usize) -> bool {
        rows == 0
            || depth == 0
            || (rows - 1) * self.row_stride + (depth - 1) * self.depth_stride < self.values.len()
    }
}

/// How a right operand of `depth` x `cols` lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Row `j` holds column `j`: a weight (out, in) in x Wᵀ.
    Transposed,
    /// Row `p` holds element `p` of every column: a weight (out, in) in dy W.
    Plain,
}

/// RightOperand operand of a product.
#[derive(Clone, Copy)]
pub(crate) struct RightOperand<'a> {
    /// The values, as stored.
    pub(crate) values: &'a [f32],
    /// Length of the contracted dimension.
    pub(crate) depth: usize,
    /// Columns of the result.
    pub(crate) cols: usize,
    /// Distance of two stored rows.
    pub(crate) stride: usize,
    /// What a stored row is.
    pub(crate) order: Order,
}

impl<'a> RightOperand<'a> {
    /// A weight (out, in) used as x Wᵀ: depth `in`, `out` columns.
    pub(crate) fn transposed(values: &'a [f32], out: usize, inner: usize) -> Self {
        Self {
            values,
            depth: inner,
            cols: out,
            stride: inner,
            order: Order::Transposed,
        }
    }

    /// A matrix (depth, cols) used as it is.
    pub(crate) fn plain(values: &'a [f32], depth: usize, cols: usize) -> Self {
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
        let whole = self.order == Order::Plain && col + COLS <= self.cols && from < to;
        whole.then(|| {
            let range = from * self.stride + col..(to - 1) * self.stride + col + COLS;
            (&self.values[range], self.stride)
        })
    }

    /// Gathers rows `from..to` of the contracted dimension of columns `col..col + COLS`;
    /// missing columns are zero.
    pub(crate) fn pack(&self, from: usize, to: usize, col: usize, panel: &mut [f32]) {
        let width = COLS.min(self.cols - col);
        let panel = &mut panel[..(to - from) * COLS];
        if width < COLS {
            panel.fill(0.0);
        }
        match self.order {
            Order::Plain => self.pack_plain(from, col, width, panel),
            Order::Transposed => self.pack_transposed(from, col, width, panel),
        }
    }

    fn pack_plain(&self, from: usize, col: usize, width: usize, panel: &mut [f32]) {
        for (p, row) in panel.chunks_exact_mut(COLS).enumerate() {
            let start = (from + p) * self.stride + col;
            row[..width].copy_from_slice(&self.values[start..start + width]);
        }
    }

    /// Sixteen elements of every column at a time, so that the part of the panel being written
    /// stays in the first cache.
    fn pack_transposed(&self, from: usize, col: usize, width: usize, panel: &mut [f32]) {
        let depth = panel.len() / COLS;
        for (block, part) in panel.chunks_mut(16 * COLS).enumerate() {
            let p = block * 16;
            let count = 16.min(depth - p);
            for j in 0..width {
                let start = (col + j) * self.stride + from + p;
                for (q, &x) in self.values[start..start + count].iter().enumerate() {
                    part[q * COLS + j] = x;
                }
            }
        }
    }
}

/// A left operand with contiguous rows of `depth`.
pub(crate) fn rows_of(values: &[f32], depth: usize) -> LeftOperand<'_> {
    LeftOperand {
        values,
        row_stride: depth,
        depth_stride: 1,
    }
}

/// The transpose of a row-major matrix with rows of `cols` as a left operand: (cols, rows).
pub(crate) fn columns_of(values: &[f32], cols: usize) -> LeftOperand<'_> {
    LeftOperand {
        values,
        row_stride: 1,
        depth_stride: cols,
    }
}
