//! The innermost loop of every matrix product: a tile of up to [`ROWS`] rows and [`COLS`]
//! columns, summed in f32.
//!
//! `out[i][j] (+)= sum over p of a[i][p] * panel[p][j]`, the sum taken in the order of `p` with
//! one fused multiply-add each. So a row's result does not depend on which rows share its tile:
//! the ground of evaluation being bitwise the same for any batch. Versions for each instruction
//! set are chosen at run time; the portable one is what every other processor takes.

use std::ops::Range;

#[cfg(target_arch = "aarch64")]
use super::arm;
#[cfg(target_arch = "x86_64")]
use super::x86;
use super::{
    call::{COLS, Call, DotKernel, Kernel, ROWS, Sums, TilePlace, Write},
    operands::LeftOperand,
};
use crate::isa::{InstructionSet, instruction_set};

/// Computes `rows` (at most [`ROWS`]) rows of a tile over `depth` elements. Row `p` of the
/// panel is `panel[p * panel_stride..][..COLS]`.
///
/// # Safety
/// `place` must be writable (and, but to set, readable) at `rows` rows of [`COLS`], by this
/// call alone.
pub(crate) unsafe fn multiply_into(
    rows: usize,
    depth: usize,
    left: LeftOperand<'_>,
    panel: &[f32],
    panel_stride: usize,
    place: TilePlace,
) {
    assert!(
        rows <= ROWS && left.holds(rows, depth),
        "tile of {rows} rows over {depth}: left operand too short"
    );
    assert!(
        depth == 0 || panel.len() >= (depth - 1) * panel_stride + COLS,
        "panel too short"
    );
    let kernels = kernels();
    let mut done = 0;
    while done < rows {
        // In equal parts: a kernel of few rows waits for its own sums.
        let parts = (rows - done).div_ceil(kernels.len());
        let count = (rows - done).div_ceil(parts);
        let call = Call {
            depth,
            a: left.values[(done * left.row_stride).min(left.values.len())..].as_ptr(),
            row_stride: left.row_stride,
            depth_stride: left.depth_stride,
            panel: panel.as_ptr(),
            panel_stride,
            place: TilePlace {
                // SAFETY: row `done` is one of the rows that the caller promised.
                out: unsafe { place.out.add(done * place.stride) },
                ..place
            },
        };
        // SAFETY: the asserts bound every read of the operands, the caller promised the output,
        // and the kernel's instruction set is available.
        unsafe { kernels[count - 1](&call) };
        done += count;
    }
}

/// As [`multiply_into`], with `left` rows of `stride` bf16 pairs and a panel of `depth` rows of
/// [`COLS`] pairs, by dot instructions.
///
/// # Safety
/// As [`multiply_into`]; [`InstructionSet::Avx512Bf16`] must be in use.
pub(crate) unsafe fn dot_into(
    rows: usize,
    depth: usize,
    left: &[u32],
    stride: usize,
    panel: &[u32],
    place: TilePlace,
) {
    let last = if rows == 0 || depth == 0 {
        0
    } else {
        (rows - 1) * stride + depth
    };
    assert!(
        rows <= ROWS && left.len() >= last && panel.len() >= depth * COLS,
        "dot tile of {rows} rows over {depth}"
    );
    if rows == 0 {
        return;
    }
    let call = Call {
        depth,
        a: left.as_ptr(),
        row_stride: stride,
        depth_stride: 1,
        panel: panel.as_ptr(),
        panel_stride: COLS,
        place,
    };
    // SAFETY: the assert bounds every read, the caller promised the rest.
    unsafe { dot_kernels()[rows - 1](&call) }
}

/// As [`dot_into`], into `sums`.
pub(crate) fn dot(
    rows: usize,
    depth: usize,
    left: &[u32],
    stride: usize,
    panel: &[u32],
    sums: &mut Sums,
) {
    let place = TilePlace::all_of(sums);
    // SAFETY: the sums have ROWS rows of COLS and are borrowed for this call; the instruction
    // set is asserted.
    unsafe { dot_into(rows, depth, left, stride, panel, place) }
}

/// As [`multiply_into`], into `sums`, for a packed panel of `depth` rows of [`COLS`].
pub(crate) fn multiply(
    rows: usize,
    depth: usize,
    left: LeftOperand<'_>,
    panel: &[f32],
    sums: &mut Sums,
) {
    assert!(rows <= ROWS, "tile of {rows} rows");
    let place = TilePlace::all_of(sums);
    // SAFETY: the sums have ROWS rows of COLS and are borrowed for this call.
    unsafe { multiply_into(rows, depth, left, panel, COLS, place) }
}

/// One kernel per row count, 1 to the most that this instruction set's registers hold.
fn kernels() -> &'static [Kernel] {
    match instruction_set() {
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 => x86::AVX2,
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512 | InstructionSet::Avx512Bf16 => x86::AVX512,
        #[cfg(target_arch = "aarch64")]
        InstructionSet::Neon => arm::NEON,
        _ => PORTABLE,
    }
}

/// Rows of a tile of the instruction set in use: as many as run past a panel without a part of
/// few rows; at most [`ROWS`].
pub(crate) fn tile_rows() -> usize {
    let most = kernels().len();
    ROWS / most * most
}

/// The tiles that `rows` are cut into: first row and number of rows of each.
pub(crate) fn row_tiles(rows: Range<usize>) -> impl Iterator<Item = (usize, usize)> {
    let most = tile_rows();
    let end = rows.end;
    rows.step_by(most)
        .map(move |first| (first, most.min(end - first)))
}

fn dot_kernels() -> &'static [DotKernel] {
    #[cfg(target_arch = "x86_64")]
    {
        assert!(
            instruction_set() == InstructionSet::Avx512Bf16,
            "no dot instructions in use"
        );
        x86::AVX512_BF16
    }
    #[cfg(not(target_arch = "x86_64"))]
    panic!("no dot instructions on this processor")
}

const PORTABLE: &[Kernel] = &[
    portable::<1>,
    portable::<2>,
    portable::<3>,
    portable::<4>,
    portable::<5>,
    portable::<6>,
];

/// Columns summed together: with six rows they fill 12 of the 16 registers that every x86-64 has.
const STRIP: usize = 8;

/// # Safety
/// The operands must be readable at all `R` rows and `depth` elements, the place writable at
/// `R` rows.
unsafe fn portable<const R: usize>(call: &Call<f32, f32>) {
    for from in (0..COLS).step_by(STRIP) {
        // SAFETY: promised by the caller, whose operands have 32 columns.
        unsafe { portable_strip::<R>(call, from) };
    }
}

/// The columns of a strip that begins at `from`.
///
/// # Safety
/// As [`portable`].
#[inline(always)]
unsafe fn portable_strip<const R: usize>(call: &Call<f32, f32>, from: usize) {
    let mut sums = [[0.0f32; STRIP]; R];
    // SAFETY: promised by the caller.
    let (panel, out) = unsafe { (call.panel.add(from), call.place.out.add(from)) };
    if call.place.write == Write::Continue {
        for (i, row) in sums.iter_mut().enumerate() {
            // SAFETY: promised by the caller.
            *row = unsafe { out.add(i * call.place.stride).cast::<[f32; STRIP]>().read() };
        }
    }
    for p in 0..call.depth {
        // SAFETY: promised by the caller.
        let columns = unsafe {
            panel
                .add(p * call.panel_stride)
                .cast::<[f32; STRIP]>()
                .read()
        };
        for (i, row) in sums.iter_mut().enumerate() {
            // SAFETY: promised by the caller.
            let x = unsafe { *call.a.add(i * call.row_stride + p * call.depth_stride) };
            for (sum, w) in row.iter_mut().zip(columns) {
                *sum = fused(x, w, *sum);
            }
        }
    }
    for (i, row) in sums.iter().enumerate() {
        // SAFETY: promised by the caller.
        let out = unsafe { &mut *out.add(i * call.place.stride).cast::<[f32; STRIP]>() };
        for (o, &sum) in out.iter_mut().zip(row) {
            *o = if call.place.write == Write::Add {
                *o + sum
            } else {
                sum
            };
        }
    }
}

/// Fused where the target has it in hardware; elsewhere a library call for each would be far
/// slower than two roundings.
#[inline(always)]
fn fused(x: f32, w: f32, sum: f32) -> f32 {
    if cfg!(any(target_feature = "fma", target_arch = "aarch64")) {
        x.mul_add(w, sum)
    } else {
        x * w + sum
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "x86_64")]
    use half::bf16;

    #[cfg(target_arch = "x86_64")]
    use super::super::line::{self, halves};
    use super::*;

    fn noise(n: usize, step: usize, modulus: usize) -> Vec<f32> {
        (0..n)
            .map(|i| ((i * step % modulus) as f32 - modulus as f32 / 2.0) / 300.0)
            .collect()
    }

    /// Every kernel that this processor can run, against sums in f64, set, added and continued,
    /// packed and strided panels.
    #[test]
    fn every_kernel_equals_the_plain_sum() {
        let depth = 37;
        let values = noise(ROWS * depth, 7919, 1013);
        #[allow(unused_mut)]
        let mut sets = vec![PORTABLE];
        #[cfg(target_arch = "x86_64")]
        {
            if InstructionSet::Avx512.is_available() {
                sets.push(x86::AVX512);
            }
            if InstructionSet::Avx2.is_available() {
                sets.push(x86::AVX2);
            }
        }
        #[cfg(target_arch = "aarch64")]
        sets.push(arm::NEON);
        for (set, panel_stride) in sets.into_iter().flat_map(|set| [(set, COLS), (set, 45)]) {
            let panel = noise(depth * panel_stride, 104_729, 997);
            for ((rows, kernel), write) in (1..)
                .zip(set)
                .flat_map(|k| [Write::Set, Write::Add, Write::Continue].map(|write| (k, write)))
            {
                let mut sums = [[0.25f32; COLS]; ROWS];
                let place = TilePlace {
                    out: sums.as_mut_ptr().cast(),
                    stride: COLS,
                    write,
                };
                let call = Call {
                    depth,
                    a: values.as_ptr(),
                    row_stride: depth,
                    depth_stride: 1,
                    panel: panel.as_ptr(),
                    panel_stride,
                    place,
                };
                // SAFETY: both buffers are as long as the kernel reads, the features were
                // detected.
                unsafe { kernel(&call) };
                for (i, row) in sums.iter().enumerate() {
                    for (j, &got) in row.iter().enumerate() {
                        let sum: f64 = (0..depth)
                            .map(|p| {
                                f64::from(values[i * depth + p])
                                    * f64::from(panel[p * panel_stride + j])
                            })
                            .sum();
                        let want = if i >= rows {
                            0.25
                        } else if write != Write::Set {
                            sum + 0.25
                        } else {
                            sum
                        };
                        assert!((f64::from(got) - want).abs() < 1e-3, "{rows} rows: {i},{j}");
                    }
                }
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn dot_instructions_equal_the_plain_sum() {
        if !InstructionSet::Avx512Bf16.is_available() {
            return;
        }
        let depth = 19;
        let pair = |low: f32, high: f32| line::pair(bf16::from_f32(low), bf16::from_f32(high));
        let all = noise(2 * ROWS * depth, 7919, 1013);
        let left: Vec<u32> = all.chunks(2).map(|x| pair(x[0], x[1])).collect();
        let all = noise(2 * COLS * depth, 104_729, 997);
        let panel: Vec<u32> = all.chunks(2).map(|x| pair(x[0], x[1])).collect();
        for (rows, kernel) in (1..).zip(x86::AVX512_BF16) {
            let mut sums = [[f32::NAN; COLS]; ROWS];
            let place = TilePlace {
                out: sums.as_mut_ptr().cast(),
                stride: COLS,
                write: Write::Set,
            };
            let call = Call {
                depth,
                a: left.as_ptr(),
                row_stride: depth,
                depth_stride: 1,
                panel: panel.as_ptr(),
                panel_stride: COLS,
                place,
            };
            // SAFETY: both buffers are as long as the kernel reads, the features were detected.
            unsafe { kernel(&call) };
            for (i, row) in sums.iter().enumerate() {
                for (j, &got) in row.iter().enumerate() {
                    let term = |p: usize| {
                        let ((a, b), (c, d)) =
                            (halves(left[i * depth + p]), halves(panel[p * COLS + j]));
                        f64::from(a) * f64::from(c) + f64::from(b) * f64::from(d)
                    };
                    let want: f64 = (0..depth).map(term).sum();
                    let fits = if i < rows {
                        (f64::from(got) - want).abs() < 1e-3
                    } else {
                        got.is_nan()
                    };
                    assert!(fits, "{rows} rows: {i},{j}: {got} {want}");
                }
            }
        }
    }
}
