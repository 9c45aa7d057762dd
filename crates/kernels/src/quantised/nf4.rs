//! The 4-bit formats of bitsandbytes: a code is a place in a table of 16 values, times the
//! largest magnitude of its block of the flattened matrix. NF4's table holds quantiles of the
//! normal distribution (arXiv 2305.14314, Eq. 4 and appendix E); a product with normally
//! distributed weights loses least with it. Never here: ggml's blocks, files.

use rayon::prelude::*;

use super::misfit;
#[cfg(target_arch = "x86_64")]
use crate::isa::{InstructionSet, instruction_set};
use crate::{error::KernelError, math::vectorised};

/// Values that share a scale when we quantise: the default of bitsandbytes.
const BLOCK: usize = 64;

/// NF4's values, to the bit as bitsandbytes has them.
const NF4: [f32; 16] = [
    -1.0,
    -0.696_192_8,
    -0.525_073_05,
    -0.394_917_5,
    -0.284_441_38,
    -0.184_773_43,
    -0.091_050_036,
    0.0,
    0.079_580_3,
    0.160_930_2,
    0.246_112_3,
    0.337_915_24,
    0.440_709_83,
    0.562_617,
    0.722_956_84,
    1.0,
];

/// The values of codes.
pub struct CodeTable {
    /// Value of each code, in units of the block's scale.
    pub values: [f32; 16],
    /// Values that share a scale.
    pub block: usize,
    /// Largest magnitude of each block of the flattened matrix.
    pub absmax: Vec<f32>,
}

impl CodeTable {
    /// Whether the table can be that of `count` values.
    pub(super) fn check(&self, count: usize) -> Result<(), KernelError> {
        let Self { block, absmax, .. } = self;
        // The odd sizes between are not written by anyone; a pair of codes must not be cut by a
        // block's end.
        if !block.is_power_of_two() || *block < 32 {
            return misfit(format!(
                "blocks of {block} values; a power of two from 32 on is read"
            ));
        }
        if absmax.len() != count.div_ceil(*block) {
            let (have, want) = (absmax.len(), count.div_ceil(*block));
            return misfit(format!(
                "{have} scales, but {count} values in blocks of {block} need {want}"
            ));
        }
        Ok(())
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(self.absmax.as_slice()) + size_of_val(&self.values)
    }

    /// Decodes values `start..` of the flattened matrix; `start` is even.
    pub(super) fn decode(&self, codes: &[u8], start: usize, out: &mut [f32]) {
        #[cfg(target_arch = "x86_64")]
        {
            if instruction_set() >= InstructionSet::Avx512 {
                // SAFETY: a set in use is available.
                return unsafe { x86::decode_avx512(self, codes, start, out) };
            }
            if instruction_set() >= InstructionSet::Avx2 {
                // SAFETY: a set in use is available.
                return unsafe { x86::decode_avx2(self, codes, start, out) };
            }
        }
        self.decode_portable(codes, start, out);
    }

    fn decode_portable(&self, codes: &[u8], start: usize, out: &mut [f32]) {
        self.each_run(codes, start, out, |codes, scale, out| {
            self.decode_pairs(codes, scale, out)
        });
    }

    /// Calls `run` for each stretch under one scale: its code bytes, its scale and its output.
    #[inline(always)]
    fn each_run(
        &self,
        codes: &[u8],
        start: usize,
        out: &mut [f32],
        run: impl Fn(&[u8], f32, &mut [f32]),
    ) {
        let (mut at, mut out) = (start, out);
        while !out.is_empty() {
            let (part, rest) = out.split_at_mut(out.len().min(self.block - at % self.block));
            run(
                &codes[at / 2..(at + part.len()).div_ceil(2)],
                self.absmax[at / self.block],
                part,
            );
            at += part.len();
            out = rest;
        }
    }

    /// The safe version, and what the others leave at the end.
    #[inline(always)]
    fn decode_pairs(&self, codes: &[u8], scale: f32, out: &mut [f32]) {
        for (pair, &code) in out.chunks_mut(2).zip(codes) {
            pair[0] = self.values[usize::from(code >> 4)] * scale;
            if let Some(second) = pair.get_mut(1) {
                *second = self.values[usize::from(code & 15)] * scale;
            }
        }
    }
}

/// The table fits in one register of AVX-512, or two of AVX2, and is looked up by a
/// permutation: a compiler makes sixteen loads of it.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::CodeTable;

    /// Moves code `i` of a 32-bit word to the low bits of lane `i`: the high half of a byte
    /// comes first.
    const SHIFTS: [i32; 8] = [4, 0, 12, 8, 20, 16, 28, 24];

    #[target_feature(enable = "avx512f")]
    pub(super) fn decode_avx512(table: &CodeTable, codes: &[u8], start: usize, out: &mut [f32]) {
        let [a, b, c, d, e, f, g, h] = SHIFTS;
        let shifts = _mm512_setr_epi32(a, b, c, d, e, f, g, h, a, b, c, d, e, f, g, h);
        // SAFETY: reads 16 floats of an array of 16.
        let values = unsafe { _mm512_loadu_ps(table.values.as_ptr()) };
        table.each_run(codes, start, out, |codes, scale, out| {
            let (sixteens, rest) = out.as_chunks_mut::<16>();
            let (words, last) = codes.split_at(sixteens.len() * 8);
            let scales = _mm512_set1_ps(scale);
            for (out, word) in sixteens.iter_mut().zip(words.as_chunks::<8>().0) {
                let word = i64::from_le_bytes(*word);
                let low = _mm512_set1_epi32(word as i32);
                let both = _mm512_mask_set1_epi32(low, 0xff00, (word >> 32) as i32);
                // The permutation looks at the low four bits alone.
                let found = _mm512_permutexvar_ps(_mm512_srlv_epi32(both, shifts), values);
                // SAFETY: writes 16 floats to an array of 16.
                unsafe { _mm512_storeu_ps(out.as_mut_ptr(), _mm512_mul_ps(found, scales)) };
            }
            table.decode_pairs(last, scale, rest);
        });
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn decode_avx2(table: &CodeTable, codes: &[u8], start: usize, out: &mut [f32]) {
        let [a, b, c, d, e, f, g, h] = SHIFTS;
        let shifts = _mm256_setr_epi32(a, b, c, d, e, f, g, h);
        // SAFETY: reads 8 floats twice of an array of 16.
        let (low, high) = unsafe {
            (
                _mm256_loadu_ps(table.values.as_ptr()),
                _mm256_loadu_ps(table.values[8..].as_ptr()),
            )
        };
        table.each_run(codes, start, out, |codes, scale, out| {
            let (eights, rest) = out.as_chunks_mut::<8>();
            let (words, last) = codes.split_at(eights.len() * 4);
            let scales = _mm256_set1_ps(scale);
            for (out, word) in eights.iter_mut().zip(words.as_chunks::<4>().0) {
                let places =
                    _mm256_srlv_epi32(_mm256_set1_epi32(i32::from_le_bytes(*word)), shifts);
                // The permutations look at the low three bits; the fourth, moved to the sign,
                // chooses between them.
                let upper = _mm256_castsi256_ps(_mm256_slli_epi32(places, 28));
                let found = _mm256_blendv_ps(
                    _mm256_permutevar8x32_ps(low, places),
                    _mm256_permutevar8x32_ps(high, places),
                    upper,
                );
                // SAFETY: writes 8 floats to an array of 8.
                unsafe { _mm256_storeu_ps(out.as_mut_ptr(), _mm256_mul_ps(found, scales)) };
            }
            table.decode_pairs(last, scale, rest);
        });
    }
}

/// Scales that were quantised too ("double quantisation"): codes into a table of 256 values,
/// times a scale for each `block` of them, plus `offset`.
pub struct NestedScales {
    /// 256 values.
    pub values: Vec<f32>,
    /// Scales that share a scale.
    pub block: usize,
    /// Their scales.
    pub absmax: Vec<f32>,
    /// Mean that was taken off before.
    pub offset: f32,
}

impl NestedScales {
    /// The scales of the codes.
    ///
    /// # Errors
    /// What does not fit: a table that has not 256 values, a wrong number of scales.
    pub fn decode(&self, codes: &[u8]) -> Result<Vec<f32>, KernelError> {
        let Self {
            values,
            block,
            absmax,
            offset,
        } = self;
        if values.len() != 256 {
            return misfit(format!(
                "its table of scales has {} values, not 256",
                values.len()
            ));
        }
        if *block == 0 || absmax.len() != codes.len().div_ceil(*block) {
            let (have, count) = (absmax.len(), codes.len());
            return misfit(format!(
                "{have} scales of scales do not fit {count} scales in blocks of {block}"
            ));
        }
        let scale =
            |(i, &code): (usize, &u8)| values[usize::from(code)] * absmax[i / block] + offset;
        Ok(codes.iter().enumerate().map(scale).collect())
    }
}

/// Codes and scales of a flattened matrix. As bitsandbytes on the CPU: a block is multiplied by
/// the reciprocal of its largest magnitude (a last, shorter one divided by it), and of two
/// values equally near the lower is taken.
pub(super) fn quantise(values: &[f32]) -> Result<(Vec<u8>, CodeTable), KernelError> {
    let mut absmax = vec![0.0; values.len().div_ceil(BLOCK)];
    let mut codes = vec![0; values.len().div_ceil(2)];
    let blocks = values
        .par_chunks(BLOCK)
        .zip(codes.par_chunks_mut(BLOCK / 2))
        .zip(&mut absmax);
    blocks
        .with_min_len(256)
        .for_each(|((block, codes), scale)| {
            let mut padded = [0.0; BLOCK];
            padded[..block.len()].copy_from_slice(block);
            let mut all = [0; BLOCK / 2];
            *scale = quantise_block(&padded, block.len() == BLOCK, &mut all);
            codes.copy_from_slice(&all[..codes.len()]);
        });
    if absmax.iter().any(|scale| !scale.is_finite()) {
        return misfit("a value is not finite");
    }
    Ok((
        codes,
        CodeTable {
            values: NF4,
            block: BLOCK,
            absmax,
        },
    ))
}

vectorised! {
    /// Returns the largest magnitude; NaN if a value is not finite.
    fn quantise_block(block: &[f32; BLOCK], by_reciprocal: bool, codes: &mut [u8; BLOCK / 2]) -> f32 {
        let mut most = [0.0f32; 16];
        let mut poison = [0.0f32; 16];
        for part in block.as_chunks::<16>().0 {
            for i in 0..16 {
                most[i] = if part[i].abs() > most[i] { part[i].abs() } else { most[i] };
                poison[i] += part[i] * 0.0; // NaN for NaN and infinity
            }
        }
        let absmax = most.iter().fold(0.0f32, |m, &v| m.max(v)) + poison.iter().sum::<f32>();
        // Keeps zeros zero: 1 / 0 would make them NaN.
        let largest = absmax.max(1e-38);
        let reciprocal = 1.0 / largest;
        let mut places = [0i32; BLOCK];
        for (place, &v) in places.iter_mut().zip(block) {
            *place = nearest(if by_reciprocal { v * reciprocal } else { v / largest });
        }
        for (code, pair) in codes.iter_mut().zip(places.as_chunks::<2>().0) {
            *code = (pair[0] << 4 | pair[1]) as u8;
        }
        absmax
    }
}

/// The middles of neighbours in the table: above one, the upper neighbour is nearer.
const MIDDLES: [f32; 15] = {
    let mut middles = [0.0; 15];
    let mut i = 0;
    while i < 15 {
        middles[i] = (NF4[i] + NF4[i + 1]) / 2.0;
        i += 1;
    }
    middles
};

/// The place of the nearest value: as many as there are middles below `x`.
#[inline(always)]
fn nearest(x: f32) -> i32 {
    let mut place = 0;
    for middle in MIDDLES {
        place += i32::from(x > middle);
    }
    place
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Every version of the decoder that this processor runs, for any start and length,
        /// against the definition.
        #[test]
        fn versions_agree(codes in prop::collection::vec(any::<u8>(), 64..400), start in 0usize..64, cut in 0usize..70) {
            let (count, start) = (codes.len() * 2, start * 2);
            let absmax = (0..count.div_ceil(BLOCK)).map(|i| 0.01 + i as f32).collect();
            let table = CodeTable { values: NF4, block: BLOCK, absmax };
            let code = |i: usize| if i.is_multiple_of(2) { codes[i / 2] >> 4 } else { codes[i / 2] & 15 };
            let end = count.saturating_sub(cut).max(start);
            let want: Vec<f32> = (start..end).map(|i| NF4[code(i) as usize] * table.absmax[i / BLOCK]).collect();
            let mut out = vec![0.0; want.len()];
            let mut check = |decode: &dyn Fn(&mut [f32])| {
                out.fill(f32::NAN);
                decode(&mut out);
                out == want
            };
            prop_assert!(check(&|out| table.decode(&codes, start, out)));
            prop_assert!(check(&|out| table.decode_portable(&codes, start, out)));
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx2") {
                // SAFETY: the features were just detected.
                let same = check(&|out| unsafe { x86::decode_avx2(&table, &codes, start, out) });
                prop_assert!(same);
            }
        }

        /// No other value of the table is nearer, but for rounding.
        #[test]
        fn nearest_is_nearest(x in -1.0f32..=1.0) {
            let off = |value: f32| (x - value).abs();
            let found = off(NF4[nearest(x) as usize]);
            prop_assert!(NF4.iter().all(|&value| found <= off(value) + 1e-7));
        }
    }

    #[test]
    fn values_of_the_table_stand_for_themselves() {
        assert_eq!(NF4.map(nearest), std::array::from_fn(|i| i as i32));
    }
}
