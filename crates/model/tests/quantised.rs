//! Quantised blocks against candle's decoder of ggml's formats, to the bit. The formats' own
//! tests are in the crate `kernels`.

use candle_core::{
    Device, Tensor,
    quantized::{GgmlDType, QTensor, ggml_file::qtensor_from_ggml},
};
use half::f16;
use proptest::prelude::*;

use kernels::quantised::{BlockBytes, BlockFormat, Blocks, GROUP};

/// ggml's number, candle's name, and the bytes of a block at which an f16 scale is.
const FORMATS: [(u32, GgmlDType, &[usize]); 10] = [
    (2, GgmlDType::Q4_0, &[0]),
    (3, GgmlDType::Q4_1, &[0, 2]),
    (6, GgmlDType::Q5_0, &[0]),
    (7, GgmlDType::Q5_1, &[0, 2]),
    (8, GgmlDType::Q8_0, &[0]),
    (10, GgmlDType::Q2K, &[80, 82]),
    (11, GgmlDType::Q3K, &[108]),
    (12, GgmlDType::Q4K, &[0, 2]),
    (13, GgmlDType::Q5K, &[0, 2]),
    (14, GgmlDType::Q6K, &[208]),
];

fn blocks(ggml_type: u32, bytes: &[u8], shape: (usize, usize)) -> Blocks {
    let format = BlockFormat::of_ggml(ggml_type).expect("a format of blocks");
    Blocks::from_ggml(format, BlockBytes::Owned(bytes.to_vec()), shape, None).expect("fits")
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

/// Random blocks whose scales are halves from 2^-17 (where an f16 has fewer bits) to 1.
fn random_blocks(kind: GgmlDType, scales: &[usize], count: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32
    };
    let mut bytes: Vec<u8> = (0..count * kind.type_size())
        .map(|_| next() as u8)
        .collect();
    for block in bytes.chunks_exact_mut(kind.type_size()) {
        for &at in scales {
            let size = f32::from_bits((110 + next() % 17) << 23) * (1.0 + next() as f32 / 4.3e9);
            let scale = f16::from_f32(if next().is_multiple_of(2) {
                size
            } else {
                -size
            });
            block[at..at + 2].copy_from_slice(&scale.to_le_bytes());
        }
    }
    bytes
}

fn decode_by_candle(kind: GgmlDType, bytes: &[u8], shape: (usize, usize)) -> Vec<f32> {
    let tensor =
        qtensor_from_ggml(kind, bytes, vec![shape.0, shape.1], &Device::Cpu).expect("blocks");
    let floats = tensor.dequantize(&Device::Cpu).expect("floats");
    floats
        .flatten_all()
        .and_then(|t| t.to_vec1())
        .expect("values")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Any bytes, any piece: the same bits as candle's decoder of ggml's blocks.
    #[test]
    fn pieces_are_what_candle_decodes(rows in 1usize..4, supers in 1usize..4, seed: u64, from in 0usize..20, cut in 0usize..90) {
        for (ggml_type, kind, scales) in FORMATS {
            let width = if kind.block_size() == GROUP { supers * 96 } else { supers * 256 };
            let bytes = random_blocks(kind, scales, rows * width / kind.block_size(), seed);
            let want = decode_by_candle(kind, &bytes, (rows, width));
            let matrix = blocks(ggml_type, &bytes, (rows, width));
            prop_assert_eq!(bits(&matrix.to_floats()), bits(&want), "{:?}", kind);
            let from = from * GROUP % width;
            let length = (width - from).saturating_sub(cut);
            for row in 0..rows {
                let mut out = vec![f32::NAN; length];
                matrix.decode(row, from, &mut out);
                let at = row * width + from;
                prop_assert_eq!(bits(&out), bits(&want[at..at + length]), "{:?} {} {}", kind, from, length);
            }
        }
    }

    /// Blocks as a quantiser writes them decode to what candle decodes, near the values that
    /// were quantised.
    #[test]
    fn quantised_values_come_back(seed: u64) {
        let shape = (2, 512);
        let random = random_blocks(GgmlDType::Q8_0, &[0], 1024, seed);
        let values: Vec<f32> = random[..1024].iter().map(|&b| f32::from(b as i8) / 3000.0).collect();
        let tensor = Tensor::from_slice(&values, shape, &Device::Cpu).expect("a tensor");
        for (ggml_type, kind, _) in FORMATS {
            let quantised = QTensor::quantize(&tensor, kind).expect("quantises");
            let want: Vec<f32> =
                quantised.dequantize(&Device::Cpu).and_then(|t| t.flatten_all()?.to_vec1()).expect("values");
            let got = blocks(ggml_type, &quantised.data().expect("bytes"), shape).to_floats();
            prop_assert_eq!(bits(&got), bits(&want), "{:?}", kind);
            let off = got.iter().zip(&values).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            prop_assert!(off < 0.03, "{:?}: {}", kind, off);
        }
    }
}
