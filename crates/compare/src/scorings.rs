//! The same answers by every scoring that was measured: a change that only one scoring shows
//! comes from the scoring, not from the model. Never here: how a scoring works
//! (`schema::scores`).

use schema::Scoring;
use serde::Serialize;

use crate::{
    levels::{BeforeAfter, RightShare},
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

const COUNT: usize = Scoring::ALL.len();

/// By every scoring that all languages and models have.
pub(crate) fn measure_scorings(
    pairs: &[PairedCells],
    resampling: &Resampling,
) -> Vec<ScoringChange> {
    let mut sides: Vec<[ScoringSide; 2]> = (0..COUNT).map(|_| Default::default()).collect();
    for (language, pair) in pairs.iter().enumerate() {
        let after = pair.cells();
        add_language(&mut sides, [&pair.before, &after], language, resampling);
    }
    Scoring::ALL
        .iter()
        .zip(sides)
        .filter_map(|(&scoring, [before, after])| {
            let is_whole = [&before, &after].map(|side| side.series.len() == pairs.len());
            (is_whole == [true, true]).then(|| describe(scoring, before, after))?
        })
        .collect()
}

/// One scoring of all languages before, or after.
#[derive(Default)]
struct ScoringSide {
    /// Of each language whose cells all have the scoring.
    series: Vec<Series>,
    differs: Vec<f64>,
    is_own: bool,
}

/// Adds a language's cells before and after to each scoring that they all have; all scorings
/// share one pass over the draws.
fn add_language(
    sides: &mut [[ScoringSide; 2]],
    cells: [&[&Measured]; 2],
    language: usize,
    resampling: &Resampling,
) {
    let found: Vec<Option<Vec<&Rescored>>> = Scoring::ALL
        .iter()
        .flat_map(|scoring| {
            cells.map(|cells| {
                cells
                    .iter()
                    .map(|cell| cell.scorings.get(scoring))
                    .collect()
            })
        })
        .collect();
    let shares: Vec<Option<RightShare>> = found
        .iter()
        .map(|of| Some(RightShare::new(of.as_ref()?.iter().map(|of| &of.right))))
        .collect();
    let series: [Series; 2 * COUNT] = resampling.series_of(language, |counts| {
        std::array::from_fn(|at| {
            shares[at]
                .as_ref()
                .map_or(f64::NAN, |share| share.of(counts))
        })
    });
    let sides = sides.iter_mut().flatten();
    for ((side, cells), series) in sides.zip(&found).zip(series) {
        if let Some(cells) = cells {
            side.series.push(series);
            side.differs
                .push(mean(cells.iter().map(|cell| cell.differs)));
            side.is_own = cells.iter().all(|cell| cell.is_own);
        }
    }
}

fn describe(scoring: Scoring, before: ScoringSide, after: ScoringSide) -> Option<ScoringChange> {
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
