//! One language's answers of one model as columns of numbers: no texts, and what all records
//! share is kept once, so that a million answers take little memory.
//!
//! Never here: reading, checking, statistics.

use std::collections::BTreeMap;

use schema::{AnswerRecord, Scoring};

/// A number for each label of each record, in the order of the labels' names. Nothing where a
/// record lacks them.
#[derive(Clone, Debug, Default)]
pub(crate) struct LabelValues {
    /// Numbers of a record.
    labels: usize,
    rows: usize,
    /// One row if all records have the same, else all rows.
    values: Vec<f64>,
    /// Whether a record has another number of them than the first.
    uneven: bool,
}

impl LabelValues {
    /// Adds a record's.
    fn push(&mut self, row: &[f64]) {
        if self.rows == 0 {
            self.labels = row.len();
            self.values.extend_from_slice(row);
        } else if row.len() != self.labels {
            self.uneven = true;
        } else if !self.is_shared() || self.values != row {
            self.spread();
            self.values.extend_from_slice(row);
        }
        self.rows += 1;
    }

    /// Whether one row stands for all.
    fn is_shared(&self) -> bool {
        self.values.len() == self.labels
    }

    /// Gives each record so far a row of its own.
    fn spread(&mut self) {
        if self.is_shared() {
            let first = self.values.clone();
            (1..self.rows).for_each(|_| self.values.extend_from_slice(&first));
        }
    }

    /// A record's; empty if any record lacks them.
    pub(crate) fn row(&self, row: usize) -> &[f64] {
        if self.uneven {
            return &[];
        }
        let start = if self.is_shared() {
            0
        } else {
            row * self.labels
        };
        self.values
            .get(start..start + self.labels)
            .unwrap_or_default()
    }

    /// Of all records.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &[f64]> + Clone {
        (0..self.rows).map(|row| self.row(row))
    }

    fn select(&self, rows: &[usize]) -> Self {
        let mut selected = Self::default();
        rows.iter().for_each(|&row| selected.push(self.row(row)));
        selected
    }
}

/// The answers, by item.
#[derive(Clone, Debug)]
pub(crate) struct AnswerColumns {
    /// Item numbers; rising once [`AnswerColumns::sort`] is done.
    pub items: Vec<usize>,
    /// The text that each item shares with others, by number.
    pub groups: Vec<Option<u64>>,
    /// The right label, by its place among the sorted names.
    pub gold: Vec<u32>,
    /// The chosen label.
    pub chosen: Vec<u32>,
    /// Whether the answer counts as right.
    pub correct: Vec<bool>,
    /// Whether the two best scores are equal.
    pub tied: Vec<bool>,
    /// The prompts' hashes.
    pub prompts: Vec<Option<u64>>,
    /// See [`AnswerRecord`], as all that follow.
    pub scores: LabelValues,
    pub prior: LabelValues,
    pub prefix: LabelValues,
    pub log_probs: LabelValues,
    pub tokens: LabelValues,
    pub bytes: LabelValues,
    pub characters: LabelValues,
    pub prior_log_probs: LabelValues,
    pub domain_log_probs: LabelValues,
    /// How the answers were chosen.
    pub scoring: Scoring,
}

impl AnswerColumns {
    /// Without an answer, chosen by `scoring`.
    pub(crate) fn new(scoring: Scoring) -> Self {
        Self {
            items: Vec::new(),
            groups: Vec::new(),
            gold: Vec::new(),
            chosen: Vec::new(),
            correct: Vec::new(),
            tied: Vec::new(),
            prompts: Vec::new(),
            scores: LabelValues::default(),
            prior: LabelValues::default(),
            prefix: LabelValues::default(),
            log_probs: LabelValues::default(),
            tokens: LabelValues::default(),
            bytes: LabelValues::default(),
            characters: LabelValues::default(),
            prior_log_probs: LabelValues::default(),
            domain_log_probs: LabelValues::default(),
            scoring,
        }
    }

    /// Adds a record that was checked; `names` are the labels', sorted.
    pub(crate) fn push(&mut self, record: &AnswerRecord, names: &[String]) {
        let place = |label: &String| names.binary_search(label).unwrap_or_default() as u32;
        self.items.push(record.item);
        self.groups.push(record.group);
        self.gold.push(place(&record.gold));
        self.chosen.push(place(&record.chosen));
        self.correct.push(record.correct);
        self.tied.push(record.tied);
        self.prompts.push(parse_hash(record));
        let maps = [
            (&mut self.scores, &record.scores, 0.0),
            (&mut self.prior, &record.prior, 0.0),
            (&mut self.prefix, &record.prefix_scores, 0.0),
            (&mut self.log_probs, &record.log_probs, f64::NEG_INFINITY),
            (&mut self.prior_log_probs, &record.prior_log_probs, 0.0),
            (&mut self.domain_log_probs, &record.domain_log_probs, 0.0),
        ];
        for (column, map, lacking) in maps {
            column.push(&fill(map, names, |value| *value, lacking));
        }
        let lengths = [
            (&mut self.tokens, &record.label_tokens),
            (&mut self.bytes, &record.label_bytes),
            (&mut self.characters, &record.label_characters),
        ];
        for (column, map) in lengths {
            column.push(&fill(map, names, |length| *length as f64, 1.0));
        }
    }

    /// Brings the answers into the order of their items.
    pub(crate) fn sort(&mut self) {
        if !self.items.is_sorted() {
            let mut order: Vec<usize> = (0..self.items.len()).collect();
            order.sort_by_key(|&row| self.items[row]);
            *self = self.select(&order);
        }
    }

    /// The answers at these places alone.
    fn select(&self, rows: &[usize]) -> Self {
        Self {
            items: pick(&self.items, rows),
            groups: pick(&self.groups, rows),
            gold: pick(&self.gold, rows),
            chosen: pick(&self.chosen, rows),
            correct: pick(&self.correct, rows),
            tied: pick(&self.tied, rows),
            prompts: pick(&self.prompts, rows),
            scores: self.scores.select(rows),
            prior: self.prior.select(rows),
            prefix: self.prefix.select(rows),
            log_probs: self.log_probs.select(rows),
            tokens: self.tokens.select(rows),
            bytes: self.bytes.select(rows),
            characters: self.characters.select(rows),
            prior_log_probs: self.prior_log_probs.select(rows),
            domain_log_probs: self.domain_log_probs.select(rows),
            scoring: self.scoring,
        }
    }

    /// The answers to `items`, which rise.
    pub(crate) fn of_items(&self, items: &[usize]) -> Self {
        let rows: Vec<usize> = (0..self.items.len())
            .filter(|&row| items.binary_search(&self.items[row]).is_ok())
            .collect();
        self.select(&rows)
    }
}

/// The values of a map by label, `lacking` for those that the question does not offer: such that
/// every scoring gives them 0. Nothing for an empty map.
fn fill<T>(
    map: &BTreeMap<String, T>,
    names: &[String],
    number: impl Fn(&T) -> f64,
    lacking: f64,
) -> Vec<f64> {
    if map.is_empty() {
        return Vec::new();
    }
    let value = |name| map.get(name).map_or(lacking, &number);
    names.iter().map(value).collect()
}

/// The number that a checked record's hash is.
fn parse_hash(record: &AnswerRecord) -> Option<u64> {
    let hash = record.prompt_hash.as_deref()?;
    u64::from_str_radix(hash, 16).ok() // `record_check` has refused what is none
}

fn pick<T: Copy>(values: &[T], rows: &[usize]) -> Vec<T> {
    rows.iter().map(|&row| values[row]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_records_share_is_kept_once() {
        let mut values = LabelValues::default();
        [[1.0, 2.0], [1.0, 2.0]]
            .iter()
            .for_each(|row| values.push(row));
        assert_eq!((values.values.len(), values.row(1)), (2, &[1.0, 2.0][..]));
        values.push(&[3.0, 4.0]);
        values.push(&[1.0, 2.0]);
        let rows: Vec<&[f64]> = values.rows().collect();
        assert_eq!(rows, [[1.0, 2.0], [1.0, 2.0], [3.0, 4.0], [1.0, 2.0]]);
        assert_eq!(values.select(&[2, 0]).row(0), [3.0, 4.0]);
        values.push(&[]);
        assert!(values.rows().all(<[f64]>::is_empty), "one lacks them");
    }
}
