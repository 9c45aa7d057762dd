//! A line of the cache as sixteen pairs of bf16, which is how both operands of a product of bf16
//! are stored. Never here: rounding, products.

use half::bf16;

/// Pairs of a line.
pub(crate) const PAIRS: usize = 16;
/// Values of a line.
pub(crate) const DEPTH: usize = 2 * PAIRS;

/// Sixteen pairs, the lower half of each first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(64))]
pub(crate) struct PairLine(pub(crate) [u32; PAIRS]);

/// Where nothing was written: two bf16 that are NaN.
pub(crate) const UNWRITTEN: PairLine = PairLine([u32::MAX; PAIRS]);

/// A pair.
pub(crate) fn pair(low: bf16, high: bf16) -> u32 {
    u32::from(low.to_bits()) | u32::from(high.to_bits()) << 16
}

/// Both values of a pair.
#[inline(always)]
pub(crate) fn halves(pair: u32) -> (f32, f32) {
    (
        f32::from_bits(pair << 16),
        f32::from_bits(pair & 0xffff_0000),
    )
}

/// The pairs of lines, one after another.
pub(crate) fn flat(lines: &[PairLine]) -> &[u32] {
    // SAFETY: a line is 16 pairs and nothing else.
    unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), lines.len() * PAIRS) }
}

/// As [`flat`], to write them.
pub(crate) fn flat_mut(lines: &mut [PairLine]) -> &mut [u32] {
    // SAFETY: as above, and any pairs are a line.
    unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * PAIRS) }
}
