//! The tile's kernels for x86-64: AVX-512, AVX2, and AVX-512's dot instructions on pairs of
//! bf16; blocks transposed, rows rounded.

use std::arch::x86_64::*;

use super::{
    call::{COLS, Call, DotKernelsByRows, KernelsByRows, Write},
    line::{PAIRS, PairLine},
};

macro_rules! by_rows {
    ($kernel:ident: $($rows:literal)*) => { &[$($kernel::<$rows>),*] };
}

pub(super) const AVX512: KernelsByRows = by_rows!(avx512: 1 2 3 4 5 6 7 8 9 10 11 12 13 14);
pub(super) const AVX2: KernelsByRows = by_rows!(avx2: 1 2 3 4 5 6);
pub(super) const AVX512_BF16: DotKernelsByRows =
    by_rows!(avx512_bf16: 1 2 3 4 5 6 7 8 9 10 11 12 13 14);

/// # Safety
/// The operands must be readable at all `R` rows and the call's depth, the place writable at
/// `R` rows, and the processor must have AVX-512F.
#[target_feature(enable = "avx512f")]
unsafe fn avx512<const R: usize>(call: &Call<f32, f32>) {
    let &Call {
        depth,
        a,
        row_stride,
        depth_stride,
        panel,
        panel_stride,
        place,
    } = call;
    let mut low = [_mm512_setzero_ps(); R];
    let mut high = [_mm512_setzero_ps(); R];
    // SAFETY: promised by the caller.
    unsafe {
        if place.write == Write::Continue {
            for i in 0..R {
                low[i] = _mm512_loadu_ps(place.out.add(i * place.stride));
                high[i] = _mm512_loadu_ps(place.out.add(i * place.stride + 16));
            }
        }
        for p in 0..depth {
            let b0 = _mm512_loadu_ps(panel.add(p * panel_stride));
            let b1 = _mm512_loadu_ps(panel.add(p * panel_stride + 16));
            let at = a.add(p * depth_stride);
            for i in 0..R {
                let x = _mm512_set1_ps(*at.add(i * row_stride));
                low[i] = _mm512_fmadd_ps(x, b0, low[i]);
                high[i] = _mm512_fmadd_ps(x, b1, high[i]);
            }
        }
        for i in 0..R {
            store512(
                place.out.add(i * place.stride),
                low[i],
                high[i],
                place.write,
            );
        }
    }
}

/// # Safety
/// `out` must be writable, and to add readable, at 32 values; the processor must have AVX-512F.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn store512(out: *mut f32, low: __m512, high: __m512, write: Write) {
    // SAFETY: promised by the caller.
    unsafe {
        let (mut low, mut high) = (low, high);
        if write == Write::Add {
            low = _mm512_add_ps(_mm512_loadu_ps(out), low);
            high = _mm512_add_ps(_mm512_loadu_ps(out.add(16)), high);
        }
        _mm512_storeu_ps(out, low);
        _mm512_storeu_ps(out.add(16), high);
    }
}

/// # Safety
/// As [`avx512`], and the processor must have AVX512-BF16.
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn avx512_bf16<const R: usize>(call: &Call<u32, u32>) {
    let &Call {
        depth,
        a,
        row_stride,
        depth_stride,
        panel,
        panel_stride,
        place,
    } = call;
    debug_assert!(
        place.write != Write::Continue,
        "dot instructions round pairs: no sum of theirs is continued"
    );
    let mut low = [_mm512_setzero_ps(); R];
    let mut high = [_mm512_setzero_ps(); R];
    // SAFETY: promised by the caller; a vector of 16 pairs has the bits of 32 bf16.
    unsafe {
        let pairs = |v: __m512i| std::mem::transmute::<__m512i, __m512bh>(v);
        for p in 0..depth {
            let b0 = pairs(_mm512_loadu_si512(panel.add(p * panel_stride).cast()));
            let b1 = pairs(_mm512_loadu_si512(panel.add(p * panel_stride + 16).cast()));
            let at = a.add(p * depth_stride);
            for i in 0..R {
                let x = pairs(_mm512_set1_epi32(*at.add(i * row_stride) as i32));
                low[i] = _mm512_dpbf16_ps(low[i], x, b0);
                high[i] = _mm512_dpbf16_ps(high[i], x, b1);
            }
        }
        for i in 0..R {
            store512(
                place.out.add(i * place.stride),
                low[i],
                high[i],
                place.write,
            );
        }
    }
}

/// One half of the columns after the other: 6 x 2 sums, 2 columns and a row value are 15 of 16
/// registers.
///
/// # Safety
/// As [`avx512`], with AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<const R: usize>(call: &Call<f32, f32>) {
    for half in [0, COLS / 2] {
        // SAFETY: promised by the caller, whose operands have 32 columns.
        unsafe { avx2_half::<R>(call, half) };
    }
}

/// Sixteen columns from column `from` on.
///
/// # Safety
/// As [`avx2`].
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2_half<const R: usize>(call: &Call<f32, f32>, from: usize) {
    let &Call {
        depth,
        a,
        row_stride,
        depth_stride,
        panel,
        panel_stride,
        place,
    } = call;
    let mut low = [_mm256_setzero_ps(); R];
    let mut high = [_mm256_setzero_ps(); R];
    // SAFETY: promised by the caller.
    unsafe {
        let (panel, out) = (panel.add(from), place.out.add(from));
        if place.write == Write::Continue {
            for i in 0..R {
                low[i] = _mm256_loadu_ps(out.add(i * place.stride));
                high[i] = _mm256_loadu_ps(out.add(i * place.stride + 8));
            }
        }
        for p in 0..depth {
            let b0 = _mm256_loadu_ps(panel.add(p * panel_stride));
            let b1 = _mm256_loadu_ps(panel.add(p * panel_stride + 8));
            let at = a.add(p * depth_stride);
            for i in 0..R {
                let x = _mm256_set1_ps(*at.add(i * row_stride));
                low[i] = _mm256_fmadd_ps(x, b0, low[i]);
                high[i] = _mm256_fmadd_ps(x, b1, high[i]);
            }
        }
        for i in 0..R {
            let out = out.add(i * place.stride);
            let (mut low, mut high) = (low[i], high[i]);
            if place.write == Write::Add {
                low = _mm256_add_ps(_mm256_loadu_ps(out), low);
                high = _mm256_add_ps(_mm256_loadu_ps(out.add(8)), high);
            }
            _mm256_storeu_ps(out, low);
            _mm256_storeu_ps(out.add(8), high);
        }
    }
}

/// Transposes 8 x 8 floats: `to[j][i] = from[i][j]`, rows `from_stride` and `to_stride` apart.
///
/// # Safety
/// Both must be valid at 8 rows of 8; the processor must have AVX2.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn transpose8(
    from: *const f32,
    from_stride: usize,
    to: *mut f32,
    to_stride: usize,
) {
    // SAFETY: promised by the caller.
    unsafe {
        let rows: [__m256; 8] = std::array::from_fn(|i| _mm256_loadu_ps(from.add(i * from_stride)));
        // As in `transpose16`: fours[4 q + k] holds columns k and 4 + k of rows 4 q..4 q + 4.
        let mut fours = [_mm256_setzero_ps(); 8];
        for q in 0..2 {
            let r = &rows[4 * q..4 * q + 4];
            let (a, b) = (
                _mm256_unpacklo_ps(r[0], r[1]),
                _mm256_unpacklo_ps(r[2], r[3]),
            );
            let (c, d) = (
                _mm256_unpackhi_ps(r[0], r[1]),
                _mm256_unpackhi_ps(r[2], r[3]),
            );
            fours[4 * q] = _mm256_shuffle_ps::<0x44>(a, b);
            fours[4 * q + 1] = _mm256_shuffle_ps::<0xee>(a, b);
            fours[4 * q + 2] = _mm256_shuffle_ps::<0x44>(c, d);
            fours[4 * q + 3] = _mm256_shuffle_ps::<0xee>(c, d);
        }
        for k in 0..4 {
            let (low, high) = (fours[k], fours[4 + k]);
            _mm256_storeu_ps(
                to.add(k * to_stride),
                _mm256_permute2f128_ps::<0x20>(low, high),
            );
            _mm256_storeu_ps(
                to.add((4 + k) * to_stride),
                _mm256_permute2f128_ps::<0x31>(low, high),
            );
        }
    }
}

/// Transposes 16 x 16 floats: `to[j][i] = from[i][j]`, rows `from_stride` and `to_stride`
/// apart.
///
/// # Safety
/// Both must be valid at 16 rows of 16; the processor must have AVX-512F.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn transpose16(
    from: *const f32,
    from_stride: usize,
    to: *mut f32,
    to_stride: usize,
) {
    // SAFETY: promised by the caller.
    unsafe {
        let rows: [__m512; 16] =
            std::array::from_fn(|i| _mm512_loadu_ps(from.add(i * from_stride)));
        // Pairs of rows interleaved, then pairs of pairs: each 128-bit lane holds one column of
        // four rows.
        let mut fours = [_mm512_setzero_ps(); 16];
        for q in 0..4 {
            let r = &rows[4 * q..4 * q + 4];
            let (a, b) = (
                _mm512_unpacklo_ps(r[0], r[1]),
                _mm512_unpacklo_ps(r[2], r[3]),
            );
            let (c, d) = (
                _mm512_unpackhi_ps(r[0], r[1]),
                _mm512_unpackhi_ps(r[2], r[3]),
            );
            fours[4 * q] = _mm512_shuffle_ps::<0x44>(a, b);
            fours[4 * q + 1] = _mm512_shuffle_ps::<0xee>(a, b);
            fours[4 * q + 2] = _mm512_shuffle_ps::<0x44>(c, d);
            fours[4 * q + 3] = _mm512_shuffle_ps::<0xee>(c, d);
        }
        // Lane l of fours[4 q + k] is column 4 l + k of rows 4 q..4 q + 4: gather the four q of
        // a column.
        for k in 0..4 {
            let (q0, q1, q2, q3) = (fours[k], fours[4 + k], fours[8 + k], fours[12 + k]);
            let (a, b) = (
                _mm512_shuffle_f32x4::<0x88>(q0, q1),
                _mm512_shuffle_f32x4::<0x88>(q2, q3),
            );
            let (c, d) = (
                _mm512_shuffle_f32x4::<0xdd>(q0, q1),
                _mm512_shuffle_f32x4::<0xdd>(q2, q3),
            );
            _mm512_storeu_ps(to.add(k * to_stride), _mm512_shuffle_f32x4::<0x88>(a, b));
            _mm512_storeu_ps(
                to.add((8 + k) * to_stride),
                _mm512_shuffle_f32x4::<0xdd>(a, b),
            );
            _mm512_storeu_ps(
                to.add((4 + k) * to_stride),
                _mm512_shuffle_f32x4::<0x88>(c, d),
            );
            _mm512_storeu_ps(
                to.add((12 + k) * to_stride),
                _mm512_shuffle_f32x4::<0xdd>(c, d),
            );
        }
    }
}

/// Rounds `values` to bf16, to the nearest, into lines of 32; the last line's rest is 0.
///
/// # Safety
/// The lines must be writable, the processor must have AVX-512F and AVX512-BF16.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) unsafe fn round(values: &[f32], lines: *mut PairLine) {
    let part = |values: &[f32]| {
        let mask = ((1u32 << values.len().min(16)) - 1) as u16;
        // SAFETY: only as many values are read as there are.
        unsafe { _mm512_maskz_loadu_ps(mask, values.as_ptr()) }
    };
    for (at, values) in values.chunks(2 * PAIRS).enumerate() {
        let (low, high) = values.split_at(values.len().min(PAIRS));
        // SAFETY: 32 bf16 have the bits of a line, which the caller promised.
        unsafe {
            let rounded = std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(
                part(high),
                part(low),
            ));
            _mm512_store_si512(lines.add(at).cast(), rounded);
        }
    }
}

/// Transposes 16 pairs along `in` of 32 outputs into 16 pairs along `out` of 32 inputs.
///
/// # Safety
/// Both must be valid at 32 lines; the processor must have AVX-512F and BW.
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) unsafe fn transpose_pairs(block: *const PairLine, transposed: *mut PairLine) {
    const ROW: usize = 2 * PAIRS;
    let mut outputs = [PairLine([0; PAIRS]); ROW];
    // Halves of two outputs' rows one by the other: of the first 16 inputs, and of the last.
    let low = std::array::from_fn::<u16, 32, _>(|i| (i / 2 + i % 2 * 32) as u16);
    let high = low.map(|i| i + 16);
    // SAFETY: promised by the caller; lines are aligned.
    unsafe {
        for half in [0, 1] {
            let to = outputs[half * PAIRS..].as_mut_ptr();
            transpose16(block.add(half).cast(), ROW, to.cast(), PAIRS);
        }
        let (low, high) = (
            _mm512_loadu_si512(low.as_ptr().cast()),
            _mm512_loadu_si512(high.as_ptr().cast()),
        );
        for (at, two) in outputs.as_chunks::<2>().0.iter().enumerate() {
            let (even, odd) = (
                _mm512_load_si512(two[0].0.as_ptr().cast()),
                _mm512_load_si512(two[1].0.as_ptr().cast()),
            );
            let to = transposed.add(2 * at);
            _mm512_store_si512(to.cast(), _mm512_permutex2var_epi16(even, low, odd));
            _mm512_store_si512(to.add(1).cast(), _mm512_permutex2var_epi16(even, high, odd));
        }
    }
}

/// Transposes 32 rows of 16 pairs, `stride` lines apart, into 16 pairs of 32 rows.
///
/// # Safety
/// The rows must be readable, the panel writable at 32 lines; the processor must have AVX-512F.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn transpose_rows(rows: *const PairLine, stride: usize, panel: *mut PairLine) {
    for half in [0, 1] {
        // SAFETY: promised by the caller.
        unsafe {
            transpose16(
                rows.add(half * PAIRS * stride).cast(),
                stride * PAIRS,
                panel.add(half).cast(),
                2 * PAIRS,
            );
        }
    }
}

/// Rounds 32 values of two rows to pairs of their bf16.
///
/// # Safety
/// Both rows must be readable, the two lines writable; the processor must have AVX-512F and
/// AVX512-BF16.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) unsafe fn interleave(even: *const f32, odd: *const f32, pairs: *mut PairLine) {
    for half in [0, 1] {
        // SAFETY: promised by the caller; 16 bf16 have the bits of a 256-bit vector.
        unsafe {
            let rounded = |row: *const f32| {
                let values = _mm512_cvtneps_pbh(_mm512_loadu_ps(row.add(half * PAIRS)));
                _mm512_cvtepu16_epi32(std::mem::transmute::<__m256bh, __m256i>(values))
            };
            let pair = _mm512_or_si512(rounded(even), _mm512_slli_epi32::<16>(rounded(odd)));
            _mm512_store_si512(pairs.add(half).cast(), pair);
        }
    }
}
