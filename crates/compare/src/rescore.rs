//! One language's answers scored again by every scoring that was measured.
//!
//! Never here: how a scoring works (`schema::scores`).

use std::collections::BTreeMap;

use schema::{
    Scoring,
    scores::{LabelLengths, Measures, Priors, choose, log_mean_shares, score},
};

use crate::{
    columns::AnswerColumns,
    stats::{mean, resample::Stop},
};

/// One language's answers by one scoring.
pub(crate) struct Rescored {
    /// 1 where its choice counts as right.
    pub right: Vec<i8>,
    /// Share of items on which it chooses another label than the answers' own scoring.
    pub differs: f64,
    /// Whether it is the answers' own.
    pub is_own: bool,
}

/// Every scoring whose measures all records have; none more once `stop` says so.
pub(crate) fn rescore(
    columns: &AnswerColumns,
    is_right: impl Fn(usize, usize) -> i8,
    stop: Stop,
) -> BTreeMap<Scoring, Rescored> {
    let priors = priors_of(columns);
    let mut all = BTreeMap::new();
    for &scoring in Scoring::ALL {
        let Some(choices) = choose_all(scoring, columns, &priors, stop) else {
            continue;
        };
        if choices.is_empty() {
            continue;
        }
        let is_own = columns.scoring == scoring;
        // of equal scores the recorded choice counts
        let choices = if is_own {
            columns.chosen.clone()
        } else {
            choices
        };
        let pairs = choices.iter().zip(&columns.chosen);
        let differs = mean(pairs.map(|(a, b)| f64::from(u8::from(a != b))));
        let right = choices
            .iter()
            .enumerate()
            .map(|(item, &choice)| is_right(item, choice as usize))
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
    columns: &AnswerColumns,
    priors: &Priors,
    stop: Stop,
) -> Option<Vec<u32>> {
    let mut choices = Vec::new();
    let mut measures = Measures::default();
    for row in 0..columns.items.len() {
        measures.fill(
            columns.prefix.row(row),
            columns.log_probs.row(row),
            LabelLengths {
                tokens: columns.tokens.row(row),
                bytes: columns.bytes.row(row),
                characters: columns.characters.row(row),
            },
        );
        let scores = score(
            scoring,
            &measures,
            priors,
            columns.domain_log_probs.row(row),
        );
        if scores.is_empty() || stop() {
            return None;
        }
        choices.push(choose(&scores).0 as u32);
    }
    Some(choices)
}

/// Without priors after content-free questions, the answers are texts of each question's own, and
/// there is no prior over the items either.
fn priors_of(columns: &AnswerColumns) -> Priors {
    let content_free = columns.prior_log_probs.row(0);
    if content_free.is_empty() {
        return Priors::default();
    }
    Priors {
        content_free: content_free.to_vec(),
        batch: log_mean_shares(columns.log_probs.rows()),
    }
}
