//! Keys and values as the tile reads them: packed once per call (those of a shared prefix once
//! per cache), and where a row of each sequence finds its context.
//!
//! Everything is cut at multiples of [`BLOCK`] *positions*, never at the seams of sequences: a
//! sequence that begins within a block packs the block from its start, with copies of the rows
//! of its ancestors. So each block of a context lies in one pack, and a sum over a context is
//! taken in the same order however the context is made of sequences. The copies are fewer than
//! [`BLOCK`] rows.

use std::{cell::RefCell, ops::Range};

use rayon::prelude::*;

use super::Heads;
use crate::{
    product::{
        operands::{Order, RightOperand},
        packed::Packed,
    },
    rows::{Parent, Rows},
};

/// Positions that are summed up in one piece; whole panels.
pub(super) const BLOCK: usize = 64;

/// A part of a context that lies in one pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// The sequence whose pack it is; `None`: the shared prefix.
    pub(super) sequence: Option<usize>,
    /// Positions held; both ends are multiples of [`BLOCK`], but for the end of the context.
    pub(super) positions: Range<usize>,
    /// Position of the pack's first row.
    pub(super) start: usize,
}

impl Span {
    /// Whose pack it is, of those of the sequences and of the prefix, for one key head.
    pub(super) fn pack<'a>(
        &self,
        heads: &Heads,
        key_head: usize,
        own: &'a [Packed],
        prefix: &'a [Packed],
    ) -> &'a Packed {
        match self.sequence {
            Some(sequence) => &own[sequence * heads.key_value + key_head],
            None => &prefix[key_head],
        }
    }
}

/// Position of the first row of a sequence's pack.
pub(super) fn start(rows: &Rows, sequence: usize) -> usize {
    rows.first_position(sequence) / BLOCK * BLOCK
}

/// The context of each sequence, in the order of positions.
pub(super) fn contexts(rows: &Rows) -> Vec<Vec<Span>> {
    (0..rows.sequences())
        .map(|sequence| context(rows, sequence))
        .collect()
}

fn context(rows: &Rows, sequence: usize) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut end = rows.first_position(sequence) + rows.range(sequence).len();
    let mut next = Some(sequence);
    while let Some(sequence) = next {
        let start = start(rows, sequence);
        if start < end {
            spans.push(Span {
                sequence: Some(sequence),
                positions: start..end,
                start,
            });
            end = start;
        }
        next = rows.parent(sequence).map(|parent| parent.sequence);
    }
    if end > 0 {
        spans.push(Span {
            sequence: None,
            positions: 0..end,
            start: 0,
        });
    }
    spans.reverse();
    spans
}

/// The spans that hold some of `keys`, each with those.
pub(super) fn overlaps<'a>(
    context: &'a [Span],
    keys: &Range<usize>,
) -> impl Iterator<Item = (&'a Span, Range<usize>)> {
    let keys = keys.clone();
    context.iter().filter_map(move |span| {
        let part = span.positions.start.max(keys.start)..span.positions.end.min(keys.end);
        (part.start < part.end).then_some((span, part))
    })
}

thread_local! {
    static GATHERED: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// One pack per sequence and key head, sequences outermost. `own` (N, G · D), `prefix` (P, G ·
/// D).
pub(super) fn pack(
    heads: &Heads,
    rows: &Rows,
    own: &[f32],
    prefix: &[f32],
    order: Order,
) -> Vec<Packed> {
    (0..rows.sequences() * heads.key_value)
        .into_par_iter()
        .map(|at| {
            let (sequence, key_head) = (at / heads.key_value, at % heads.key_value);
            GATHERED.with_borrow_mut(|gathered| {
                gathered.clear();
                gather(heads, rows, sequence, key_head, own, prefix, gathered);
                let (count, values) = (gathered.len() / heads.size, gathered.as_slice());
                Packed::new(&match order {
                    Order::Transposed => RightOperand::transposed(values, count, heads.size),
                    Order::Plain => RightOperand::plain(values, count, heads.size),
                })
            })
        })
        .collect()
}

/// Appends one key head's rows from the start of the sequence's pack to the end of the
/// sequence: (n, D).
fn gather(
    heads: &Heads,
    rows: &Rows,
    sequence: usize,
    key_head: usize,
    own: &[f32],
    prefix: &[f32],
    gathered: &mut Vec<f32>,
) {
    let start = start(rows, sequence);
    let held = start.min(rows.prefix())..rows.prefix();
    append_rows(heads, key_head, prefix, held, gathered);
    let mut position = rows.prefix();
    for stretch in rows.stretches(Parent {
        sequence,
        rows: rows.range(sequence).len(),
    }) {
        let skipped = start.saturating_sub(position).min(stretch.len());
        position += stretch.len();
        let held = stretch.start + skipped..stretch.end;
        append_rows(heads, key_head, own, held, gathered);
    }
}

/// Appends one key head's part of these rows of `from` (n, G · D).
fn append_rows(
    heads: &Heads,
    key_head: usize,
    from: &[f32],
    range: Range<usize>,
    gathered: &mut Vec<f32>,
) {
    let width = heads.key_value * heads.size;
    for row in range {
        let at = row * width + key_head * heads.size;
        gathered.extend_from_slice(&from[at..at + heads.size]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_are_cut_at_blocks_alone() {
        let mut rows = Rows::new([100], 70); // positions 70..170, packed from 64
        rows.branch(
            Parent {
                sequence: 0,
                rows: 90,
            },
            10,
        )
        .expect("fits"); // 160..170, packed from 128
        rows.branch(
            Parent {
                sequence: 1,
                rows: 3,
            },
            60,
        )
        .expect("fits"); // 163..223, packed from 128
        let span = |sequence, positions, start| Span {
            sequence,
            positions,
            start,
        };
        assert_eq!(
            contexts(&rows),
            [
                vec![span(None, 0..64, 0), span(Some(0), 64..170, 64)],
                vec![
                    span(None, 0..64, 0),
                    span(Some(0), 64..128, 64),
                    span(Some(1), 128..170, 128)
                ],
                vec![
                    span(None, 0..64, 0),
                    span(Some(0), 64..128, 64),
                    span(Some(2), 128..223, 128)
                ],
            ]
        );
        let heads = Heads {
            query: 1,
            key_value: 1,
            size: 1,
            window: None,
            scores: crate::attend::Scores::of_size(1),
        };
        let (own, prefix): (Vec<f32>, Vec<f32>) = (
            (0..170).map(|row| 1000.0 + row as f32).collect(),
            (0..70).map(|row| row as f32).collect(),
        );
        let gathered = |sequence| {
            let mut all = Vec::new();
            gather(&heads, &rows, sequence, 0, &own, &prefix, &mut all);
            all
        };
        assert_eq!(gathered(0), [&prefix[64..], &own[..100]].concat());
        assert_eq!(gathered(1), [&own[58..90], &own[100..110]].concat());
        assert_eq!(
            gathered(2),
            [&own[58..90], &own[100..103], &own[110..170]].concat()
        );
    }
}
