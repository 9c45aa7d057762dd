//! Memory for results that are written before anything reads them. Filling every output with
//! zeros first costs a tenth of a training step.

use std::mem::{ManuallyDrop, MaybeUninit};

/// Room for `count` values, none of them written. Where debug assertions are on it holds
/// `unwritten`, so that a test sees what a kernel left out.
pub(crate) fn room<T: Copy>(count: usize, unwritten: T) -> Vec<MaybeUninit<T>> {
    let mut room = Vec::<MaybeUninit<T>>::with_capacity(count);
    // SAFETY: the capacity is there, and a `MaybeUninit` may be uninitialised.
    unsafe { room.set_len(count) };
    if cfg!(debug_assertions) {
        room.fill(MaybeUninit::new(unwritten));
    }
    room
}

/// [`room`] for floats; NaN until they are written.
pub(crate) fn float_room(count: usize) -> Vec<MaybeUninit<f32>> {
    room(count, f32::NAN)
}

/// The values of a room.
///
/// # Safety
/// All of them were written.
pub(crate) unsafe fn written<T>(room: Vec<MaybeUninit<T>>) -> Vec<T> {
    let mut room = ManuallyDrop::new(room);
    // SAFETY: a `MaybeUninit` has the layout of its value, the caller promised the values, and
    // the vector that owned the memory is forgotten.
    unsafe { Vec::from_raw_parts(room.as_mut_ptr().cast(), room.len(), room.capacity()) }
}

/// The values of a part of a room.
///
/// # Safety
/// All of them were written.
pub(crate) unsafe fn written_part<T>(room: &mut [MaybeUninit<T>]) -> &mut [T] {
    // SAFETY: a `MaybeUninit` has the layout of its value; the caller promised the values.
    unsafe { &mut *(std::ptr::from_mut(room) as *mut [T]) }
}

/// Values seen as a room.
///
/// # Safety
/// Only initialised values may be written to it.
pub(crate) unsafe fn as_room<T>(values: &mut [T]) -> &mut [MaybeUninit<T>] {
    // SAFETY: a `MaybeUninit` has the layout of its value; the caller keeps the values valid.
    unsafe { &mut *(std::ptr::from_mut(values) as *mut [MaybeUninit<T>]) }
}

/// Writes `values` to a room of the same length.
#[inline]
pub(crate) fn write_copy(values: &[f32], room: &mut [MaybeUninit<f32>]) {
    assert_eq!(values.len(), room.len());
    for (to, &value) in room.iter_mut().zip(values) {
        to.write(value);
    }
}
