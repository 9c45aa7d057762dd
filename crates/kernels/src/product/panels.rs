//! A frozen weight (out, in) laid out for the product kernel: panels of [`COLS`] outputs,
//! packed once when it is loaded.
//!
//! Forward (x Wᵀ) reads f32 panels as they lie. bf16 panels hold pairs of neighbours along
//! `in`, as dot instructions want them, and are widened by piece where those are not used.
//! Quantised blocks stay blocks ([`super::decoded`]). Backward (dy W) transposes blocks of
//! 32 x 32, piece by piece, so that there is one copy of a weight.

use std::ops::Range;

use half::bf16;
use rayon::prelude::*;

use super::{
    bf16_pairs,
    call::COLS,
    decoded,
    line::{self, DEPTH, PAIRS, PairLine, halves},
    transpose::transpose,
};
use crate::{isa::instruction_set, quantised::Blocks};

/// A packed weight (out, in).
pub struct Panels {
    out: usize,
    inner: usize,
    store: Store,
}

enum Store {
    /// Panel after panel of (in, COLS).
    F32(Vec<f32>),
    /// Panel after panel of (in / 2, COLS) pairs of neighbours along `in`, the lower half
    /// first; `in` is filled up with zeros to a multiple of [`DEPTH`].
    Bf16(Vec<PairLine>),
    /// Quantised, as the file holds them: decoded by piece, in both directions.
    Blocks(Blocks),
}

impl Panels {
    /// Packs `values` (out, in).
    pub fn from_f32(values: &[f32], out: usize, inner: usize) -> Self {
        let mut panels = vec![0.0; out.div_ceil(COLS) * inner * COLS];
        panels
            .par_chunks_mut((inner * COLS).max(1))
            .enumerate()
            .for_each(|(panel, packed)| {
                let rows = &values[panel * COLS * inner..out.min((panel + 1) * COLS) * inner];
                pack_f32(rows, inner, packed);
            });
        Self {
            out,
            inner,
            store: Store::F32(panels),
        }
    }

    /// Packs `values` (out, in) of bf16.
    pub fn from_bf16(values: &[bf16], out: usize, inner: usize) -> Self {
        let lines = Self::lines(inner);
        let mut panels = vec![PairLine([0; PAIRS]); out.div_ceil(COLS) * lines];
        panels
            .par_chunks_mut(lines.max(1))
            .enumerate()
            .for_each(|(panel, packed)| {
                let (rows, packed) = (
                    &values[panel * COLS * inner..out.min((panel + 1) * COLS) * inner],
                    line::flat_mut(packed),
                );
                for (j, row) in rows.chunks_exact(inner.max(1)).enumerate() {
                    for (p, pair) in row.chunks(2).enumerate() {
                        packed[p * COLS + j] =
                            line::pair(pair[0], pair.get(1).copied().unwrap_or(bf16::ZERO));
                    }
                }
            });
        Self {
            out,
            inner,
            store: Store::Bf16(panels),
        }
    }

    /// Lines of a panel of pairs: 32 for each [`DEPTH`] of `in`.
    fn lines(inner: usize) -> usize {
        inner.next_multiple_of(DEPTH)
    }

    /// Keeps quantised blocks, which are not packed.
    pub fn from_blocks(blocks: Blocks) -> Self {
        Self {
            out: blocks.rows(),
            inner: blocks.width(),
            store: Store::Blocks(blocks),
        }
    }

    /// Rows of the weight: outputs.
    pub fn out(&self) -> usize {
        self.out
    }

    /// Columns of the weight: inputs.
    pub fn inner(&self) -> usize {
        self.inner
    }

    /// Bytes of the values.
    pub fn bytes(&self) -> usize {
        match &self.store {
            Store::F32(values) => size_of_val(values.as_slice()),
            Store::Bf16(pairs) => size_of_val(pairs.as_slice()),
            Store::Blocks(blocks) => blocks.bytes(),
        }
    }

    /// Whether dot instructions multiply it: as pairs of bf16, with rows rounded to such.
    pub(crate) fn is_for_dots(&self) -> bool {
        !matches!(self.store, Store::F32(_)) && instruction_set().rounds_rows()
    }

    /// Elements `from..to` along `in` of the outputs of one panel, as rows of [`COLS`]: in
    /// place, or made in `buffer`. `from` is even. What is `made` in the buffer already is not
    /// made again.
    pub(crate) fn forward<'a>(
        &'a self,
        panel: usize,
        from: usize,
        to: usize,
        made: bool,
        buffer: &'a mut [f32],
    ) -> &'a [f32] {
        match &self.store {
            Store::F32(values) => {
                let start = panel * self.inner * COLS;
                &values[start + from * COLS..start + to * COLS]
            }
            _ if made => &buffer[..(to - from) * COLS],
            Store::Bf16(_) => {
                let pairs = self.kept_pairs(panel, from..to);
                for (rows, pairs) in buffer.chunks_mut(2 * COLS).zip(pairs.chunks_exact(COLS)) {
                    widen(pairs, rows);
                }
                &buffer[..(to - from) * COLS]
            }
            Store::Blocks(blocks) => {
                decoded::forward(blocks, panel, from..to, buffer);
                &buffer[..(to - from) * COLS]
            }
        }
    }

    /// The same as pairs, the last one of an odd length with a 0: in place, or made in `buffer`,
    /// which has a line for each element up to a multiple of [`DEPTH`].
    pub(crate) fn forward_pairs<'a>(
        &'a self,
        panel: usize,
        depths: Range<usize>,
        made: bool,
        buffer: &'a mut [PairLine],
    ) -> &'a [u32] {
        if let Store::Blocks(blocks) = &self.store {
            if !made {
                decoded::forward_lines(blocks, panel, depths, buffer);
            }
            return line::flat(buffer);
        }
        self.kept_pairs(panel, depths)
    }

    /// A bf16 weight's elements `depths` along `in` of the outputs of a panel.
    fn kept_pairs(&self, panel: usize, depths: Range<usize>) -> &[u32] {
        line::flat(self.kept_lines(panel, depths.start..depths.end.next_multiple_of(2)))
    }

    /// The same as lines of pairs, two for each pair of depths: both even and not past the next
    /// multiple of [`DEPTH`].
    fn kept_lines(&self, panel: usize, depths: Range<usize>) -> &[PairLine] {
        let start = panel * Self::lines(self.inner);
        match &self.store {
            Store::Bf16(lines) => &lines[start + depths.start..start + depths.end],
            Store::F32(_) | Store::Blocks(_) => &[],
        }
    }

    /// As [`Panels::backward`] in pairs along `out`, two lines for each, up to a multiple of
    /// [`DEPTH`] outputs (those past the last are 0), into a piece of `room` lines of `buffer`
    /// for each panel.
    pub(crate) fn backward_lines(
        &self,
        panels: Range<usize>,
        outputs: Range<usize>,
        room: usize,
        buffer: &mut [PairLine],
    ) {
        if let Store::Blocks(blocks) = &self.store {
            return decoded::backward_lines(blocks, panels, outputs, room, buffer);
        }
        let lines = outputs.len().next_multiple_of(DEPTH);
        for (panel, piece) in panels.zip(buffer.chunks_exact_mut(room)) {
            let transposed = piece[..lines].chunks_exact_mut(DEPTH);
            for (outputs, transposed) in (outputs.start / COLS..).zip(transposed) {
                bf16_pairs::transpose_pairs(
                    self.kept_lines(outputs, panel * COLS..(panel + 1) * COLS),
                    transposed,
                );
            }
        }
    }

    /// Elements `from..to` along `out` (`from` a multiple of [`COLS`]) of the inputs of each of
    /// `panels`, as rows of [`COLS`], into a piece of `room` values of `buffer` each, whole
    /// blocks of 32 x 32. Inputs past the last are 0.
    pub(crate) fn backward(
        &self,
        panels: Range<usize>,
        from: usize,
        to: usize,
        room: usize,
        buffer: &mut [f32],
    ) {
        if let Store::Blocks(blocks) = &self.store {
            return decoded::backward(blocks, panels, from..to, room, buffer);
        }
        for (panel, piece) in panels.zip(buffer.chunks_exact_mut(room)) {
            let rows = piece
                .chunks_exact_mut(COLS * COLS)
                .take((to - from).div_ceil(COLS));
            for (outputs, rows) in (from / COLS..).zip(rows) {
                self.transpose_block(outputs, panel * COLS, rows);
            }
        }
    }

    /// Inputs `col..` of a panel of outputs, transposed.
    fn transpose_block(&self, panel: usize, col: usize, rows: &mut [f32]) {
        let count = COLS.min(self.inner - col);
        let mut block = [0.0f32; COLS * COLS];
        match &self.store {
            Store::F32(values) => {
                let start = (panel * self.inner + col) * COLS;
                let values = &values[start..start + count * COLS];
                if count == COLS {
                    return transpose(values, COLS, rows, COLS);
                }
                block[..count * COLS].copy_from_slice(values);
            }
            Store::Bf16(_) => {
                let pairs = self.kept_pairs(panel, col..col + count);
                for (rows, pairs) in block
                    .chunks_exact_mut(2 * COLS)
                    .zip(pairs.chunks_exact(COLS))
                {
                    widen(pairs, rows);
                }
            }
            Store::Blocks(_) => {}
        }
        transpose(&block, COLS, rows, COLS);
    }

    /// Rows `ids` of the weight, one after another: what an embedding looks up.
    pub fn rows(&self, ids: &[u32]) -> Vec<f32> {
        let mut values = vec![0.0; ids.len() * self.inner];
        values
            .par_chunks_mut(self.inner.max(1))
            .zip(ids)
            .for_each(|(values, &id)| self.row(id as usize, values));
        values
    }

    /// One row of the weight.
    fn row(&self, row: usize, values: &mut [f32]) {
        let (panel, j) = (row / COLS, row % COLS);
        match &self.store {
            Store::F32(all) => {
                let start = panel * self.inner * COLS + j;
                for (p, value) in values.iter_mut().enumerate() {
                    *value = all[start + p * COLS];
                }
            }
            Store::Bf16(_) => {
                let pairs = self.kept_pairs(panel, 0..self.inner);
                for (p, value) in values.iter_mut().enumerate() {
                    let (low, high) = halves(pairs[p / 2 * COLS + j]);
                    *value = if p % 2 == 0 { low } else { high };
                }
            }
            Store::Blocks(blocks) => blocks.decode(row, 0, values),
        }
    }
}

/// Rows (up to [`COLS`], in) into a panel (in, COLS).
fn pack_f32(rows: &[f32], inner: usize, packed: &mut [f32]) {
    let whole = if rows.len() == COLS * inner {
        inner / COLS * COLS
    } else {
        0
    };
    for p in (0..whole).step_by(COLS) {
        transpose(
            &rows[p..],
            inner,
            &mut packed[p * COLS..(p + COLS) * COLS],
            COLS,
        );
    }
    for (j, row) in rows.chunks_exact(inner.max(1)).enumerate() {
        for (p, &value) in row.iter().enumerate().skip(whole) {
            packed[p * COLS + j] = value;
        }
    }
}

/// One row of pairs to two rows of [`COLS`] floats, or to the first where there is room for one
/// only.
#[inline(always)]
fn widen(pairs: &[u32], rows: &mut [f32]) {
    let (low, high) = rows.split_at_mut(COLS);
    for (value, &pair) in low.iter_mut().zip(pairs) {
        *value = halves(pair).0;
    }
    for (value, &pair) in high.iter_mut().zip(pairs) {
        *value = halves(pair).1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::quantised::{BlockBytes, BlockFormat};

    /// Blocks give in pieces, both ways and by row, what their floats give packed.
    #[test]
    fn blocks_are_their_floats() {
        // More than is decoded at a time.
        let (out, inner) = (70, 160);
        // Q8_0: an f16 scale, then 32 values.
        let bytes: Vec<u8> = (0..out * inner / 32)
            .flat_map(|b| {
                [b as u8, 0x2c]
                    .into_iter()
                    .chain((0..32).map(move |i| (b * 37 + i * 11) as u8))
            })
            .collect();
        let blocks = Blocks::from_ggml(
            BlockFormat::Q8_0,
            BlockBytes::Owned(bytes),
            (out, inner),
            None,
        )
        .expect("blocks");
        let floats = blocks.to_floats();
        assert!(floats.iter().any(|&v| v != 0.0));
        let (blocks, plain) = (
            Panels::from_blocks(blocks),
            Panels::from_f32(&floats, out, inner),
        );
        let room = inner * COLS;
        let (mut a, mut b) = (vec![0.0; 5 * room], vec![0.0; 5 * room]);
        for panel in 0..3 {
            for (from, to) in [(0, 160), (32, 160), (128, 160), (0, 32)] {
                let want = plain.forward(panel, from, to, false, &mut b).to_vec();
                assert_eq!(
                    blocks.forward(panel, from, to, false, &mut a),
                    want,
                    "{panel}, {from}..{to}"
                );
            }
        }
        for (from, to) in [(0, 70), (32, 70), (32, 64)] {
            blocks.backward(0..5, from, to, room, &mut a);
            plain.backward(0..5, from, to, room, &mut b);
            for panel in 0..5 {
                let piece = panel * room..panel * room + (to - from) * COLS;
                assert_eq!(a[piece.clone()], b[piece], "{panel}, {from}..{to}");
            }
        }
        pairs_are_their_floats(&blocks, &floats);
        let (mut row, mut want) = (vec![0.0; inner], vec![0.0; inner]);
        for j in 0..out {
            blocks.row(j, &mut row);
            plain.row(j, &mut want);
            assert_eq!(row, want);
        }
        assert_eq!(blocks.bytes(), 70 * 5 * 34);
    }

    /// As pairs of bf16 they give what their floats, rounded, give.
    fn pairs_are_their_floats(blocks: &Panels, floats: &[f32]) {
        let rounded: Vec<bf16> = floats.iter().map(|&v| bf16::from_f32(v)).collect();
        let plain = Panels::from_bf16(&rounded, blocks.out, blocks.inner);
        let room = blocks.inner;
        let [mut a, mut b] = [0, 1].map(|_| vec![PairLine::default(); 5 * room]);
        for panel in 0..3 {
            for depths in [0..160, 32..160, 128..160, 0..32] {
                let count = depths.len() * COLS / 2;
                let want = &plain.forward_pairs(panel, depths.clone(), false, &mut b)[..count];
                let got = &blocks.forward_pairs(panel, depths.clone(), false, &mut a)[..count];
                assert_eq!(got, want, "{panel}, {depths:?}");
            }
        }
        for outputs in [0..70, 32..70, 32..64] {
            let lines = outputs.len().next_multiple_of(DEPTH);
            blocks.backward_lines(0..5, outputs.clone(), room, &mut a);
            plain.backward_lines(0..5, outputs.clone(), room, &mut b);
            for panel in 0..5 {
                let piece = panel * room..panel * room + lines;
                assert_eq!(a[piece.clone()], b[piece], "{panel}, {outputs:?}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Both directions and the rows give back what was packed, at any size.
        #[test]
        fn panels_hold_the_weight(out in 1usize..100, inner in 1usize..100, bf in any::<bool>()) {
            let value = |j: usize, p: usize| bf16::from_f32((j * 131 + p * 7) as f32 / 64.0).to_f32();
            let all: Vec<f32> = (0..out * inner).map(|at| value(at / inner, at % inner)).collect();
            let panels = if bf {
                Panels::from_bf16(&all.iter().map(|&v| bf16::from_f32(v)).collect::<Vec<_>>(), out, inner)
            } else {
                Panels::from_f32(&all, out, inner)
            };
            let mut row = vec![0.0; inner];
            for j in 0..out {
                panels.row(j, &mut row);
                prop_assert_eq!(&row[..], &all[j * inner..(j + 1) * inner]);
            }
            let mut buffer = vec![f32::NAN; (out.max(inner) + COLS) * COLS];
            let from = inner / 3 / 2 * 2;
            for j in 0..out.next_multiple_of(COLS) {
                let part = panels.forward(j / COLS, from, inner, false, &mut buffer);
                for p in from..inner {
                    let want = if j < out { value(j, p) } else { 0.0 };
                    prop_assert_eq!(part[(p - from) * COLS + j % COLS], want);
                }
            }
            for p in 0..inner.next_multiple_of(COLS) {
                let from = out / 2 / COLS * COLS;
                let room = (out - from).next_multiple_of(COLS) * COLS;
                panels.backward(p / COLS..p / COLS + 1, from, out, room, &mut buffer[..room]);
                let part = &buffer;
                for j in from..out {
                    let want = if p < inner { value(j, p) } else { 0.0 };
                    prop_assert_eq!(part[(j - from) * COLS + p % COLS], want);
                }
            }
        }
    }
}
