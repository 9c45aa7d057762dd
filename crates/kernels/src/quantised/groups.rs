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

/// A format of blocks of `B` bytes. A trait and no closure: a closure that is not inlined is
/// compiled without the instruction set.
trait Block<const B: usize> {
    fn decode(block: &[u8; B], out: &mut [f32; GROUP]);
}

/// Decodes the blocks from value `from` on; the last may be cut.
#[inline(always)]
fn each_block<F: Block<B>, const B: usize>(row: &[u8], from: usize, out: &mut [f32]) {
    let blocks = &row.as_chunks::<B>().0[from / GROUP..];
    let (whole, rest) = out.as_chunks_mut::<GROUP>();
    for (block, out) in blocks.iter().zip(whole.iter_mut()) {
        // Opaque, or the loop over blocks is vectorised instead of the one over codes, a byte of
        // each of sixteen blocks at a time.
        F::decode(std::hint::black_box(block), out);
    }
    if !rest.is_empty() {
        let mut last = [0.0; GROUP];
        F::decode(&blocks[whole.len()], &mut last);
        rest.copy_from_slice(&last[..rest.len()]);
    }
}

/// The codes in sixteen bytes: the low halves, then the high ones. Bytes first, floats after:
/// so both loops vectorise.
#[inline(always)]
fn codes_of(packed: &[u8; 16]) -> [u8; GROUP] {
    let mut codes = [0; GROUP];
    let (low, high) = codes.split_at_mut(16);
    for (code, both) in low.iter_mut().zip(packed) {
        *code = both & 15;
    }
    for (code, both) in high.iter_mut().zip(packed) {
        *code = both >> 4;
    }
    codes
}

/// As [`codes_of`], each with its fifth bit.
#[inline(always)]
fn long_codes_of(packed: &[u8; 16], high: u32) -> [u8; GROUP] {
    let mut codes = codes_of(packed);
    for (i, code) in codes.iter_mut().enumerate() {
        *code |= ((high >> i & 1) << 4) as u8;
    }
    codes
}

/// The bytes from `at` on.
#[inline(always)]
pub(super) fn part<const N: usize>(bytes: &[u8], at: usize) -> &[u8; N] {
    &bytes[at..].as_chunks::<N>().0[0]
}

macro_rules! row_decoders {
    ($($name:ident by $format:ident;)*) => { $(
        struct $format;

        vectorised! {
            pub(super) fn $name(row: &[u8], from: usize, out: &mut [f32]) -> () {
                each_block::<$format, _>(row, from, out);
            }
        }
    )* };
}

row_decoders! {
    q4_0 by BlockQ4_0;
    q4_1 by BlockQ4_1;
    q5_0 by BlockQ5_0;
    q5_1 by BlockQ5_1;
    q8_0 by BlockQ8_0;
}

impl Block<{ Q4_0 }> for BlockQ4_0 {
    #[inline(always)]
    fn decode(block: &[u8; Q4_0], out: &mut [f32; GROUP]) {
        let (scale, codes) = (half_at(block, 0), codes_of(part(block, 2)));
        for i in 0..GROUP {
            out[i] = (f32::from(codes[i]) - 8.0) * scale;
        }
    }
}

impl Block<{ Q4_1 }> for BlockQ4_1 {
    #[inline(always)]
    fn decode(block: &[u8; Q4_1], out: &mut [f32; GROUP]) {
        let (scale, least) = (half_at(block, 0), half_at(block, 2));
        let codes = codes_of(part(block, 4));
        for i in 0..GROUP {
            out[i] = f32::from(codes[i]) * scale + least;
        }
    }
}

impl Block<{ Q5_0 }> for BlockQ5_0 {
    #[inline(always)]
    fn decode(block: &[u8; Q5_0], out: &mut [f32; GROUP]) {
        let (scale, high) = (half_at(block, 0), u32::from_le_bytes(*part(block, 2)));
        let codes = long_codes_of(part(block, 6), high);
        for i in 0..GROUP {
            out[i] = (f32::from(codes[i]) - 16.0) * scale;
        }
    }
}

impl Block<{ Q5_1 }> for BlockQ5_1 {
    #[inline(always)]
    fn decode(block: &[u8; Q5_1], out: &mut [f32; GROUP]) {
        let (scale, least) = (half_at(block, 0), half_at(block, 2));
        let codes = long_codes_of(part(block, 8), u32::from_le_bytes(*part(block, 4)));
        for i in 0..GROUP {
            out[i] = f32::from(codes[i]) * scale + least;
        }
    }
}

impl Block<{ Q8_0 }> for BlockQ8_0 {
    #[inline(always)]
    fn decode(block: &[u8; Q8_0], out: &mut [f32; GROUP]) {
        let (scale, codes): (f32, &[u8; GROUP]) = (half_at(block, 0), part(block, 2));
        for i in 0..GROUP {
            out[i] = f32::from(codes[i] as i8) * scale;
        }
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
