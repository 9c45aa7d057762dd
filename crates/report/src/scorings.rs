//! What every scoring that was measured would have said of the same answers: a change that one
//! scoring alone shows is a change of the scoring's taste. Never here: how a scoring works
//! (`schema::scores`).

use std::collections::BTreeMap;

use schema::{
    AnswerRecord, Scoring,
    scores::{Measures, Priors, choose, score},
};
use serde::Serialize;

use crate::{
    change::Pair,
    levels::{BeforeAfter, accuracy_series},
    measure::Measured,
    stats::{
        mean,
        resample::{Resampling, Series},
    },
};

/// What one scoring says of one language's answers.
pub(crate) struct Rescored {
    /// 1 where its choice counts as right.
    pub right: Vec<i32>,
    /// Share of items on which it chooses another label than the answers' own scoring.
    pub differs: f64,
    /// Whether it is the answers' own.
    pub is_own: bool,
}

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

/// Every scoring whose measures all of `records` have. `chosen` are the labels that were
/// chosen, in the order of their names.
pub(crate) fn rescore(
    records: &[&AnswerRecord],
    chosen: &[usize],
    is_right: impl Fn(usize, usize) -> i32,
) -> BTreeMap<Scoring, Rescored> {
    let measures: Vec<Measures> = records.iter().map(|record| measures_of(record)).collect();
    let priors = priors_of(records, &measures);
    let choose_by = |scoring: Scoring| -> Option<Vec<usize>> {
        let by = |(measures, record): (&Measures, &&AnswerRecord)| {
            let domain: Vec<f64> = record.domain_log_probs.values().copied().collect();
            let scores = score(scoring, measures, &priors, &domain);
            (!scores.is_empty()).then(|| choose(&scores).0)
        };
        measures.iter().zip(records).map(by).collect()
    };
    let mut all = BTreeMap::new();
    for &scoring in Scoring::ALL {
        let Some(choices) = choose_by(scoring).filter(|choices| !choices.is_empty()) else {
            continue;
        };
        let is_own = records[0].scoring == scoring;
        let choices = if is_own { chosen.to_vec() } else { choices }; // of equal scores the recorded choice counts
        let differs = mean(
            choices
                .iter()
                .zip(chosen)
                .map(|(a, b)| f64::from(u8::from(a != b))),
        );
        let right = choices
            .iter()
            .enumerate()
            .map(|(item, &choice)| is_right(item, choice))
            .collect();
        all.insert(
            scoring,
            Rescored {
                right,
                differs,
                is_own,
            },
        );
    }
    all
}

fn measures_of(record: &AnswerRecord) -> Measures {
    Measures {
        prefix: record.prefix_scores.values().copied().collect(),
        log_probs: record.log_probs.values().copied().collect(),
        tokens: record.label_tokens.values().copied().collect(),
    }
}

/// Without priors after content-free questions the answers are each question's own texts, and
/// have none over the items either.
fn priors_of(records: &[&AnswerRecord], measures: &[Measures]) -> Priors {
    match records.first() {
        Some(first) if !first.prior_log_probs.is_empty() => Priors {
            content_free: first.prior_log_probs.values().copied().collect(),
            ..Priors::new(measures, &[])
        },
        _ => Priors::default(),
    }
}

/// By every scoring that all languages and models have.
pub(crate) fn measure_scorings(pairs: &[Pair], resampling: &Resampling) -> Vec<ScoringChange> {
    Scoring::ALL
        .iter()
        .filter_map(|&scoring| measure_one(scoring, pairs, resampling))
        .collect()
}

fn measure_one(scoring: Scoring, pairs: &[Pair], resampling: &Resampling) -> Option<ScoringChange> {
    let (mut before, mut after) = (Side::default(), Side::default());
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
struct Side {
    series: Vec<Series>,
    differs: Vec<f64>,
    is_own: bool,
}

impl Side {
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
