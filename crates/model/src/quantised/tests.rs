use candle_core::{
    Device, Tensor,
    quantized::{GgmlDType, QTensor, ggml_file::qtensor_from_ggml},
};
use half::f16;
use proptest::prelude::*;

use super::*;

/// ggml's number, candle's name, and the bytes of a block at which an f16 scale stands.
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
    let format = Format::of_ggml(ggml_type).expect("a format of blocks");
    Blocks::from_ggml(format, Bytes::Owned(bytes.to_vec()), shape, None).expect("fits")
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

    #[test]
    fn pieces_of_nf4_are_the_whole(rows in 1usize..5, width in 1usize..150, from in 0usize..5, cut in 0usize..70) {
        let (width, from) = (width * 2, from * GROUP);
        prop_assume!(from <= width);
        let values: Vec<f32> = (0..rows * width).map(|i| (i as f32 * 0.7).sin()).collect();
        let matrix = Blocks::quantise_nf4(&values, (rows, width)).expect("fits");
        let whole = matrix.to_floats();
        for row in 0..rows {
            let mut out = vec![f32::NAN; (width - from).saturating_sub(cut)];
            matrix.decode(row, from, &mut out);
            prop_assert_eq!(&out[..], &whole[row * width + from..][..out.len()]);
        }
        let off = values.iter().zip(&whole).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        prop_assert!(off < 0.16, "half the widest gap of the table is 0.15: {}", off);
    }
}

#[test]
fn rows_in_another_order() {
    let bytes: Vec<u8> = (0..3u8)
        .flat_map(|row| [0x00, 0x3c].into_iter().chain([row; 32]))
        .collect();
    let make = |order: &[u32]| {
        Blocks::from_ggml(
            Format::Q8_0,
            Bytes::Owned(bytes.clone()),
            (3, 32),
            Some(order.into()),
        )
    };
    let matrix = make(&[2, 0, 1]).expect("an order");
    assert_eq!(
        matrix
            .to_floats()
            .chunks(32)
            .map(|row| row[0])
            .collect::<Vec<_>>(),
        [2.0, 0.0, 1.0]
    );
    assert_eq!(
        (
            matrix.rows(),
            matrix.width(),
            matrix.format(),
            matrix.bytes()
        ),
        (3, 32, Format::Q8_0, 3 * 34 + 12)
    );
    assert_eq!(
        make(&[0, 1]).err().as_deref(),
        Some("the order of its rows is not one of 3")
    );
    assert_eq!(
        make(&[0, 1, 3]).err().as_deref(),
        Some("the order of its rows is not one of 3")
    );
}

#[test]
fn what_does_not_fit_is_refused() {
    let check = |format, bytes: usize, shape, problem: &str| {
        let error = Blocks::from_ggml(format, Bytes::Owned(vec![0; bytes]), shape, None).err();
        assert_eq!(error.as_deref(), Some(problem));
    };
    check(
        Format::Q4_0,
        18,
        (1, 48),
        "rows of 48 values are no whole blocks of 32 (Q4_0)",
    );
    check(
        Format::Q6K,
        210,
        (1, 128),
        "rows of 128 values are no whole blocks of 256 (Q6K)",
    );
    check(
        Format::Q4K,
        287,
        (2, 256),
        "287 bytes, but 2 rows of 256 values are 2 x 144 (Q4K)",
    );
    check(
        Format::Q4K,
        289,
        (2, 256),
        "289 bytes, but 2 rows of 256 values are 2 x 144 (Q4K)",
    );
    check(
        Format::Q8_0,
        0,
        (1 << 60, 32),
        "0 bytes, but 1152921504606846976 rows of 32 values are 1152921504606846976 x 34 (Q8_0)",
    );
    check(Format::Nf4, 32, (1, 64), "Nf4 is none of ggml's");
    let table = |block, scales| Table {
        values: [0.0; 16],
        block,
        absmax: vec![1.0; scales],
    };
    let check = |bytes: usize, shape, table, problem: &str| {
        let error =
            Blocks::from_table(Format::Nf4, Bytes::Owned(vec![0; bytes]), shape, table).err();
        assert_eq!(error.as_deref(), Some(problem));
    };
    check(
        32,
        (1, 63),
        table(64, 1),
        "rows of 63 values; 4-bit codes come in pairs",
    );
    check(
        32,
        (2, 64),
        table(64, 2),
        "32 bytes of codes, but 2 rows of 64 values are 2 x 32",
    );
    check(
        64,
        (2, 64),
        table(64, 1),
        "1 scales, but 128 values in blocks of 64 need 2",
    );
    check(
        64,
        (2, 64),
        table(48, 3),
        "blocks of 48 values; a power of two from 32 on is read",
    );
    check(
        64,
        (2, 64),
        table(0, 3),
        "blocks of 0 values; a power of two from 32 on is read",
    );
    for bad in [f32::NAN, f32::INFINITY] {
        let mut values = [0.5; 64];
        values[7] = bad;
        assert_eq!(
            Blocks::quantise_nf4(&values, (1, 64)).err().as_deref(),
            Some("a value is not finite")
        );
    }
    let nested = |values, block, scales| Nested {
        values: vec![0.0; values],
        block,
        absmax: vec![1.0; scales],
        offset: 0.0,
    };
    let error = |nested: Nested| nested.decode(&[0; 300]).err();
    assert_eq!(
        error(nested(16, 256, 2)).as_deref(),
        Some("its table of scales has 16 values, not 256")
    );
    for (block, scales) in [(256, 1), (256, 3), (0, 2)] {
        let problem =
            format!("{scales} scales of scales do not fit 300 scales in blocks of {block}");
        assert_eq!(error(nested(256, block, scales)), Some(problem));
    }
}

#[test]
#[should_panic(expected = "values 32 and 33 more of row 0 of a matrix (1, 64)")]
fn a_piece_past_the_row_is_a_defect() {
    blocks(8, &[0; 68], (1, 64)).decode(0, 32, &mut [0.0; 33]);
}

#[test]
fn a_row_past_the_matrix_is_a_defect() {
    let matrix = blocks(8, &[0; 68], (1, 64));
    assert!(std::panic::catch_unwind(|| matrix.decode(1, 0, &mut [0.0; 32])).is_err());
    assert!(
        std::panic::catch_unwind(|| matrix.decode(0, 16, &mut [0.0; 32])).is_err(),
        "not at a group"
    );
}
