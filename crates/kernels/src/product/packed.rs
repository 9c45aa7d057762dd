//! A right operand packed whole, for one that is read many times, and the sequential product
//! with it. Never here: products of all cores ([`super`]).

use super::{
    call::{COLS, ROWS, Sums, TilePlace, Write},
    operands::{LeftOperand, RightOperand},
    tile,
};

/// A right operand packed whole: all panels one after another.
pub(crate) struct Packed {
    values: Vec<f32>,
    depth: usize,
    cols: usize,
}

impl Packed {
    /// Packs `right`.
    pub(crate) fn new(right: &RightOperand<'_>) -> Self {
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
        left: LeftOperand<'_>,
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
            for (first, count) in tile::row_tiles(0..rows) {
                let part = LeftOperand {
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
    /// How the sums are written.
    pub(crate) write: Write,
}

impl Out<'_> {
    /// Has `run` write a tile of `rows` rows whose first element is at `start`: in place where
    /// it has all its columns, else by way of a tile aside, of which `width` columns are taken.
    fn take(&mut self, start: usize, rows: usize, width: usize, run: impl FnOnce(TilePlace)) {
        let values = &mut self.values[start..];
        assert!(
            rows > 0 && (rows - 1) * self.stride + width <= values.len(),
            "a tile past the end of the output"
        );
        if width == COLS {
            return run(TilePlace {
                out: values.as_mut_ptr(),
                stride: self.stride,
                write: self.write,
            });
        }
        let mut sums: Sums = [[0.0; COLS]; ROWS];
        for (sums, values) in sums.iter_mut().zip(values.chunks(self.stride)).take(rows) {
            sums[..width].copy_from_slice(&values[..width]);
        }
        run(TilePlace {
            out: sums.as_mut_ptr().cast(),
            stride: COLS,
            write: self.write,
        });
        for (sums, values) in sums.iter().zip(values.chunks_mut(self.stride)).take(rows) {
            values[..width].copy_from_slice(&sums[..width]);
        }
    }
}
