//! One language's measured answers of both models, cell by cell: seeds and sets of exemplars.

use schema::Language;

use crate::{
    measure::{Measured, MeasuredLanguages},
    pairing::MeasuredSets,
};

/// One language of both models.
pub(crate) struct PairedCells<'a> {
    pub language: Language,
    /// By set of exemplars.
    pub before: Vec<&'a Measured>,
    /// By seed and set.
    pub after: Vec<Vec<&'a Measured>>,
    /// Cells right after minus cells right before, per item.
    pub changes: Vec<i32>,
}

impl<'a> PairedCells<'a> {
    pub(crate) fn new(language: Language, columns: &'a MeasuredSets) -> Self {
        let before: Vec<&Measured> = columns
            .before
            .iter()
            .map(|measures| &measures[&language])
            .collect();
        let of_seed = |sets: &'a Vec<MeasuredLanguages>| -> Vec<&'a Measured> {
            sets.iter().map(|of| &of[&language]).collect()
        };
        let after: Vec<Vec<&Measured>> = columns.after.iter().map(of_seed).collect();
        let change = |item: usize| {
            let cells = after.iter().flat_map(|seed| seed.iter().zip(&before));
            cells
                .map(|(after, before)| after.right[item] - before.right[item])
                .sum()
        };
        let changes = (0..before[0].items.len()).map(change).collect();
        Self {
            language,
            before,
            after,
            changes,
        }
    }

    /// After, all cells.
    pub(crate) fn cells(&self) -> Vec<&'a Measured> {
        self.after.iter().flatten().copied().collect()
    }
}
