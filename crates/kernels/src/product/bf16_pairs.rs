//! Rows rounded to pairs of bf16, and blocks of pairs transposed: plainly, and by the
//! instructions of the processor. Never here: products.

use std::mem::MaybeUninit;

use half::bf16;

use super::line::{DEPTH, PairLine, flat, flat_mut, pair};
#[cfg(target_arch = "x86_64")]
use super::x86;
#[cfg(target_arch = "x86_64")]
use crate::isa::instruction_set;
use crate::memory;

/// Writes the values to the nearest bf16, ties to even; the rest of their last line is 0.
pub(crate) fn round(values: &[f32], lines: &mut [MaybeUninit<PairLine>]) {
    let count = values.len().div_ceil(DEPTH);
    assert!(count <= lines.len(), "a row of {count} lines past the end");
    #[cfg(target_arch = "x86_64")]
    if instruction_set().rounds_rows() {
        // SAFETY: in bounds by the assert; sets that round rows have AVX512-BF16.
        unsafe { x86::round(values, lines.as_mut_ptr().cast()) };
        return;
    }
    round_plain(values, lines);
}

/// [`round`] over lines that were written before.
pub(crate) fn round_again(values: &[f32], lines: &mut [PairLine]) {
    // SAFETY: whole lines are written, or none.
    round(values, unsafe { memory::as_room(lines) });
}

fn round_plain(values: &[f32], lines: &mut [MaybeUninit<PairLine>]) {
    for (values, line) in values.chunks(DEPTH).zip(lines) {
        line.write(PairLine(std::array::from_fn(|p| {
            pair(rounded_at(values, 2 * p), rounded_at(values, 2 * p + 1))
        })));
    }
}

fn rounded_at(values: &[f32], at: usize) -> bf16 {
    bf16::from_f32(values.get(at).copied().unwrap_or(0.0))
}

/// 32 rows of a line each, `stride` lines apart, as a panel: 16 pairs of 32 rows.
pub(crate) fn transpose_rows(rows: &[PairLine], stride: usize, panel: &mut [PairLine]) {
    assert!(
        rows.len() > (DEPTH - 1) * stride && panel.len() == DEPTH,
        "32 rows into 16 pairs"
    );
    #[cfg(target_arch = "x86_64")]
    if instruction_set().rounds_rows() {
        // SAFETY: in bounds by the assert; sets that round rows have AVX-512F.
        unsafe { x86::transpose_rows(rows.as_ptr(), stride, panel.as_mut_ptr()) };
        return;
    }
    transpose_rows_plain(rows, stride, panel);
}

fn transpose_rows_plain(rows: &[PairLine], stride: usize, panel: &mut [PairLine]) {
    for (at, pair) in flat_mut(panel).iter_mut().enumerate() {
        *pair = rows[at % DEPTH * stride].0[at / DEPTH];
    }
}

/// 32 values of a row and of the next, rounded, as 32 pairs.
pub(crate) fn interleave(even: &[f32], odd: &[f32], pairs: &mut [PairLine]) {
    assert!(
        even.len() == DEPTH && odd.len() == DEPTH && pairs.len() == 2,
        "32 pairs of two rows"
    );
    #[cfg(target_arch = "x86_64")]
    if instruction_set().rounds_rows() {
        // SAFETY: in bounds by the assert; sets that round rows have AVX512-BF16.
        unsafe { x86::interleave(even.as_ptr(), odd.as_ptr(), pairs.as_mut_ptr()) };
        return;
    }
    interleave_plain(even, odd, pairs);
}

fn interleave_plain(even: &[f32], odd: &[f32], pairs: &mut [PairLine]) {
    for ((p, &low), &high) in flat_mut(pairs).iter_mut().zip(even).zip(odd) {
        *p = pair(bf16::from_f32(low), bf16::from_f32(high));
    }
}

/// A block of a weight as panels hold it, 16 pairs along `in` of 32 outputs, transposed: 16
/// pairs along `out` of 32 inputs.
pub(crate) fn transpose_pairs(block: &[PairLine], transposed: &mut [PairLine]) {
    assert!(
        block.len() == DEPTH && transposed.len() == DEPTH,
        "a block of 32 x 32"
    );
    #[cfg(target_arch = "x86_64")]
    if instruction_set().rounds_rows() {
        // SAFETY: both have 32 lines by the assert; sets that round rows have AVX-512F and BW.
        unsafe { x86::transpose_pairs(block.as_ptr(), transposed.as_mut_ptr()) };
        return;
    }
    transpose_plain(block, transposed);
}

fn transpose_plain(block: &[PairLine], transposed: &mut [PairLine]) {
    for (at, pair) in flat_mut(transposed).iter_mut().enumerate() {
        let (outputs, input) = (at / DEPTH, at % DEPTH);
        *pair = half_of(block, 2 * outputs, input) | half_of(block, 2 * outputs + 1, input) << 16;
    }
}

/// The bits of one value of a block.
fn half_of(block: &[PairLine], output: usize, input: usize) -> u32 {
    let pair = flat(block)[input / 2 * DEPTH + output];
    if input.is_multiple_of(2) {
        pair & 0xffff
    } else {
        pair >> 16
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::line::{PAIRS, UNWRITTEN, halves},
        *,
    };

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
        let check = |lines: &[PairLine]| {
            let got: Vec<f32> = lines[0].0[..4]
                .iter()
                .flat_map(|&p| [halves(p).0, halves(p).1])
                .collect();
            assert_eq!(got[..3], [1.0, 1.015_625, -1.0]);
            assert!(got[3].is_nan());
            assert_eq!(got[4..], [f32::INFINITY, 3.004_055_3e38, 0.0, -2.5]);
            assert_eq!(lines[0].0[4..], [0; 12]);
        };
        for round in [round_plain, round] {
            let mut lines = memory::room(1, UNWRITTEN);
            round(&values, &mut lines);
            // SAFETY: eight values fill a line.
            check(&unsafe { memory::written(lines) });
        }
    }

    #[test]
    fn rows_become_a_panel() {
        let stride = 3;
        let rows: Vec<PairLine> = (0..DEPTH as u32 * 3)
            .map(|line| PairLine(std::array::from_fn(|i| line * 16 + i as u32)))
            .collect();
        let mut plain = vec![PairLine([0; PAIRS]); DEPTH];
        transpose_rows_plain(&rows, stride, &mut plain);
        for (at, &pair) in flat(&plain).iter().enumerate() {
            assert_eq!(pair, rows[at % DEPTH * stride].0[at / DEPTH]);
        }
        let mut panel = vec![PairLine([0; PAIRS]); DEPTH];
        transpose_rows(&rows, stride, &mut panel);
        assert_eq!(panel, plain);
        let [even, odd]: [Vec<f32>; 2] =
            [1.0, -3.3].map(|by| (0..DEPTH).map(|i| i as f32 * 1.001 * by).collect());
        let mut two = [PairLine([0; PAIRS]); 2];
        interleave_plain(&even, &odd, &mut two);
        for (i, &pair) in flat(&two).iter().enumerate() {
            let want = [even[i], odd[i]].map(|value| bf16::from_f32(value).to_f32());
            assert_eq!([halves(pair).0, halves(pair).1], want);
        }
        let mut pairs = [PairLine([0; PAIRS]); 2];
        interleave(&even, &odd, &mut pairs);
        assert_eq!(pairs, two);
    }

    #[test]
    fn a_transposed_block_has_its_values() {
        let block: Vec<PairLine> = (0..DEPTH as u32)
            .map(|line| {
                let at = |i: usize| 2 * (line * 16 + i as u32);
                PairLine(std::array::from_fn(|i| at(i) | ((at(i) + 1) << 16)))
            })
            .collect();
        let mut plain = vec![PairLine([0; PAIRS]); DEPTH];
        transpose_plain(&block, &mut plain);
        let half = |lines: &[PairLine], row: usize, col: usize, high: bool| {
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
        let mut transposed = vec![PairLine([0; PAIRS]); DEPTH];
        transpose_pairs(&block, &mut transposed);
        assert_eq!(transposed, plain);
        #[cfg(target_arch = "x86_64")]
        if crate::isa::InstructionSet::Avx512Bf16.is_available() {
            transposed.fill(PairLine([0; PAIRS]));
            // SAFETY: both have 32 lines, the features were detected.
            unsafe { super::x86::transpose_pairs(block.as_ptr(), transposed.as_mut_ptr()) };
            assert_eq!(transposed, plain);
        }
    }
}
