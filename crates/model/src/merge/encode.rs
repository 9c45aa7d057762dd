//! Floats to the bytes of a stored tensor. Never here: which tensors.

use half::{bf16, f16};
use rayon::prelude::*;

use crate::random::FloatFormat;

/// Values of a block of Q8_0.
const BLOCK: usize = 32;

/// How a tensor is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StoredFormat {
    /// One float after the other.
    Floats(FloatFormat),
    /// ggml's blocks of 32 values: a scale in f16 and signed bytes.
    Q8_0,
}

impl StoredFormat {
    /// Its number in ggml.
    pub(super) fn ggml_type(self) -> u32 {
        match self {
            Self::Floats(FloatFormat::F32) => 0,
            Self::Floats(FloatFormat::F16) => 1,
            Self::Floats(FloatFormat::Bf16) => 30,
            Self::Q8_0 => 8,
        }
    }

    /// The values as bytes, little-endian, rounded to the nearest; blocks are whole.
    ///
    /// # Errors
    /// The first value that the format has no finite value for.
    pub(super) fn encode(self, values: &[f32]) -> Result<Vec<u8>, f32> {
        match self {
            Self::Floats(FloatFormat::F32) => encode_each(values, |v| (v, v.to_le_bytes())),
            Self::Floats(FloatFormat::F16) => encode_each(values, |v| {
                let rounded = f16::from_f32(v);
                (rounded.to_f32(), rounded.to_le_bytes())
            }),
            Self::Floats(FloatFormat::Bf16) => encode_each(values, |v| {
                let rounded = bf16::from_f32(v);
                (rounded.to_f32(), rounded.to_le_bytes())
            }),
            Self::Q8_0 => encode_blocks(values),
        }
    }
}

fn encode_each<const B: usize>(
    values: &[f32],
    encode: impl Fn(f32) -> (f32, [u8; B]) + Sync,
) -> Result<Vec<u8>, f32> {
    let mut bytes = vec![0; values.len() * B];
    let pairs = bytes.as_chunks_mut::<B>().0.par_iter_mut().zip(values);
    let odd = pairs.with_min_len(4096).map(|(place, &value)| {
        let (rounded, encoded) = encode(value);
        *place = encoded;
        (!rounded.is_finite()).then_some(value)
    });
    match odd.reduce(|| None, |first, second| first.or(second)) {
        Some(value) => Err(value),
        None => Ok(bytes),
    }
}

/// As ggml's `quantize_row_q8_0_ref`: a block's largest value is 127 steps, and halves are rounded
/// away from zero.
fn encode_blocks(values: &[f32]) -> Result<Vec<u8>, f32> {
    let mut bytes = vec![0; values.len() / BLOCK * (BLOCK + 2)];
    let pairs = bytes
        .as_chunks_mut::<{ BLOCK + 2 }>()
        .0
        .par_iter_mut()
        .zip(values.as_chunks::<BLOCK>().0);
    let odd = pairs.with_min_len(256).map(|(place, block)| {
        let largest = block.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        let scale = largest / 127.0;
        let steps = if scale == 0.0 { 0.0 } else { 1.0 / scale };
        let stored = f16::from_f32(scale);
        place[..2].copy_from_slice(&stored.to_le_bytes());
        for (byte, value) in place[2..].iter_mut().zip(block) {
            *byte = (value * steps).round() as i8 as u8;
        }
        let broken = block.iter().copied().find(|value| !value.is_finite());
        broken.or((!stored.is_finite()).then_some(largest))
    });
    match odd.reduce(|| None, |first, second| first.or(second)) {
        Some(value) => Err(value),
        None => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The block's scale is 12.7 / 127 = 0.1; halves go away from zero, as in ggml.
    #[test]
    fn a_block_has_its_largest_value_at_127_steps() {
        let mut values = [0.0f32; BLOCK];
        values[..4].copy_from_slice(&[-127.0, 0.5, -1.5, 2.4]);
        let bytes = StoredFormat::Q8_0.encode(&values).expect("finite");
        assert_eq!(bytes.len(), 34);
        assert_eq!(bytes[..2], f16::ONE.to_le_bytes());
        let steps: Vec<i8> = bytes[2..6].iter().map(|&b| b as i8).collect();
        assert_eq!(steps, [-127, 1, -2, 2]);
    }

    #[test]
    fn what_a_format_cannot_hold_is_found() {
        let f16 = StoredFormat::Floats(FloatFormat::F16);
        assert_eq!(f16.encode(&[1.0, 65_519.0]).expect("fits").len(), 4);
        assert_eq!(f16.encode(&[1.0, 65_520.0, 2.0]), Err(65_520.0));
        let bf16 = StoredFormat::Floats(FloatFormat::Bf16);
        assert_eq!(bf16.encode(&[65_520.0]), Ok(vec![0x80, 0x47]));
        let blocks = [f32::INFINITY; BLOCK];
        assert_eq!(StoredFormat::Q8_0.encode(&blocks), Err(f32::INFINITY));
    }
}
