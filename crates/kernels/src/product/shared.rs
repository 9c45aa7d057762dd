//! An output that tasks share: each writes its own rectangle. Never here: what is written.

use std::{marker::PhantomData, mem::MaybeUninit};

use super::call::{COLS, TilePlace, Write};
use crate::memory::written_part;

/// The output of a parallel product, as often as it is needed.
#[derive(Clone, Copy)]
pub(crate) struct SharedOutput<'a> {
    start: *mut f32,
    length: usize,
    stride: usize,
    owner: PhantomData<&'a mut [f32]>,
}

// SAFETY: tasks write disjoint rectangles (own rows, own columns), and the owner waits for all
// of them.
unsafe impl Sync for SharedOutput<'_> {}
// SAFETY: as above.
unsafe impl Send for SharedOutput<'_> {}

impl<'a> SharedOutput<'a> {
    /// Rows of `stride` over `room`.
    pub(crate) fn new(room: &'a mut [MaybeUninit<f32>], stride: usize) -> Self {
        Self {
            start: room.as_mut_ptr().cast(),
            length: room.len(),
            stride,
            owner: PhantomData,
        }
    }

    /// Rows of `stride` over `values`.
    pub(crate) fn over(values: &'a mut [f32], stride: usize) -> Self {
        Self {
            start: values.as_mut_ptr(),
            length: values.len(),
            stride,
            owner: PhantomData,
        }
    }

    /// Raw place of a tile of `rows` whole-width rows.
    pub(crate) fn place(&self, row: usize, rows: usize, col: usize, write: Write) -> TilePlace {
        let at = row * self.stride + col;
        assert!(
            rows > 0 && at + (rows - 1) * self.stride + COLS <= self.length,
            "a tile past the end of the output"
        );
        TilePlace {
            // SAFETY: in bounds by the assert.
            out: unsafe { self.start.add(at) },
            stride: self.stride,
            write,
        }
    }

    /// A piece of a row, to be written.
    ///
    /// # Safety
    /// No two threads may hold overlapping pieces at the same time.
    #[allow(clippy::mut_from_ref)]
    pub(crate) unsafe fn room(
        &self,
        row: usize,
        col: usize,
        width: usize,
    ) -> &mut [MaybeUninit<f32>] {
        let at = row * self.stride + col;
        assert!(
            at + width <= self.length,
            "a piece past the end of the output"
        );
        // SAFETY: in bounds by the assert, exclusive by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(at).cast(), width) }
    }

    /// A piece of a row that was written before.
    ///
    /// # Safety
    /// As [`SharedOutput::room`], and all values of the piece were written.
    #[allow(clippy::mut_from_ref)]
    pub(crate) unsafe fn piece(&self, row: usize, col: usize, width: usize) -> &mut [f32] {
        // SAFETY: the caller's promises.
        unsafe { written_part(self.room(row, col, width)) }
    }
}
