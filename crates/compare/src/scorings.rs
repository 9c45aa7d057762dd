//! What every scoring that was measured would have said of the same answers: a change that one
//! scoring alone shows is a change of the scoring's taste. Never here: how a scoring works
//! (`schema::scores`).

use schema::Scoring;
use serde::Serialize;

use crate::{
    levels::{BeforeAfter, accuracy_series},
    measure::Measured,
    paired_cells::PairedCells,
    rescore::Rescored,
    stats::{
        mean,
        resample::{Resampling, Series},
    },
};

/// Means over languages by one scoring.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScoringChange {
    /// The scoring.
    pub scoring: Scoring,
    /// Whether the answers were chosen by it.
    pub is_own: bool,
    /// Mean accuracy; after: the mean over seeds and exemplar sets.
    pub accuracy: BeforeAfter,
    /// Share of items on which it chooses another label than the answers' own scoring, before
    /// and after.
    pub differs: (f64, f64),
}

/// By every scoring that all languages and models have.
pub(crate) fn measure_scorings(
    pairs: &[PairedCells],
    resampling: &Resampling,
) -> Vec<ScoringChange> {
    Scoring::ALL
        .iter()
        .filter_map(|&scoring| measure_one(scoring, pairs, resampling))
        .collect()
}

fn measure_one(
    scoring: Scoring,
    pairs: &[PairedCells],
    resampling: &Resampling,
) -> Option<ScoringChange> {
    let (mut before, mut after) = (ScoringSide::default(), ScoringSide::default());
    for (language, pair) in pairs.iter().enumerate() {
        before.add(scoring, &pair.before, language, resampling)?;
        after.add(scoring, &pair.cells(), language, resampling)?;
    }
    Some(ScoringChange {
        scoring,
        is_own: before.is_own && after.is_own,
        accuracy: BeforeAfter::of(
            &Series::mean_of(&before.series)?,
            &Series::mean_of(&after.series)?,
        )?,
        differs: (mean(before.differs), mean(after.differs)),
    })
}

/// All languages before, or after.
#[derive(Default)]
struct ScoringSide {
    series: Vec<Series>,
    differs: Vec<f64>,
    is_own: bool,
}

impl ScoringSide {
    /// Adds a language; `None` if one of its cells lacks the scoring.
    fn add(
        &mut self,
        scoring: Scoring,
        cells: &[&Measured],
        language: usize,
        resampling: &Resampling,
    ) -> Option<()> {
        let cells: Vec<&Rescored> = cells
            .iter()
            .map(|cell| cell.scorings.get(&scoring))
            .collect::<Option<_>>()?;
        let right: Vec<&Vec<i32>> = cells.iter().map(|cell| &cell.right).collect();
        self.series
            .push(accuracy_series(resampling, language, &right));
        self.differs
            .push(mean(cells.iter().map(|cell| cell.differs)));
        self.is_own = cells.iter().all(|cell| cell.is_own);
        Some(())
    }
}
