use proptest::prelude::*;

use super::*;

/// A matrix of Q8_0.
fn blocks(bytes: &[u8], shape: (usize, usize)) -> Blocks {
    Blocks::from_ggml(
        BlockFormat::Q8_0,
        BlockBytes::Owned(bytes.to_vec()),
        shape,
        None,
    )
    .expect("fits")
}

fn message<T>(result: Result<T, KernelError>) -> Option<String> {
    result.err().map(|error| error.to_string())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

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
            BlockFormat::Q8_0,
            BlockBytes::Owned(bytes.clone()),
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
        (3, 32, BlockFormat::Q8_0, 3 * 34 + 12)
    );
    assert_eq!(
        message(make(&[0, 1])).as_deref(),
        Some("the order of its rows is not one of 3")
    );
    assert_eq!(
        message(make(&[0, 1, 3])).as_deref(),
        Some("the order of its rows is not one of 3")
    );
}

#[test]
fn what_does_not_fit_is_refused() {
    let check = |format, bytes: usize, shape, problem: &str| {
        let blocks = Blocks::from_ggml(format, BlockBytes::Owned(vec![0; bytes]), shape, None);
        assert_eq!(message(blocks).as_deref(), Some(problem));
    };
    check(
        BlockFormat::Q4_0,
        18,
        (1, 48),
        "rows of 48 values are no whole blocks of 32 (Q4_0)",
    );
    check(
        BlockFormat::Q6K,
        210,
        (1, 128),
        "rows of 128 values are no whole blocks of 256 (Q6K)",
    );
    check(
        BlockFormat::Q4K,
        287,
        (2, 256),
        "287 bytes, but 2 rows of 256 values are 2 x 144 (Q4K)",
    );
    check(
        BlockFormat::Q4K,
        289,
        (2, 256),
        "289 bytes, but 2 rows of 256 values are 2 x 144 (Q4K)",
    );
    check(
        BlockFormat::Q8_0,
        0,
        (1 << 60, 32),
        "0 bytes, but 1152921504606846976 rows of 32 values are 1152921504606846976 x 34 (Q8_0)",
    );
    check(BlockFormat::Nf4, 32, (1, 64), "Nf4 is none of ggml's");
    let table = |block, scales| CodeTable {
        values: [0.0; 16],
        block,
        absmax: vec![1.0; scales],
    };
    let check = |bytes: usize, shape, table, problem: &str| {
        let bytes = BlockBytes::Owned(vec![0; bytes]);
        let blocks = Blocks::from_table(BlockFormat::Nf4, bytes, shape, table);
        assert_eq!(message(blocks).as_deref(), Some(problem));
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
            message(Blocks::quantise_nf4(&values, (1, 64))).as_deref(),
            Some("a value is not finite")
        );
    }
    let nested = |values, block, scales| NestedScales {
        values: vec![0.0; values],
        block,
        absmax: vec![1.0; scales],
        offset: 0.0,
    };
    let error = |nested: NestedScales| message(nested.decode(&[0; 300]));
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
    blocks(&[0; 68], (1, 64)).decode(0, 32, &mut [0.0; 33]);
}

#[test]
fn a_row_past_the_matrix_is_a_defect() {
    let matrix = blocks(&[0; 68], (1, 64));
    let decode = |row, from| {
        let decode = || matrix.decode(row, from, &mut [0.0; 32]);
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(decode))
    };
    assert!(decode(1, 0).is_err());
    assert!(decode(0, 16).is_err(), "not at a group");
}
