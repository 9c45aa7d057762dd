//! ggml's blocks of 256 values (k-quants): 8 groups of 32, which a piece may start and end at.
//! Scales of groups are themselves quantised and share one f16 of the block. Never here: blocks
//! of 32.

use super::{
    GROUP,
    groups::{half_at, part},
};
use crate::math::vectorised;

/// Values of a block.
pub(super) const VALUES: usize = 256;

pub(super) const Q2K: usize = 16 + 64 + 2 + 2;
pub(super) const Q3K: usize = 32 + 64 + 12 + 2;
pub(super) const Q4K: usize = 2 + 2 + 12 + 128;
pub(super) const Q5K: usize = 2 + 2 + 12 + 32 + 128;
pub(super) const Q6K: usize = 128 + 64 + 16 + 2;

/// Calls `decode` with block and group for each group from value `from` on; the last may be
/// cut.
#[inline(always)]
fn each_group<const B: usize>(
    row: &[u8],
    from: usize,
    out: &mut [f32],
    decode: impl Fn(&[u8; B], usize, &mut [f32; GROUP]),
) {
    const GROUPS: usize = VALUES / GROUP;
    let (blocks, first) = (row.as_chunks::<B>().0, from / GROUP);
    let (whole, rest) = out.as_chunks_mut::<GROUP>();
    let count = whole.len();
    for (group, out) in (first..).zip(whole) {
        decode(&blocks[group / GROUPS], group % GROUPS, out);
    }
    if !rest.is_empty() {
        let (group, mut last) = (first + count, [0.0; GROUP]);
        decode(&blocks[group / GROUPS], group % GROUPS, &mut last);
        rest.copy_from_slice(&last[..rest.len()]);
    }
}

/// 6-bit scale and minimum of a group of Q4_K and Q5_K. The 12 bytes hold the low six bits of
/// groups 0..4 and, in their two top bits and in the last four bytes, those of groups 4..8.
#[inline(always)]
fn scale_and_least(packed: &[u8; 12], group: usize) -> (f32, f32) {
    let at = group % 4;
    let (early, last) = ((packed[at] & 63, packed[at + 4] & 63), packed[at + 8]);
    let late = (
        last & 15 | packed[at] >> 6 << 4,
        last >> 4 | packed[at + 4] >> 6 << 4,
    );
    let (scale, least) = if group < 4 { early } else { late };
    (f32::from(scale), f32::from(least))
}

/// 6-bit scale of 16 values of Q3_K, less 32.
#[inline(always)]
fn scale_of_q3k(packed: &[u8; 12], sixteen: usize) -> f32 {
    let low = packed[sixteen % 8] >> (sixteen / 8 * 4) & 15;
    let high = packed[8 + sixteen % 4] >> (sixteen / 4 * 2) & 3;
    f32::from(low | high << 4) - 32.0
}

vectorised! {
    pub(super) fn q2k(row: &[u8], from: usize, out: &mut [f32]) -> () {
        each_group::<Q2K>(row, from, out, |block, group, out| {
            let (scale, least) = (half_at(block, 80), half_at(block, 82));
            let codes: &[u8; 32] = part(block, 16 + group / 4 * 32);
            let shift = group % 4 * 2;
            for (sixteen, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
                let both = block[group * 2 + sixteen];
                let (scale, least) = (scale * f32::from(both & 15), least * f32::from(both >> 4));
                for i in 0..16 { out[i] = scale * f32::from(codes[sixteen * 16 + i] >> shift & 3) - least; }
            }
        });
    }
}

vectorised! {
    pub(super) fn q3k(row: &[u8], from: usize, out: &mut [f32]) -> () {
        each_group::<Q3K>(row, from, out, |block, group, out| {
            let (high, packed): (&[u8; 32], &[u8; 12]) = (part(block, 0), part(block, 96));
            let codes: &[u8; 32] = part(block, 32 + group / 4 * 32);
            let shift = group % 4 * 2;
            for (sixteen, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
                let scale = half_at(block, 108) * scale_of_q3k(packed, group * 2 + sixteen);
                for (i, out) in out.iter_mut().enumerate() {
                    let at = sixteen * 16 + i;
                    let code = i32::from(codes[at] >> shift & 3) + i32::from(high[at] >> group & 1) * 4 - 4;
                    *out = scale * code as f32;
                }
            }
        });
    }
}

vectorised! {
    pub(super) fn q4k(row: &[u8], from: usize, out: &mut [f32]) -> () {
        each_group::<Q4K>(row, from, out, |block, group, out| {
            let (scale, least) = scale_and_least(part(block, 4), group);
            let (scale, least) = (half_at(block, 0) * scale, half_at(block, 2) * least);
            let codes: &[u8; 32] = part(block, 16 + group / 2 * 32);
            let shift = group % 2 * 4;
            for i in 0..GROUP { out[i] = scale * f32::from(codes[i] >> shift & 15) - least; }
        });
    }
}

vectorised! {
    pub(super) fn q5k(row: &[u8], from: usize, out: &mut [f32]) -> () {
        each_group::<Q5K>(row, from, out, |block, group, out| {
            let (scale, least) = scale_and_least(part(block, 4), group);
            let (scale, least) = (half_at(block, 0) * scale, half_at(block, 2) * least);
            let (high, codes): (&[u8; 32], &[u8; 32]) = (part(block, 16), part(block, 48 + group / 2 * 32));
            let shift = group % 2 * 4;
            for i in 0..GROUP {
                out[i] = scale * f32::from(codes[i] >> shift & 15 | (high[i] >> group & 1) << 4) - least;
            }
        });
    }
}

vectorised! {
    pub(super) fn q6k(row: &[u8], from: usize, out: &mut [f32]) -> () {
        each_group::<Q6K>(row, from, out, |block, group, out| {
            let (half, quarter) = (group / 4, group % 4);
            let codes: &[u8; 32] = part(block, half * 64 + quarter % 2 * 32);
            let high: &[u8; 32] = part(block, 128 + half * 32);
            let (shift, high_shift) = (quarter / 2 * 4, quarter * 2);
            for (sixteen, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
                let scale = half_at(block, 208) * f32::from(block[192 + group * 2 + sixteen] as i8);
                for (i, out) in out.iter_mut().enumerate() {
                    let at = sixteen * 16 + i;
                    let code = i32::from(codes[at] >> shift & 15) + i32::from(high[at] >> high_shift & 3) * 16 - 32;
                    *out = scale * code as f32;
                }
            }
        });
    }
}
