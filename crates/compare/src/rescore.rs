//! One language's answers scored again by every scoring that was measured.
//!
//! Never here: how a scoring works (`schema::scores`).

use std::collections::BTreeMap;

use schema::{
    AnswerRecord, Scoring,
    scores::{Measures, Priors, choose, score},
};

use crate::{record_check::measures_of, stats::mean};

/// One language's answers by one scoring.
pub(crate) struct Rescored {
    /// 1 where its choice counts as right.
    pub right: Vec<i32>,
    /// Share of items on which it chooses another label than the answers' own scoring.
    pub differs: f64,
    /// Whether it is the answers' own.
    pub is_own: bool,
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
    let mut all = BTreeMap::new();
    for &scoring in Scoring::ALL {
        let Some(choices) = choose_all(scoring, records, &measures, &priors) else {
            continue;
        };
        if choices.is_empty() {
            continue;
        }
        let is_own = records[0].scoring == scoring;
        // of equal scores the recorded choice counts
        let choices = if is_own { chosen.to_vec() } else { choices };
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

/// The label that a scoring chooses for each item; `None` if a record lacks its measures.
fn choose_all(
    scoring: Scoring,
    records: &[&AnswerRecord],
    measures: &[Measures],
    priors: &Priors,
) -> Option<Vec<usize>> {
    let mut choices = Vec::new();
    for (measures, record) in measures.iter().zip(records) {
        let domain: Vec<f64> = record.domain_log_probs.values().copied().collect();
        let scores = score(scoring, measures, priors, &domain);
        if scores.is_empty() {
            return None;
        }
        choices.push(choose(&scores).0);
    }
    Some(choices)
}

/// Without priors after content-free questions, the answers are texts of each question's own, and
/// there is no prior over the items either.
fn priors_of(records: &[&AnswerRecord], measures: &[Measures]) -> Priors {
    match records.first() {
        Some(first) if !first.prior_log_probs.is_empty() => Priors {
            content_free: first.prior_log_probs.values().copied().collect(),
            ..Priors::new(measures, &[])
        },
        _ => Priors::default(),
    }
}
