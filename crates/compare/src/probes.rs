//! What was measured while an adapter was trained, as points by update and language.

use std::collections::BTreeSet;

use schema::{Language, record::ProbeRecord};

use crate::stats::{mean, ranking::Separation};

/// One language after one number of updates. A point is of few items: it shows where a training
/// goes, and is no result.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbePoint {
    /// Optimiser updates so far.
    pub update: usize,
    /// The language.
    pub language: Language,
    /// Questions asked.
    pub items: usize,
    /// Share of right answers; `None` where none was asked.
    pub accuracy: Option<f64>,
    /// Area under the curve, as in the results; `None` where it is undefined.
    pub auc: Option<f64>,
    /// Loss of translating from the language, nats per token.
    pub translation_loss: Option<f64>,
    /// CKA with English.
    pub cka: Option<f64>,
}

impl ProbePoint {
    /// Of one record.
    pub fn new(record: &ProbeRecord) -> Self {
        let items = record.answers.len();
        let right = record
            .answers
            .iter()
            .map(|answer| f64::from(answer.correct));
        Self {
            update: record.update,
            language: record.language,
            items,
            accuracy: (items > 0).then(|| mean(right)),
            auc: area(record),
            translation_loss: record.translation.map(|loss| loss.mean),
            cka: record.alignment.map(|alignment| alignment.cka),
        }
    }
}

/// As the results compute it: the mean over pairs of labels of how well their shares order the
/// items.
fn area(record: &ProbeRecord) -> Option<f64> {
    let answers = &record.answers;
    let labels: Vec<&String> = answers
        .iter()
        .flat_map(|answer| answer.scores.keys())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let score = |at: usize, label: &String| answers[at].scores.get(label).copied().unwrap_or(0.0);
    let shares: Vec<Vec<f64>> = (0..answers.len())
        .map(|at| labels.iter().map(|label| score(at, label)).collect())
        .collect();
    let gold: Option<Vec<usize>> = answers
        .iter()
        .map(|answer| labels.iter().position(|label| **label == answer.gold))
        .collect();
    let area = Separation::new(&shares, &gold?, labels.len()).area(&vec![1; answers.len()]);
    (!area.is_nan()).then_some(area)
}

#[cfg(test)]
mod tests {
    use schema::record::ProbeAnswer;

    use super::*;

    #[test]
    fn a_point_counts_right_answers_and_orders_items() {
        let answer = |item: usize, gold: &str, positive: f64, correct: bool| ProbeAnswer {
            item,
            gold: gold.to_owned(),
            correct,
            scores: [("positive", positive), ("negative", 1.0 - positive)]
                .map(|(label, score)| (label.to_owned(), score))
                .into(),
        };
        let record = ProbeRecord {
            update: 25,
            language: Language::De,
            task: "emotion".to_owned(),
            answers: vec![
                answer(0, "positive", 0.9, true),
                answer(1, "positive", 0.6, true),
                answer(2, "negative", 0.7, false),
                answer(3, "negative", 0.2, true),
            ],
            translation: None,
            alignment: None,
        };
        let point = ProbePoint::new(&record);
        assert_eq!((point.items, point.accuracy), (4, Some(0.75)));
        // of four pairs of a positive and a negative item, one is in the wrong order
        assert_eq!(point.auc, Some(0.75));
        let nothing = ProbeRecord {
            answers: Vec::new(),
            ..record
        };
        let point = ProbePoint::new(&nothing);
        assert_eq!((point.accuracy, point.auc), (None, None));
    }
}
