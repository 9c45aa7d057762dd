//! The tile's kernel for 64-bit ARM: NEON, which every such processor has.

use std::arch::aarch64::*;

use super::call::{COLS, Call, KernelsByRows, Write};

pub(super) const NEON: KernelsByRows = &[
    neon::<1>, neon::<2>, neon::<3>, neon::<4>, neon::<5>, neon::<6>,
];

/// Registers of a half's columns.
const WIDE: usize = 4;

/// One half of the columns after the other: 6 x 4 sums, 4 columns and a row value are 29 of 32
/// registers.
///
/// # Safety
/// The operands must be readable at all `R` rows and the call's depth, the place writable at
/// `R` rows.
#[target_feature(enable = "neon")]
unsafe fn neon<const R: usize>(call: &Call<f32, f32>) {
    for half in [0, COLS / 2] {
        // SAFETY: promised by the caller, whose operands have 32 columns.
        unsafe { neon_half::<R>(call, half) };
    }
}

/// Sixteen columns from column `from` on.
///
/// # Safety
/// As [`neon`].
#[inline]
#[target_feature(enable = "neon")]
unsafe fn neon_half<const R: usize>(call: &Call<f32, f32>, from: usize) {
    let mut sums = [[vdupq_n_f32(0.0); WIDE]; R];
    // SAFETY: promised by the caller.
    unsafe {
        let (panel, out) = (call.panel.add(from), call.place.out.add(from));
        if call.place.write == Write::Continue {
            for i in 0..R {
                for j in 0..WIDE {
                    sums[i][j] = vld1q_f32(out.add(i * call.place.stride + 4 * j));
                }
            }
        }
        for p in 0..call.depth {
            let columns: [float32x4_t; WIDE] =
                std::array::from_fn(|j| vld1q_f32(panel.add(p * call.panel_stride + 4 * j)));
            let at = call.a.add(p * call.depth_stride);
            for i in 0..R {
                let x = *at.add(i * call.row_stride);
                for j in 0..WIDE {
                    sums[i][j] = vfmaq_n_f32(sums[i][j], columns[j], x);
                }
            }
        }
        for i in 0..R {
            for j in 0..WIDE {
                let out = out.add(i * call.place.stride + 4 * j);
                let sum = match call.place.write {
                    Write::Add => vaddq_f32(vld1q_f32(out), sums[i][j]),
                    Write::Set | Write::Continue => sums[i][j],
                };
                vst1q_f32(out, sum);
            }
        }
    }
}
