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

const GROUPS: usize = VALUES / GROUP;

/// A format of blocks of `B` bytes. A trait and no closures: a closure that is not inlined is
/// compiled without the instruction set.
trait Block<const B: usize> {
    /// The scales of all groups, unpacked.
    type Scales;

    fn scales(block: &[u8; B]) -> Self::Scales;

    fn decode(block: &[u8; B], scales: &Self::Scales, group: usize, out: &mut [f32; GROUP]);
}

/// Of each block from value `from` on: unpacks its scales once, then decodes its groups with
/// them; the last group may be cut.
#[inline(always)]
fn each_group<F: Block<B>, const B: usize>(row: &[u8], from: usize, out: &mut [f32]) {
    let (blocks, mut group) = (row.as_chunks::<B>().0, from / GROUP);
    let mut rest = out;
    while !rest.is_empty() {
        let block = &blocks[group / GROUPS];
        let scales = F::scales(block);
        let count = rest.len().min((GROUPS - group % GROUPS) * GROUP);
        let (out, later) = rest.split_at_mut(count);
        let (whole, cut) = out.as_chunks_mut::<GROUP>();
        for out in whole {
            F::decode(block, &scales, group % GROUPS, out);
            group += 1;
        }
        if !cut.is_empty() {
            let mut last = [0.0; GROUP];
            F::decode(block, &scales, group % GROUPS, &mut last);
            cut.copy_from_slice(&last[..cut.len()]);
        }
        rest = later;
    }
}

/// Scales and minima of the 8 groups of Q4_K and Q5_K: f16 each, times 6 bits. The 12 bytes hold
/// the low six bits of groups 0..4 and, in their two top bits and in the last four bytes, those
/// of groups 4..8.
#[inline(always)]
fn scales_and_leasts<const B: usize>(block: &[u8; B]) -> [[f32; GROUPS]; 2] {
    let word = |at: usize| u32::from_le_bytes(*part(block, at));
    let (scales, leasts, last) = (word(4), word(8), word(12));
    let early = |packed: u32| packed & 0x3f3f_3f3f;
    let late = |low: u32, packed: u32| low & 0x0f0f_0f0f | (packed >> 6 & 0x0303_0303) << 4;
    let pieces = [
        [early(scales), late(last, scales)],
        [early(leasts), late(last >> 4, leasts)],
    ];
    let mut both = [[0.0; GROUPS]; 2];
    for (values, (pieces, factor)) in both
        .iter_mut()
        .zip(pieces.iter().zip([half_at(block, 0), half_at(block, 2)]))
    {
        for (i, value) in values.iter_mut().enumerate() {
            *value = factor * f32::from((pieces[i / 4] >> (i % 4 * 8)) as u8);
        }
    }
    both
}

/// 6-bit scale of 16 values of Q3_K, less 32.
#[inline(always)]
fn scale_of_q3k(packed: &[u8; 12], sixteen: usize) -> f32 {
    let low = packed[sixteen % 8] >> (sixteen / 8 * 4) & 15;
    let high = packed[8 + sixteen % 4] >> (sixteen / 4 * 2) & 3;
    f32::from(low | high << 4) - 32.0
}

macro_rules! row_decoders {
    ($($name:ident by $format:ident;)*) => { $(
        struct $format;

        vectorised! {
            pub(super) fn $name(row: &[u8], from: usize, out: &mut [f32]) -> () {
                each_group::<$format, _>(row, from, out);
            }
        }
    )* };
}

row_decoders! {
    q2k by BlockQ2K;
    q3k by BlockQ3K;
    q4k by BlockQ4K;
    q5k by BlockQ5K;
    q6k by BlockQ6K;
}

/// Values of a group that share a scale in Q2_K, Q3_K and Q6_K.
const SIXTEEN: usize = 16;

impl Block<Q2K> for BlockQ2K {
    type Scales = (f32, f32);

    #[inline(always)]
    fn scales(block: &[u8; Q2K]) -> (f32, f32) {
        (half_at(block, 80), half_at(block, 82))
    }

    #[inline(always)]
    fn decode(
        block: &[u8; Q2K],
        &(scale, least): &(f32, f32),
        group: usize,
        out: &mut [f32; GROUP],
    ) {
        let codes: &[u8; GROUP] = part(block, 16 + group / 4 * GROUP);
        let shift = group % 4 * 2;
        for sixteen in 0..GROUP / SIXTEEN {
            let both = block[group * 2 + sixteen];
            let (scale, least) = (scale * f32::from(both & 15), least * f32::from(both >> 4));
            for i in sixteen * SIXTEEN..(sixteen + 1) * SIXTEEN {
                out[i] = scale * f32::from(codes[i] >> shift & 3) - least;
            }
        }
    }
}

impl Block<Q3K> for BlockQ3K {
    type Scales = [f32; 16];

    #[inline(always)]
    fn scales(block: &[u8; Q3K]) -> [f32; 16] {
        let (half, packed) = (half_at(block, 108), part(block, 96));
        let mut scales = [0.0; 16];
        for (sixteen, scale) in scales.iter_mut().enumerate() {
            *scale = half * scale_of_q3k(packed, sixteen);
        }
        scales
    }

    #[inline(always)]
    fn decode(block: &[u8; Q3K], scales: &[f32; 16], group: usize, out: &mut [f32; GROUP]) {
        let high: &[u8; GROUP] = part(block, 0);
        let codes: &[u8; GROUP] = part(block, 32 + group / 4 * GROUP);
        let shift = group % 4 * 2;
        for sixteen in 0..GROUP / SIXTEEN {
            let scale = scales[group * 2 + sixteen];
            for i in sixteen * SIXTEEN..(sixteen + 1) * SIXTEEN {
                let code = codes[i] >> shift & 3 | (high[i] >> group & 1) << 2;
                out[i] = scale * (f32::from(code) - 4.0);
            }
        }
    }
}

impl Block<Q4K> for BlockQ4K {
    type Scales = [[f32; GROUPS]; 2];

    #[inline(always)]
    fn scales(block: &[u8; Q4K]) -> Self::Scales {
        scales_and_leasts(block)
    }

    #[inline(always)]
    fn decode(
        block: &[u8; Q4K],
        [scales, leasts]: &Self::Scales,
        group: usize,
        out: &mut [f32; GROUP],
    ) {
        let (scale, least) = (scales[group], leasts[group]);
        let codes: &[u8; GROUP] = part(block, 16 + group / 2 * GROUP);
        let shift = group % 2 * 4;
        for i in 0..GROUP {
            out[i] = scale * f32::from(codes[i] >> shift & 15) - least;
        }
    }
}

impl Block<Q5K> for BlockQ5K {
    type Scales = [[f32; GROUPS]; 2];

    #[inline(always)]
    fn scales(block: &[u8; Q5K]) -> Self::Scales {
        scales_and_leasts(block)
    }

    #[inline(always)]
    fn decode(
        block: &[u8; Q5K],
        [scales, leasts]: &Self::Scales,
        group: usize,
        out: &mut [f32; GROUP],
    ) {
        let (scale, least) = (scales[group], leasts[group]);
        let high: &[u8; GROUP] = part(block, 16);
        let codes: &[u8; GROUP] = part(block, 48 + group / 2 * GROUP);
        let shift = group % 2 * 4;
        for i in 0..GROUP {
            let code = codes[i] >> shift & 15 | (high[i] >> group & 1) << 4;
            out[i] = scale * f32::from(code) - least;
        }
    }
}

impl Block<Q6K> for BlockQ6K {
    type Scales = [f32; 16];

    #[inline(always)]
    fn scales(block: &[u8; Q6K]) -> [f32; 16] {
        let (half, packed): (f32, &[u8; 16]) = (half_at(block, 208), part(block, 192));
        let mut scales = [0.0; 16];
        for (scale, &code) in scales.iter_mut().zip(packed) {
            *scale = half * f32::from(code as i8);
        }
        scales
    }

    #[inline(always)]
    fn decode(block: &[u8; Q6K], scales: &[f32; 16], group: usize, out: &mut [f32; GROUP]) {
        let (half, quarter) = (group / 4, group % 4);
        let codes: &[u8; GROUP] = part(block, half * 64 + quarter % 2 * GROUP);
        let high: &[u8; GROUP] = part(block, 128 + half * GROUP);
        let (shift, high_shift) = (quarter / 2 * 4, quarter * 2);
        for sixteen in 0..GROUP / SIXTEEN {
            let scale = scales[group * 2 + sixteen];
            for i in sixteen * SIXTEEN..(sixteen + 1) * SIXTEEN {
                let code = codes[i] >> shift & 15 | (high[i] >> high_shift & 3) << 4;
                out[i] = scale * (f32::from(code) - 32.0);
            }
        }
    }
}
