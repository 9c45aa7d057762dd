//! Random values as bytes. A value is a sum of four even 16-bit numbers, which is close to a
//! normal distribution out to 3.4 standard deviations: whole numbers alone, so that every
//! machine makes the same bytes, and a quarter of the work of drawing from the real one. Never
//! here: which tensors there are.

use half::{bf16, f16};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::FloatFormat;

/// Values that one stream of random numbers makes.
const STREAM: usize = 1 << 16;
/// Streams of a piece.
const STREAMS: usize = 64;

/// Mean of a sum of four even numbers below 2^16.
const MEAN: i32 = 2 * 0xFFFF;
/// Its standard deviation: the root of 4 (2^32 - 1) / 12.
const DEVIATION: f32 = 37_837.227;

#[derive(Clone, Copy)]
pub(super) struct Values {
    pub(super) format: FloatFormat,
    pub(super) seed: u64,
    /// Standard deviation.
    pub(super) spread: f32,
}

impl Values {
    /// `len` values about `centre`, as bytes in pieces; `place` tells tensors apart.
    pub(super) fn pieces(
        self,
        place: u64,
        len: usize,
        centre: f32,
    ) -> impl Iterator<Item = Vec<u8>> {
        let starts = (0..len).step_by(STREAM * STREAMS);
        starts.map(move |start| {
            let count = (len - start).min(STREAM * STREAMS);
            let mut bytes = vec![0; count * self.format.bytes()];
            let first = place << 32 | (start / STREAM) as u64;
            let parts = bytes.par_chunks_mut(STREAM * self.format.bytes());
            parts
                .enumerate()
                .for_each(|(at, part)| self.fill(part, first + at as u64, centre));
            bytes
        })
    }

    fn fill(self, bytes: &mut [u8], stream: u64, centre: f32) {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(stream);
        let scale = self.spread / DEVIATION;
        let mut draw = || {
            let four: u64 = random.random();
            let sum: i32 = (0..4).map(|at| (four >> (16 * at) & 0xFFFF) as i32).sum();
            (sum - MEAN) as f32 * scale + centre
        };
        match self.format {
            FloatFormat::Bf16 => {
                for value in bytes.as_chunks_mut::<2>().0 {
                    *value = bf16::from_f32(draw()).to_le_bytes();
                }
            }
            FloatFormat::F16 => {
                for value in bytes.as_chunks_mut::<2>().0 {
                    *value = f16::from_f32(draw()).to_le_bytes();
                }
            }
            FloatFormat::F32 => {
                for value in bytes.as_chunks_mut::<4>().0 {
                    *value = draw().to_le_bytes();
                }
            }
        }
    }
}
