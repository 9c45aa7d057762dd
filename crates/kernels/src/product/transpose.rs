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
    {
        let step = match instruction_set() {
            InstructionSet::Portable | InstructionSet::Neon => COLS,
            InstructionSet::Avx2 => 8,
            InstructionSet::Avx512 | InstructionSet::Avx512Bf16 => 16,
        };
        for (i, j) in squares(step) {
            // SAFETY: in bounds by the assert; the instruction set is available.
            unsafe {
                let from = from.as_ptr().add(i * from_stride + j);
                let to = to.as_mut_ptr().add(j * to_stride + i);
                if step == 16 {
                    x86::transpose16(from, from_stride, to, to_stride);
                } else {
                    x86::transpose8(from, from_stride, to, to_stride);
                }
            }
        }
        if step < COLS {
            return;
        }
    }
    for (i, row) in from.chunks(from_stride).take(COLS).enumerate() {
        for (j, &value) in row.iter().take(COLS).enumerate() {
            to[j * to_stride + i] = value;
        }
    }
}

/// Corners of the squares of `step` that a block is cut into; none of one square.
#[cfg(target_arch = "x86_64")]
fn squares(step: usize) -> impl Iterator<Item = (usize, usize)> {
    let corners = move || (0..COLS).step_by(step).filter(move |_| step < COLS);
    corners().flat_map(move |i| corners().map(move |j| (i, j)))
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
}
