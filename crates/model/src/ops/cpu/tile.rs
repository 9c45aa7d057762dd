//! The innermost loop of every matrix product: a tile of up to [`ROWS`] rows and [`COLS`] columns, in f32.
//!
//! `out[i][j] = sum over p of a[i * row_stride + p * depth_stride] * panel[p * COLS + j]`, the sum taken in the order of
//! `p` with one fused multiply-add each. So a row's result does not depend on which rows share its tile: the ground of
//! evaluation being bitwise the same for any batch. AVX-512 and AVX2 versions are chosen at run time; the portable one
//! is what every other processor takes.

use std::sync::OnceLock;

/// Columns of a tile: two 16-lane registers.
pub(crate) const COLS: usize = 32;
/// Most rows of a tile: 14 x 2 sums, 2 columns and 1 row value fill AVX-512's 32 registers.
pub(crate) const ROWS: usize = 14;

/// The sums of one tile; rows past the count asked for are left as they were.
pub(crate) type Sums = [[f32; COLS]; ROWS];

/// Left operand of a tile: `rows` rows, read at `values[i * row_stride + p * depth_stride]`.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a> {
    /// Backing values from the tile's first element on.
    pub(crate) values: &'a [f32],
    /// Distance of two rows.
    pub(crate) row_stride: usize,
    /// Distance of two elements of the contracted dimension.
    pub(crate) depth_stride: usize,
}

type Kernel = unsafe fn(usize, *const f32, usize, usize, *const f32, &mut Sums);

/// One kernel per row count, 1 to the most that this instruction set's registers hold.
struct Kernels {
    by_rows: &'static [Kernel],
}

/// Computes `rows` (at most [`ROWS`]) rows of a tile over `depth` elements; `panel` holds `depth` rows of [`COLS`].
pub(crate) fn multiply(rows: usize, depth: usize, left: Left<'_>, panel: &[f32], sums: &mut Sums) {
    assert!(rows <= ROWS && panel.len() >= depth * COLS, "tile of {rows} rows over {depth}");
    if rows == 0 || depth == 0 {
        sums[..rows].fill([0.0; COLS]);
        return;
    }
    let last = (rows - 1) * left.row_stride + (depth - 1) * left.depth_stride;
    assert!(last < left.values.len(), "left operand too short");
    let kernels = kernels();
    let most = kernels.by_rows.len();
    let mut done = 0;
    while done < rows {
        let count = most.min(rows - done);
        let part: *const f32 = left.values[done * left.row_stride..].as_ptr();
        // SAFETY: the asserts above bound every read of the left operand and of the panel; the instruction set was
        // detected; the kernel writes `count` rows from the start of what it is given.
        unsafe {
            if done == 0 {
                kernels.by_rows[count - 1](depth, part, left.row_stride, left.depth_stride, panel.as_ptr(), sums);
            } else {
                let mut rest = [[0.0; COLS]; ROWS];
                kernels.by_rows[count - 1](depth, part, left.row_stride, left.depth_stride, panel.as_ptr(), &mut rest);
                sums[done..done + count].copy_from_slice(&rest[..count]);
            }
        }
        done += count;
    }
}

fn kernels() -> &'static Kernels {
    static CHOSEN: OnceLock<Kernels> = OnceLock::new();
    CHOSEN.get_or_init(choose)
}

/// Name of the instruction set in use, for logs and benchmarks.
pub fn instruction_set() -> &'static str {
    match kernels().by_rows.len() {
        ROWS => "avx512",
        3 => "avx2",
        _ => "portable",
    }
}

fn choose() -> Kernels {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            return Kernels { by_rows: x86::AVX512 };
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return Kernels { by_rows: x86::AVX2 };
        }
    }
    Kernels { by_rows: PORTABLE }
}

const PORTABLE: &[Kernel] = &[portable::<1>, portable::<2>, portable::<3>, portable::<4>];

/// # Safety
/// `a` must be readable at every `i * row_stride + p * depth_stride`, `panel` at `depth * COLS` values.
unsafe fn portable<const R: usize>(
    depth: usize,
    a: *const f32,
    row_stride: usize,
    depth_stride: usize,
    panel: *const f32,
    sums: &mut Sums,
) {
    let mut acc = [[0.0f32; COLS]; R];
    for p in 0..depth {
        // SAFETY: promised by the caller.
        let b = unsafe { std::slice::from_raw_parts(panel.add(p * COLS), COLS) };
        for (i, row) in acc.iter_mut().enumerate() {
            // SAFETY: promised by the caller.
            let x = unsafe { *a.add(i * row_stride + p * depth_stride) };
            for (sum, &w) in row.iter_mut().zip(b) {
                *sum = fused(x, w, *sum);
            }
        }
    }
    sums[..R].copy_from_slice(&acc);
}

/// Fused where the target has it in hardware; elsewhere a library call for each would be far slower than two roundings.
#[inline(always)]
fn fused(x: f32, w: f32, sum: f32) -> f32 {
    if cfg!(any(target_feature = "fma", target_arch = "aarch64")) { x.mul_add(w, sum) } else { x * w + sum }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{COLS, Kernel, Sums};

    pub(super) const AVX512: &[Kernel] = &[
        avx512::<1>,
        avx512::<2>,
        avx512::<3>,
        avx512::<4>,
        avx512::<5>,
        avx512::<6>,
        avx512::<7>,
        avx512::<8>,
        avx512::<9>,
        avx512::<10>,
        avx512::<11>,
        avx512::<12>,
        avx512::<13>,
        avx512::<14>,
    ];
    pub(super) const AVX2: &[Kernel] = &[avx2::<1>, avx2::<2>, avx2::<3>];

    /// # Safety
    /// As `portable`, and the processor must have AVX-512F.
    #[target_feature(enable = "avx512f")]
    unsafe fn avx512<const R: usize>(
        depth: usize,
        a: *const f32,
        row_stride: usize,
        depth_stride: usize,
        panel: *const f32,
        sums: &mut Sums,
    ) {
        let mut low = [_mm512_setzero_ps(); R];
        let mut high = [_mm512_setzero_ps(); R];
        // SAFETY: promised by the caller.
        unsafe {
            for p in 0..depth {
                let b0 = _mm512_loadu_ps(panel.add(p * COLS));
                let b1 = _mm512_loadu_ps(panel.add(p * COLS + 16));
                let at = a.add(p * depth_stride);
                for i in 0..R {
                    let x = _mm512_set1_ps(*at.add(i * row_stride));
                    low[i] = _mm512_fmadd_ps(x, b0, low[i]);
                    high[i] = _mm512_fmadd_ps(x, b1, high[i]);
                }
            }
            for i in 0..R {
                _mm512_storeu_ps(sums[i].as_mut_ptr(), low[i]);
                _mm512_storeu_ps(sums[i].as_mut_ptr().add(16), high[i]);
            }
        }
    }

    /// # Safety
    /// As `portable`, and the processor must have AVX2 and FMA.
    #[target_feature(enable = "avx2,fma")]
    unsafe fn avx2<const R: usize>(
        depth: usize,
        a: *const f32,
        row_stride: usize,
        depth_stride: usize,
        panel: *const f32,
        sums: &mut Sums,
    ) {
        let mut acc = [[_mm256_setzero_ps(); 4]; R];
        // SAFETY: promised by the caller.
        unsafe {
            for p in 0..depth {
                let at = a.add(p * depth_stride);
                let b: [__m256; 4] = std::array::from_fn(|j| _mm256_loadu_ps(panel.add(p * COLS + 8 * j)));
                for (i, row) in acc.iter_mut().enumerate() {
                    let x = _mm256_set1_ps(*at.add(i * row_stride));
                    for (sum, &w) in row.iter_mut().zip(&b) {
                        *sum = _mm256_fmadd_ps(x, w, *sum);
                    }
                }
            }
            for (i, row) in acc.iter().enumerate() {
                for (j, &sum) in row.iter().enumerate() {
                    _mm256_storeu_ps(sums[i].as_mut_ptr().add(8 * j), sum);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every kernel that this processor can run, against sums in f64.
    #[test]
    fn every_kernel_equals_the_plain_sum() {
        let depth = 37;
        let values: Vec<f32> = (0..ROWS * depth).map(|i| ((i * 7919 % 1013) as f32 - 500.0) / 300.0).collect();
        let panel: Vec<f32> = (0..depth * COLS).map(|i| ((i * 104_729 % 997) as f32 - 498.0) / 200.0).collect();
        #[allow(unused_mut)]
        let mut sets = vec![PORTABLE];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                sets.push(x86::AVX512);
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                sets.push(x86::AVX2);
            }
        }
        for set in sets {
            for (rows, kernel) in (1..).zip(set) {
                let mut sums = [[f32::NAN; COLS]; ROWS];
                // SAFETY: both buffers are as long as the kernel reads, the features were detected.
                unsafe { kernel(depth, values.as_ptr(), depth, 1, panel.as_ptr(), &mut sums) };
                for (i, row) in sums.iter().enumerate() {
                    for (j, &got) in row.iter().enumerate() {
                        let want: f64 =
                            (0..depth).map(|p| f64::from(values[i * depth + p]) * f64::from(panel[p * COLS + j])).sum();
                        assert!(
                            if i < rows { (f64::from(got) - want).abs() < 1e-3 } else { got.is_nan() },
                            "{rows} rows: {i},{j}"
                        );
                    }
                }
            }
        }
    }
}
