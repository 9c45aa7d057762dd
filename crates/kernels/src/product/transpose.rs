//! Blocks of 32 x 32 values transposed, which is what packing a weight is made of.

use super::call::COLS;
#[cfg(target_arch = "x86_64")]
use super::x86;
#[cfg(target_arch = "x86_64")]
use crate::isa::{InstructionSet, instruction_set};

/// `to[j * to_stride + i] = from[i * from_stride + j]` for 32 x 32 values.
pub(crate) fn transpose(from: &[f32], from_stride: usize, to: &mut [f32], to_stride: usize) {
    assert!(
        from.len() >= length(from_stride) && to.len() >= length(to_stride),
        "a block past the end"
    );
    #[cfg(target_arch = "x86_64")]
    if let Some((size, transpose)) = square() {
        for i in (0..COLS).step_by(size) {
            for j in (0..COLS).step_by(size) {
                // SAFETY: in bounds by the assert; the instruction set is available.
                unsafe {
                    transpose(
                        from.as_ptr().add(i * from_stride + j),
                        from_stride,
                        to.as_mut_ptr().add(j * to_stride + i),
                        to_stride,
                    );
                }
            }
        }
        return;
    }
    for (i, row) in from.chunks(from_stride).take(COLS).enumerate() {
        for (j, &value) in row.iter().take(COLS).enumerate() {
            to[j * to_stride + i] = value;
        }
    }
}

/// Transposes a square: from, its stride, to, its stride.
#[cfg(target_arch = "x86_64")]
type Square = unsafe fn(*const f32, usize, *mut f32, usize);

/// The square that the instruction set in use transposes at once, and its side.
#[cfg(target_arch = "x86_64")]
fn square() -> Option<(usize, Square)> {
    match instruction_set() {
        InstructionSet::Avx512 | InstructionSet::Avx512Bf16 => Some((16, x86::transpose16)),
        InstructionSet::Avx2 => Some((8, x86::transpose8)),
        InstructionSet::Portable | InstructionSet::Neon => None,
    }
}

/// Values from a block's first element to its last.
fn length(stride: usize) -> usize {
    (COLS - 1) * stride + COLS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_transposed() {
        let from: Vec<f32> = (0..40 * 32).map(|i| i as f32).collect();
        let mut to = vec![-1.0; 35 * 32];
        transpose(&from, 40, &mut to, 35);
        for i in 0..32 {
            for j in 0..35 {
                assert_eq!(
                    to[i * 35 + j],
                    if j < 32 { (j * 40 + i) as f32 } else { -1.0 }
                );
            }
        }
    }

    /// Those of the sets that are not in use too.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn every_square_is_transposed() {
        let squares: [(InstructionSet, usize, Square); 2] = [
            (InstructionSet::Avx2, 8, x86::transpose8),
            (InstructionSet::Avx512, 16, x86::transpose16),
        ];
        let from: Vec<f32> = (0..16 * 20).map(|i| i as f32).collect();
        for (set, size, transpose) in squares {
            if !set.is_available() {
                continue;
            }
            let mut to = vec![-1.0; 16 * 18];
            // SAFETY: both hold 16 rows of 16, and the set is available.
            unsafe { transpose(from.as_ptr(), 20, to.as_mut_ptr(), 18) };
            for (at, &value) in to.iter().enumerate() {
                let (j, i) = (at / 18, at % 18);
                let is_inside = j < size && i < size;
                let want = if is_inside { (i * 20 + j) as f32 } else { -1.0 };
                assert_eq!(value, want, "{set}: {j},{i}");
            }
        }
    }
}
