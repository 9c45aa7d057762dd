//! Pairs of bf16 neighbours, which is how both operands of a product of bf16 lie in memory:
//! lines of 16 pairs, each a line of the cache; values rounded into them, blocks of them turned
//! over. Never here: the products.

use half::bf16;

use super::view::AnyBits;

/// Pairs of a line.
pub(crate) const PAIRS: usize = 16;
/// Values of a line.
pub(crate) const DEPTH: usize = 2 * PAIRS;

/// Sixteen pairs, the lower half of each first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(64))]
pub(crate) struct Line(pub(crate) [u32; PAIRS]);

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
pub(crate) fn flat(lines: &[Line]) -> &[u32] {
    // SAFETY: a line is 16 pairs and nothing else.
    unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), lines.len() * PAIRS) }
}

/// As [`flat`], to write them.
pub(crate) fn flat_mut(lines: &mut [Line]) -> &mut [u32] {
    // SAFETY: as above, and any pairs are a line.
    unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * PAIRS) }
}

// SAFETY: a line is 16 integers and nothing else.
unsafe impl AnyBits for Line {
    const UNWRITTEN: Self = Self([u32::MAX; PAIRS]);
}

/// Values to the nearest bf16, ties to even; the rest of their last line is 0.
pub(crate) fn round(values: &[f32], lines: &mut [Line]) {
    let count = values.len().div_ceil(DEPTH);
    assert!(count <= lines.len(), "a row of {count} lines past the end");
    #[cfg(target_arch = "x86_64")]
    if super::isa::instruction_set().rounds_rows() {
        // SAFETY: in bounds by the assert; sets that round rows have AVX512-BF16.
        unsafe { super::x86::round(values, lines.as_mut_ptr()) };
        return;
    }
    round_plain(values, lines);
}

fn round_plain(values: &[f32], lines: &mut [Line]) {
    for (values, line) in values.chunks(DEPTH).zip(lines) {
        line.0 = std::array::from_fn(|p| {
            let value = |at: usize| bf16::from_f32(values.get(at).copied().unwrap_or(0.0));
            pair(value(2 * p), value(2 * p + 1))
        });
    }
}

/// A block of a weight as panels hold it, 16 pairs along `in` of 32 outputs, turned over: 16
/// pairs along `out` of 32 inputs.
pub(crate) fn turn(block: &[Line], turned: &mut [Line]) {
    assert!(
        block.len() == DEPTH && turned.len() == DEPTH,
        "a block of 32 x 32"
    );
    #[cfg(target_arch = "x86_64")]
    if super::isa::instruction_set().rounds_rows() {
        // SAFETY: both have 32 lines by the assert; sets that round rows have AVX-512F and BW.
        unsafe { super::x86::turn(block.as_ptr(), turned.as_mut_ptr()) };
        return;
    }
    turn_plain(block, turned);
}

fn turn_plain(block: &[Line], turned: &mut [Line]) {
    let half = |output: usize, input: usize| {
        let pair = flat(block)[input / 2 * DEPTH + output];
        if input.is_multiple_of(2) {
            pair & 0xffff
        } else {
            pair >> 16
        }
    };
    for (at, pair) in flat_mut(turned).iter_mut().enumerate() {
        let (outputs, input) = (at / DEPTH, at % DEPTH);
        *pair = half(2 * outputs, input) | half(2 * outputs + 1, input) << 16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ties go to even, what is not a number stays so, in both versions.
    #[test]
    fn rounding_is_that_of_the_format() {
        let values = [
            1.003_906_3,
            1.011_718_8,
            -1.003_906_3,
            f32::NAN,
            f32::INFINITY,
            3.0e38,
            0.0,
            -2.5,
        ];
        let check = |lines: &[Line]| {
            let got: Vec<f32> = lines[0].0[..4]
                .iter()
                .flat_map(|&p| [halves(p).0, halves(p).1])
                .collect();
            assert_eq!(got[..3], [1.0, 1.015_625, -1.0]);
            assert!(got[3].is_nan());
            assert_eq!(got[4..], [f32::INFINITY, 3.004_055_3e38, 0.0, -2.5]);
            assert_eq!(lines[0].0[4..], [0; 12]);
        };
        let mut lines = [Line([u32::MAX; PAIRS])];
        round_plain(&values, &mut lines);
        check(&lines);
        lines = [Line([u32::MAX; PAIRS])];
        round(&values, &mut lines);
        check(&lines);
    }

    #[test]
    fn a_turned_block_has_its_values() {
        let block: Vec<Line> = (0..DEPTH as u32)
            .map(|line| {
                let at = |i: usize| 2 * (line * 16 + i as u32);
                Line(std::array::from_fn(|i| at(i) | ((at(i) + 1) << 16)))
            })
            .collect();
        let mut plain = vec![Line([0; PAIRS]); DEPTH];
        turn_plain(&block, &mut plain);
        let half = |lines: &[Line], row: usize, col: usize, high: bool| {
            let pair = flat(lines)[row * DEPTH + col];
            if high { pair >> 16 } else { pair & 0xffff }
        };
        for output in 0..DEPTH {
            for input in 0..DEPTH {
                let want = half(&block, input / 2, output, input % 2 == 1);
                assert_eq!(
                    half(&plain, output / 2, input, output % 2 == 1),
                    want,
                    "{output}, {input}"
                );
            }
        }
        let mut turned = vec![Line([0; PAIRS]); DEPTH];
        turn(&block, &mut turned);
        assert_eq!(turned, plain);
        #[cfg(target_arch = "x86_64")]
        if super::super::isa::InstructionSet::Avx512Bf16.is_available() {
            turned.fill(Line([0; PAIRS]));
            // SAFETY: both have 32 lines, the features were detected.
            unsafe { super::super::x86::turn(block.as_ptr(), turned.as_mut_ptr()) };
            assert_eq!(turned, plain);
        }
    }
}
