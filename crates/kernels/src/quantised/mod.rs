//! Matrices that stay quantised in memory and are decoded a piece at a time: ggml's blocks as a
//! GGUF file holds them, and the 4-bit codes of bitsandbytes (arXiv 2305.14314, section 3).
//! Never here: products, names of tensors, devices.

mod groups;
mod k_quants;
mod nf4;

use std::{ops::Range, sync::Arc};

use rayon::prelude::*;

use crate::error::KernelError;

pub use nf4::{CodeTable, NestedScales};

/// Values that share at least a scale in every format; pieces start at a multiple of it.
pub const GROUP: usize = 32;

/// How the values of a matrix are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockFormat {
    /// 4 bits and a scale for 32 values.
    Q4_0,
    /// 4 bits, a scale and a minimum for 32 values.
    Q4_1,
    /// 5 bits and a scale for 32 values.
    Q5_0,
    /// 5 bits, a scale and a minimum for 32 values.
    Q5_1,
    /// 8 bits and a scale for 32 values.
    Q8_0,
    /// 2 bits, 4-bit scales and minima for 16 values, in blocks of 256.
    Q2K,
    /// 3 bits and 6-bit scales for 16 values, in blocks of 256.
    Q3K,
    /// 4 bits, 6-bit scales and minima for 32 values, in blocks of 256.
    Q4K,
    /// 5 bits, 6-bit scales and minima for 32 values, in blocks of 256.
    Q5K,
    /// 6 bits and 8-bit scales for 16 values, in blocks of 256.
    Q6K,
    /// 4-bit places in a table of normal quantiles, and a scale for each run of the flattened
    /// matrix.
    Nf4,
    /// As [`BlockFormat::Nf4`], the table being that of a 4-bit float.
    Fp4,
}

/// Writes values `from..` of a row, given the row's bytes.
type DecodeRow = fn(row: &[u8], from: usize, out: &mut [f32]);

impl BlockFormat {
    /// By ggml's type number; `None` for types without blocks.
    pub fn of_ggml(ggml_type: u32) -> Option<Self> {
        Some(match ggml_type {
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            6 => Self::Q5_0,
            7 => Self::Q5_1,
            8 => Self::Q8_0,
            10 => Self::Q2K,
            11 => Self::Q3K,
            12 => Self::Q4K,
            13 => Self::Q5K,
            14 => Self::Q6K,
            _ => return None,
        })
    }

    /// Values and bytes of a block, and its decoder; `None` for the formats of bitsandbytes.
    fn block(self) -> Option<(usize, usize, DecodeRow)> {
        Some(match self {
            Self::Q4_0 => (GROUP, groups::Q4_0, groups::q4_0),
            Self::Q4_1 => (GROUP, groups::Q4_1, groups::q4_1),
            Self::Q5_0 => (GROUP, groups::Q5_0, groups::q5_0),
            Self::Q5_1 => (GROUP, groups::Q5_1, groups::q5_1),
            Self::Q8_0 => (GROUP, groups::Q8_0, groups::q8_0),
            Self::Q2K => (k_quants::VALUES, k_quants::Q2K, k_quants::q2k),
            Self::Q3K => (k_quants::VALUES, k_quants::Q3K, k_quants::q3k),
            Self::Q4K => (k_quants::VALUES, k_quants::Q4K, k_quants::q4k),
            Self::Q5K => (k_quants::VALUES, k_quants::Q5K, k_quants::q5k),
            Self::Q6K => (k_quants::VALUES, k_quants::Q6K, k_quants::q6k),
            Self::Nf4 | Self::Fp4 => return None,
        })
    }
}

/// BlockBytes of a matrix.
pub enum BlockBytes {
    /// In memory.
    Owned(Vec<u8>),
    /// A part of bytes that others hold too, such as a mapped file; used in place.
    Shared {
        /// The bytes, kept as long as this part.
        owner: Arc<dyn AsRef<[u8]> + Send + Sync>,
        /// The part; inside the bytes.
        range: Range<usize>,
    },
}

impl BlockBytes {
    fn slice(&self) -> &[u8] {
        match self {
            Self::Owned(bytes) => bytes,
            Self::Shared { owner, range } => &(**owner).as_ref()[range.clone()],
        }
    }
}

/// A matrix (rows, width) of quantised values.
pub struct Blocks {
    format: BlockFormat,
    rows: usize,
    width: usize,
    bytes: BlockBytes,
    layout: BlockLayout,
}

enum BlockLayout {
    /// Each row is a whole number of ggml's blocks.
    Rows {
        length: usize,
        decode: DecodeRow,
        /// The stored row of each row, where the file's order is another.
        order: Option<Box<[u32]>>,
    },
    /// Codes of the flattened matrix, the first of a pair in the high half of a byte.
    Flat(CodeTable),
}

impl Blocks {
    /// A matrix of ggml's blocks. `order` holds the stored row of each row where rows are
    /// stored in another order.
    ///
    /// # Errors
    /// What does not fit: a width that is not a whole number of blocks, a wrong number of bytes,
    /// an order that is none.
    pub fn from_ggml(
        format: BlockFormat,
        bytes: BlockBytes,
        (rows, width): (usize, usize),
        order: Option<Box<[u32]>>,
    ) -> Result<Self, KernelError> {
        let Some((values, size, decode)) = format.block() else {
            return misfit(format!("{format:?} is none of ggml's"));
        };
        if !width.is_multiple_of(values) {
            return misfit(format!(
                "rows of {width} values are no whole blocks of {values} ({format:?})"
            ));
        }
        let (length, have) = (width / values * size, bytes.slice().len());
        if rows.checked_mul(length) != Some(have) {
            return misfit(format!(
                "{have} bytes, but {rows} rows of {width} values are {rows} x {length} ({format:?})"
            ));
        }
        if order
            .as_ref()
            .is_some_and(|o| o.len() != rows || o.iter().any(|&row| row as usize >= rows))
        {
            return misfit(format!("the order of its rows is not one of {rows}"));
        }
        Ok(Self {
            format,
            rows,
            width,
            bytes,
            layout: BlockLayout::Rows {
                length,
                decode,
                order,
            },
        })
    }

    /// A matrix of 4-bit codes into `table`.
    ///
    /// # Errors
    /// What does not fit: an odd width, a wrong number of codes or scales.
    pub fn from_table(
        format: BlockFormat,
        bytes: BlockBytes,
        (rows, width): (usize, usize),
        table: CodeTable,
    ) -> Result<Self, KernelError> {
        if !width.is_multiple_of(2) {
            return misfit(format!("rows of {width} values; 4-bit codes come in pairs"));
        }
        let have = bytes.slice().len();
        if rows.checked_mul(width / 2) != Some(have) {
            return misfit(format!(
                "{have} bytes of codes, but {rows} rows of {width} values are {rows} x {}",
                width / 2
            ));
        }
        table.check(2 * have)?;
        Ok(Self {
            format,
            rows,
            width,
            bytes,
            layout: BlockLayout::Flat(table),
        })
    }

    /// Quantises a matrix (rows, width) to NF4 as bitsandbytes does: blocks of 64 of the
    /// flattened matrix, scales in f32.
    ///
    /// # Errors
    /// An odd width, a wrong number of values, NaN or infinity.
    pub fn quantise_nf4(
        values: &[f32],
        (rows, width): (usize, usize),
    ) -> Result<Self, KernelError> {
        let (codes, table) = nf4::quantise(values)?;
        Self::from_table(
            BlockFormat::Nf4,
            BlockBytes::Owned(codes),
            (rows, width),
            table,
        )
    }

    /// Decodes values `from..from + out.len()` of a row. `from` is a multiple of [`GROUP`].
    pub fn decode(&self, row: usize, from: usize, out: &mut [f32]) {
        assert!(
            row < self.rows && from.is_multiple_of(GROUP) && from + out.len() <= self.width,
            "values {from} and {} more of row {row} of a matrix ({}, {})",
            out.len(),
            self.rows,
            self.width
        );
        match &self.layout {
            BlockLayout::Rows {
                length,
                decode,
                order,
            } => {
                let stored = order.as_ref().map_or(row, |order| order[row] as usize);
                decode(
                    &self.bytes.slice()[stored * length..(stored + 1) * length],
                    from,
                    out,
                );
            }
            BlockLayout::Flat(table) => {
                table.decode(self.bytes.slice(), row * self.width + from, out)
            }
        }
    }

    /// All values, row after row.
    pub fn to_floats(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.rows * self.width];
        if self.width > 0 {
            values
                .par_chunks_exact_mut(self.width)
                .enumerate()
                .for_each(|(row, out)| self.decode(row, 0, out));
        }
        values
    }
}

impl Blocks {
    /// Rows: `out` of a weight.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Values of a row: `in` of a weight.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How the values are stored.
    pub fn format(&self) -> BlockFormat {
        self.format
    }

    /// BlockBytes that the matrix takes, in memory or in its mapped file.
    pub fn bytes(&self) -> usize {
        let more = match &self.layout {
            BlockLayout::Rows { order, .. } => order.as_ref().map_or(0, |order| 4 * order.len()),
            BlockLayout::Flat(table) => table.bytes(),
        };
        self.bytes.slice().len() + more
    }
}

/// Refuses sizes that do not fit together.
fn misfit<T>(problem: impl Into<String>) -> Result<T, KernelError> {
    Err(KernelError::Blocks(problem.into()))
}

#[cfg(test)]
mod tests;
