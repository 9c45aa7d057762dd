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
    if instruction_set() >= InstructionSet::Avx512 {
        for i in [0, 16] {
            for j in [0, 16] {
                // SAFETY: in bounds by the assert; the instruction set is available.
                unsafe {
                    x86::transpose16(
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
