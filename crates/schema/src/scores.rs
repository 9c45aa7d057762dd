//! From what a forward pass measured to one score per label, by every scoring; and how often
//! they choose differently. What a record's measures mean, for who makes records and for who
//! reads them. Never here: models, files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Scoring;

/// What a forward pass says of one question; each list in the order of the labels, or empty
/// where it was not measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    /// The paper's sum of next-token probabilities.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefix: Vec<f64>,
    /// ln p of the label's tokens, nats.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log_probs: Vec<f64>,
    /// How many factors that probability has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<usize>,
    /// Bytes of the label's text in UTF-8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bytes: Vec<usize>,
    /// Characters of the label's text: Unicode code points.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub characters: Vec<usize>,
}

/// Lengths of each label of a question, by what is counted; whole numbers.
#[derive(Clone, Copy, Debug)]
pub struct LabelLengths<'a> {
    /// As [`Measures::tokens`].
    pub tokens: &'a [f64],
    /// As [`Measures::bytes`].
    pub bytes: &'a [f64],
    /// As [`Measures::characters`].
    pub characters: &'a [f64],
}

impl Measures {
    /// Takes over the numbers of another question.
    pub fn fill(&mut self, prefix: &[f64], log_probs: &[f64], lengths: LabelLengths<'_>) {
        self.prefix.clear();
        self.prefix.extend_from_slice(prefix);
        self.log_probs.clear();
        self.log_probs.extend_from_slice(log_probs);
        let pairs = [
            (&mut self.tokens, lengths.tokens),
            (&mut self.bytes, lengths.bytes),
            (&mut self.characters, lengths.characters),
        ];
        for (own, others) in pairs {
            own.clear();
            own.extend(others.iter().map(|&length| length as usize));
        }
    }

    /// What is wrong with the measures of a question with so many labels; `None`: nothing.
    pub fn problem(&self, labels: usize) -> Option<String> {
        let Self {
            prefix,
            log_probs,
            tokens,
            bytes,
            characters,
        } = self;
        let counts = [
            ("prefix sums", prefix.len()),
            ("log-probabilities", log_probs.len()),
            ("numbers of tokens", tokens.len()),
            ("numbers of bytes", bytes.len()),
            ("numbers of characters", characters.len()),
        ];
        if let Some((name, count)) = counts.into_iter().find(|(_, n)| ![0, labels].contains(n)) {
            return Some(format!("{count} {name} for {labels} labels"));
        }
        if let Some(sum) = prefix.iter().find(|p| !(p.is_finite() && **p >= 0.0)) {
            return Some(format!("a prefix sum is {sum}, which is not a probability"));
        }
        // a sum of f32 logarithms may end a little above 0
        if let Some(log) = log_probs.iter().find(|l| l.is_nan() || **l > 1e-3) {
            return Some(format!(
                "a log-probability is {log}, which is not the logarithm of a probability"
            ));
        }
        let lengths = [
            ("tokens", tokens),
            ("bytes", bytes),
            ("characters", characters),
        ];
        lengths
            .into_iter()
            .find(|(_, of)| of.contains(&0))
            .map(|(name, _)| format!("a label has 0 {name}"))
    }
}

/// What is divided out of exact probabilities, as logarithms in nats; each in the order of the
/// labels, or empty where the answers are each question's own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Priors {
    /// ln of the mean share after content-free questions.
    pub content_free: Vec<f64>,
    /// ln of the mean share over the questions that are scored.
    pub batch: Vec<f64>,
}

impl Priors {
    /// From the measures of the items and of the content-free questions. The order of the items
    /// is no matter.
    pub fn new(items: &[Measures], content_free: &[Measures]) -> Self {
        Self {
            content_free: log_mean_shares(rows_of(content_free)),
            batch: log_mean_shares(rows_of(items)),
        }
    }
}

fn rows_of(questions: &[Measures]) -> impl Iterator<Item = &[f64]> + Clone {
    questions
        .iter()
        .map(|question| question.log_probs.as_slice())
}

/// Scores of each label; empty where what they are made from was not measured. All but the
/// prefix sums are probabilities that sum to 1. `domain`: ln p of each label after the closing
/// header alone.
pub fn score(scoring: Scoring, measures: &Measures, priors: &Priors, domain: &[f64]) -> Vec<f64> {
    let log_probs = &measures.log_probs;
    let divided = |by: &[f64]| {
        normalise(
            &log_probs
                .iter()
                .zip(by)
                .map(|(l, by)| l - by)
                .collect::<Vec<_>>(),
        )
    };
    let by_length = |lengths: &[usize]| {
        let means = log_probs
            .iter()
            .zip(lengths)
            .map(|(l, &length)| l / length as f64);
        normalise(&means.collect::<Vec<_>>())
    };
    match scoring {
        Scoring::Prefix => measures.prefix.clone(),
        Scoring::Sequence => normalise(log_probs),
        Scoring::SequenceMean => by_length(&measures.tokens),
        Scoring::SequenceBytes => by_length(&measures.bytes),
        Scoring::SequenceCharacters => by_length(&measures.characters),
        Scoring::Contextual => divided(&priors.content_free),
        Scoring::Batch => divided(&priors.batch),
        Scoring::Pmi => divided(domain),
    }
}

/// Index of the highest score, the first of equals, and whether there are equals.
pub fn choose(scores: &[f64]) -> (usize, bool) {
    let mut best = 0;
    for (i, &score) in scores.iter().enumerate() {
        if score > scores[best] {
            best = i;
        }
    }
    let tied = scores.iter().filter(|&&s| s == scores[best]).count() > 1;
    (best, tied)
}

/// Mean over questions of each label's share of the score. Where all scores vanish no label is
/// preferred.
pub fn mean_shares(scores: &[Vec<f64>]) -> Vec<f64> {
    let mut mean = vec![0.0; scores.first().map_or(0, Vec::len)];
    for row in scores {
        let total: f64 = row.iter().sum();
        for (sum, score) in mean.iter_mut().zip(row) {
            let share = if total > 0.0 {
                score / total
            } else {
                1.0 / row.len() as f64
            };
            *sum += share / scores.len() as f64;
        }
    }
    mean
}

/// ln of the mean over questions of each label's share of the exact probabilities, given as
/// logarithms, a row for each question; in logarithms throughout, so that a share too small for
/// a number is none too small to be divided by. Empty where a question lacks them.
pub fn log_mean_shares<'a>(rows: impl Iterator<Item = &'a [f64]> + Clone) -> Vec<f64> {
    let labels = rows.clone().next().map_or(0, <[f64]>::len);
    if rows.clone().any(|row| row.len() != labels) {
        return Vec::new();
    }
    let totals: Vec<f64> = rows.clone().map(|row| log_sum_exp(row.to_vec())).collect();
    let mean = |label: usize| {
        let logs = rows
            .clone()
            .zip(&totals)
            .map(|(row, total)| row[label] - total);
        log_sum_exp(logs.collect()) - (totals.len() as f64).ln()
    };
    (0..labels).map(mean).collect()
}

/// ln of the sum of exponentials, the same to the last bit in whatever order they come.
fn log_sum_exp(mut logs: Vec<f64>) -> f64 {
    logs.sort_by(f64::total_cmp);
    let max = logs.last().copied().unwrap_or(f64::NEG_INFINITY);
    max + logs.iter().map(|l| (l - max).exp()).sum::<f64>().ln()
}

/// exp, to a sum of 1.
fn normalise(log_p: &[f64]) -> Vec<f64> {
    let max = log_p.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let p: Vec<f64> = log_p.iter().map(|l| (l - max).exp()).collect();
    let total: f64 = p.iter().sum();
    p.into_iter().map(|p| p / total).collect()
}

/// On how many questions two scorings choose another label.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disagreements {
    /// By pair, the first one before the second: questions, and those of them on which the
    /// choices differ.
    pub pairs: BTreeMap<(Scoring, Scoring), (usize, usize)>,
}

impl Disagreements {
    /// Adds what each scoring chose on the same questions.
    pub fn add(&mut self, choices: &BTreeMap<Scoring, Vec<usize>>) {
        for (first, a) in choices {
            for (second, b) in choices.range(first..).skip(1) {
                let (asked, differ) = self.pairs.entry((*first, *second)).or_default();
                *asked += a.len();
                *differ += a.iter().zip(b).filter(|(a, b)| a != b).count();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exact(log_probs: &[f64], tokens: &[usize]) -> Measures {
        Measures {
            prefix: Vec::new(),
            log_probs: log_probs.to_vec(),
            tokens: tokens.to_vec(),
            bytes: tokens.iter().map(|count| 2 * count).collect(),
            characters: tokens.iter().map(|count| count + 1).collect(),
        }
    }

    fn assert_close(found: &[f64], expected: &[f64]) {
        let close = found.len() == expected.len()
            && found
                .iter()
                .zip(expected)
                .all(|(a, b)| (a - b).abs() < 1e-12);
        assert!(close, "{found:?} is not {expected:?}");
    }

    #[test]
    fn the_first_of_equals_is_chosen_and_it_is_said() {
        assert_eq!(choose(&[0.1, 0.3, 0.2]), (1, false));
        assert_eq!(choose(&[0.3, 0.1, 0.3]), (0, true));
        assert_eq!(choose(&[0.1, 0.1, 0.3]), (2, false));
    }

    #[test]
    fn probabilities_sum_to_one_however_small_they_are() {
        let p = normalise(&[-1000.0, -1001.0]);
        assert!(
            (p[0] - 1.0 / (1.0 + (-1.0f64).exp())).abs() < 1e-12
                && (p[0] + p[1] - 1.0).abs() < 1e-12
        );
    }

    // Two labels with probabilities 0.08 and 0.02 of three and one tokens, six and two bytes, four
    // and two characters, by hand.
    #[test]
    fn each_scoring_by_hand() {
        let measures = Measures {
            prefix: vec![0.25, 0.5],
            ..exact(&[0.08f64.ln(), 0.02f64.ln()], &[3, 1])
        };
        let content_free = [
            exact(&[0.09f64.ln(), 0.01f64.ln()], &[3, 1]),
            exact(&[0.3f64.ln(), 0.1f64.ln()], &[3, 1]),
        ];
        let domain = exact(&[0.4f64.ln(), 0.01f64.ln()], &[3, 1]);
        let items = [
            measures.clone(),
            exact(&[0.01f64.ln(), 0.03f64.ln()], &[3, 1]),
        ];
        let priors = Priors::new(&items, &content_free);
        let found = |scoring| score(scoring, &measures, &priors, &domain.log_probs);
        assert_eq!(found(Scoring::Prefix), [0.25, 0.5]);
        assert_close(&found(Scoring::Sequence), &[0.8, 0.2]);
        let root = 0.08f64.cbrt();
        assert_close(
            &found(Scoring::SequenceMean),
            &[root / (root + 0.02), 0.02 / (root + 0.02)],
        );
        let (a, b) = (0.08f64.powf(1.0 / 6.0), 0.02f64.sqrt());
        assert_close(&found(Scoring::SequenceBytes), &[a / (a + b), b / (a + b)]);
        let (a, b) = (0.08f64.powf(0.25), 0.02f64.sqrt());
        assert_close(
            &found(Scoring::SequenceCharacters),
            &[a / (a + b), b / (a + b)],
        );
        // Mean shares (0.9 + 0.75) / 2 and (0.1 + 0.25) / 2.
        let (a, b) = (0.08 / 0.825, 0.02 / 0.175);
        assert_close(&found(Scoring::Contextual), &[a / (a + b), b / (a + b)]);
        // Mean shares (0.8 + 0.25) / 2 and (0.2 + 0.75) / 2.
        let (a, b) = (0.08 / 0.525, 0.02 / 0.475);
        assert_close(&found(Scoring::Batch), &[a / (a + b), b / (a + b)]);
        let (a, b) = (0.08 / 0.4, 0.02 / 0.01);
        assert_close(&found(Scoring::Pmi), &[a / (a + b), b / (a + b)]);
        assert_eq!(choose(&found(Scoring::Pmi)).0, 1);
    }

    #[test]
    fn what_was_not_measured_has_no_scores() {
        let prefix_only = Measures {
            prefix: vec![0.1, 0.2],
            ..Measures::default()
        };
        let priors = Priors::new(std::slice::from_ref(&prefix_only), &[]);
        for word in Scoring::WORDS {
            let scoring: Scoring = word.parse().expect("a scoring");
            assert_eq!(
                score(scoring, &prefix_only, &priors, &[]).is_empty(),
                scoring != Scoring::Prefix,
                "{scoring}"
            );
        }
    }

    #[test]
    fn a_question_without_measures_gives_no_prior_and_no_panic() {
        let lacking = [exact(&[-1.0, -2.0], &[1, 1]), Measures::default()];
        assert_eq!(Priors::new(&lacking, &lacking), Priors::default());
        let short = [exact(&[-1.0, -2.0], &[1, 1]), exact(&[-1.0], &[1])];
        assert!(Priors::new(&short, &[]).batch.is_empty());
    }

    #[test]
    fn broken_measures_are_named() {
        let whole = Measures {
            prefix: vec![0.5, 0.5],
            ..exact(&[-1.0, -2.0], &[1, 2])
        };
        assert_eq!(whole.problem(2), None);
        assert_eq!(Measures::default().problem(2), None);
        let said = |measures: Measures| measures.problem(2).unwrap_or_default();
        assert_eq!(
            said(exact(&[-1.0], &[1])),
            "1 log-probabilities for 2 labels"
        );
        assert_eq!(said(exact(&[-1.0, -2.0], &[1, 0])), "a label has 0 tokens");
        assert!(said(exact(&[-1.0, f64::NAN], &[1, 1])).contains("NaN"));
        assert!(said(exact(&[-1.0, 3.0], &[1, 1])).contains("is 3"));
        let negative = Measures {
            prefix: vec![-0.5, 0.5],
            ..whole
        };
        assert!(said(negative).contains("a prefix sum is -0.5"));
    }

    #[test]
    fn disagreements_are_counted_over_all_that_is_added() {
        let mut counted = Disagreements::default();
        let choices = |prefix: &[usize], batch: &[usize]| {
            BTreeMap::from([
                (Scoring::Prefix, prefix.to_vec()),
                (Scoring::Batch, batch.to_vec()),
            ])
        };
        counted.add(&choices(&[0, 1, 2], &[0, 2, 2]));
        counted.add(&choices(&[1], &[0]));
        assert_eq!(
            counted.pairs,
            BTreeMap::from([((Scoring::Prefix, Scoring::Batch), (4, 2))])
        );
    }

    proptest! {
        #[test]
        fn the_order_of_items_changes_no_bit(
            rows in prop::collection::vec(prop::collection::vec(-900.0..0.0f64, 3), 1..40),
            turn in 0usize..40,
        ) {
            let items: Vec<Measures> = rows.iter().map(|row| exact(row, &[1, 2, 3])).collect();
            let mut turned = items.clone();
            turned.rotate_left(turn % items.len());
            turned.reverse();
            let batch = |items: &[Measures]| Priors::new(items, &[]).batch;
            prop_assert_eq!(batch(&items), batch(&turned));
        }

        #[test]
        fn all_scores_but_prefix_sums_are_shares(
            rows in prop::collection::vec(prop::collection::vec(-900.0..0.0f64, 2), 2..9),
        ) {
            let items: Vec<Measures> = rows.iter().map(|row| exact(row, &[2, 9])).collect();
            let priors = Priors::new(&items[1..], &items[..1]);
            for word in &Scoring::WORDS[1..] {
                let scores = score(word.parse().expect("a scoring"), &items[1], &priors, &items[0].log_probs);
                prop_assert!((scores.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{word}: {scores:?}");
            }
        }
    }
}
