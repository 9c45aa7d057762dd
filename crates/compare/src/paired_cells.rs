//! One language's measured answers of both models, cell by cell: seeds and sets of exemplars.

use schema::Language;

use crate::{measure::Measured, pairing::MeasuredSets};

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
        let before: Vec<&Measured> = columns.before.iter().map(|set| &set[&language]).collect();
        let after: Vec<Vec<&Measured>> = columns
            .after
            .iter()
            .map(|sets| sets.iter().map(|set| &set[&language]).collect())
            .collect();
        let mut changes = vec![0; before[0].items.len()];
        for (after, before) in after.iter().flat_map(|seed| seed.iter().zip(&before)) {
            for (item, change) in changes.iter_mut().enumerate() {
                *change += i32::from(after.right[item] - before.right[item]);
            }
        }
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
