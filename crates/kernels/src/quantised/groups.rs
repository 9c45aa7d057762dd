//! ggml's blocks of 32 values: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0. Each starts with a scale in f16
//! and, in the `_1` formats, a minimum. Values 0..16 are the low halves of the code bytes,
//! 16..32 the high ones. Never here: blocks of 256.

use super::GROUP;
use crate::math::vectorised;

pub(super) const Q4_0: usize = 2 + 16;
pub(super) const Q4_1: usize = 4 + 16;
pub(super) const Q5_0: usize = 2 + 4 + 16;
pub(super) const Q5_1: usize = 4 + 4 + 16;
pub(super) const Q8_0: usize = 2 + 32;

/// The f16 at byte `at`, without branches, so that a loop over it vectorises.
#[inline(always)]
pub(super) fn half_at(bytes: &[u8], at: usize) -> f32 {
    let bits = u32::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    let magnitude = bits & 0x7fff;
    // Below 2^-14 the number counts steps of 2^-24: as an integer, which no processor is slow
    // with.
    let small = magnitude as f32 * (1.0 / 16_777_216.0);
    let more = if magnitude < 0x7c00 {
        112 << 23
    } else {
        224 << 23
    };
    let normal = f32::from_bits((magnitude << 13) + more);
    let value = if magnitude < 0x400 { small } else { normal };
    f32::from_bits(value.to_bits() | (bits & 0x8000) << 16)
}

/// Calls `decode` for the blocks of `B` bytes from value `from` on; the last may be cut.
#[inline(always)]
fn each_block<const B: usize>(
    row: &[u8],
    from: usize,
    out: &mut [f32],
    decode: impl Fn(&[u8; B], &mut [f32; GROUP]),
) {
    let blocks = &row.as_chunks::<B>().0[from / GROUP..];
    let (whole, rest) = out.as_chunks_mut::<GROUP>();
    for (block, out) in blocks.iter().zip(whole.iter_mut()) {
        decode(block, out);
    }
    if !rest.is_empty() {
        let mut last = [0.0; GROUP];
        decode(&blocks[whole.len()], &mut last);
        rest.copy_from_slice(&last[..rest.len()]);
    }
}

/// Decodes sixteen code bytes to 32 values: `value` of code and position, first for the low
/// halves, then the high ones.
#[inline(always)]
fn each_code(codes: &[u8; 16], out: &mut [f32; GROUP], value: impl Fn(i32, usize) -> f32) {
    let (low, high) = out.split_at_mut(16);
    for i in 0..16 {
        low[i] = value(i32::from(codes[i] & 15), i);
    }
    for i in 0..16 {
        high[i] = value(i32::from(codes[i] >> 4), i + 16);
    }
}

/// The fifth bit of code `i`, in its place.
#[inline(always)]
fn fifth(high: u32, i: usize) -> i32 {
    (high >> i & 1) as i32 * 16
}

/// The bytes from `at` on.
#[inline(always)]
pub(super) fn part<const N: usize>(bytes: &[u8], at: usize) -> &[u8; N] {
    &bytes[at..].as_chunks::<N>().0[0]
}

vectorised! {
    pub(super) fn q4_0(row: &[u8], from: usize, out: &mut [f32]) -> () {
        each_block::<Q4_0>(row, from, out, |block, out| {
            let scale = half_at(block, 0);
            each_code(part(block, 2), out, |code, _| (code - 8) as f32 * scale);
        });
    }
}

vectorised! {
    pub(super) fn q4_1(row: &[u8], from: usize, out: &mut [f32]) -> () {
        each_block::<Q4_1>(row, from, out, |block, out| {
            let (scale, least) = (half_at(block, 0), half_at(block, 2));
            each_code(part(block, 4), out, |code, _| code as f32 * scale + least);
        });
    }
}

vectorised! {
    pub(super) fn q5_0(row: &[u8], from: usize, out: &mut [f32]) -> () {
        each_block::<Q5_0>(row, from, out, |block, out| {
            let (scale, high) = (half_at(block, 0), u32::from_le_bytes(*part(block, 2)));
            each_code(part(block, 6), out, |code, i| (code + fifth(high, i) - 16) as f32 * scale);
        });
    }
}

vectorised! {
    pub(super) fn q5_1(row: &[u8], from: usize, out: &mut [f32]) -> () {
        each_block::<Q5_1>(row, from, out, |block, out| {
            let (scale, least) = (half_at(block, 0), half_at(block, 2));
            let high = u32::from_le_bytes(*part(block, 4));
            each_code(part(block, 8), out, |code, i| (code + fifth(high, i)) as f32 * scale + least);
        });
    }
}

vectorised! {
    pub(super) fn q8_0(row: &[u8], from: usize, out: &mut [f32]) -> () {
        each_block::<Q8_0>(row, from, out, |block, out| {
            let scale = half_at(block, 0);
            let codes: &[u8; GROUP] = part(block, 2);
            for i in 0..GROUP { out[i] = f32::from(codes[i] as i8) * scale; }
        });
    }
}

#[cfg(test)]
mod tests {
    use half::f16;

    use super::*;

    #[test]
    fn every_f16() {
        for bits in 0..=u16::MAX {
            let (want, got) = (
                f16::from_bits(bits).to_f32(),
                half_at(&bits.to_le_bytes(), 0),
            );
            assert!(
                got.to_bits() == want.to_bits() || (got.is_nan() && want.is_nan()),
                "{bits:#x}: {got} {want}"
            );
        }
    }
}
