//! Reading answers: JSON Lines to checked sets, one set per model, task and label set.
//!
//! Never here: statistics; repairing a contradiction.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use schema::{
    AnswerRecord, LabelSet, Language, Protocol,
    caveats::{AnswerCounts, describe_answers},
    disk::DiskError,
};
use serde::de::DeserializeOwned;

use crate::{
    error::CompareError,
    record_check::{lacks, record_problem},
};

/// A record with the file and the line, from 1, that it was read from.
pub type LocatedRecord = (PathBuf, usize, AnswerRecord);

/// The answers of one model to one task with one label set after one set of exemplars.
pub(crate) struct AnswerSet {
    /// Its file, or its first one.
    pub source: PathBuf,
    /// The values that all its records share.
    pub head: AnswerHead,
    /// English label names, sorted.
    pub label_names: Vec<String>,
    /// Records of each language in the order of the items.
    pub languages: BTreeMap<Language, Vec<AnswerRecord>>,
    /// What the caveats are said from.
    pub counts: BTreeMap<Language, AnswerCounts>,
}

/// The values that all records of a set share.
#[derive(Clone, Debug)]
pub(crate) struct AnswerHead {
    pub model: String,
    pub adapter: Option<String>,
    pub task: String,
    pub labels: LabelSet,
    pub protocol: Option<Protocol>,
    scoring: String,
    pub few_shot: String,
}

impl AnswerHead {
    fn of(record: &AnswerRecord) -> Self {
        Self {
            model: record.model.clone(),
            adapter: record.adapter.clone(),
            task: record.task.clone(),
            labels: record.labels,
            protocol: record.protocol,
            scoring: record.scoring.to_string(),
            few_shot: record.few_shot.clone(),
        }
    }

    /// Each key with its value, for comparing.
    fn entries(&self) -> [(&'static str, String); 7] {
        [
            ("task", self.task.clone()),
            ("labels", self.labels.to_string()),
            ("model", self.model.clone()),
            (
                "adapter",
                self.adapter.clone().unwrap_or_else(|| "none".to_owned()),
            ),
            ("scoring", self.scoring.clone()),
            (
                "protocol",
                self.protocol
                    .map_or_else(|| "none".to_owned(), |protocol| protocol.to_string()),
            ),
            ("few_shot", self.few_shot.clone()),
        ]
    }

    /// The keys in which two sets differ, with both values.
    pub(crate) fn differences(&self, other: &Self) -> Vec<(&'static str, String)> {
        let pairs = self.entries().into_iter().zip(other.entries());
        pairs
            .filter(|((_, a), (_, b))| a != b)
            .map(|((key, a), (_, b))| {
                (key, format!("{key} is `{a}` in one and `{b}` in the other"))
            })
            .collect()
    }
}

/// Reads a file of JSON Lines; every value comes with its line number.
pub(crate) fn read_lines<T: DeserializeOwned>(
    path: &Path,
) -> Result<Vec<(usize, T)>, CompareError> {
    let text = fs::read_to_string(path).map_err(DiskError::at("read", path))?;
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| match serde_json::from_str(line) {
            Ok(value) => Ok((index + 1, value)),
            Err(problem) => Err(CompareError::BadLine {
                path: path.to_owned(),
                line: index + 1,
                problem,
            }),
        })
        .collect()
}

/// The records of a file of answers, each with the file and its line.
///
/// # Errors
/// The file cannot be read, or a line is not a record.
pub fn read_answers(path: &Path) -> Result<Vec<LocatedRecord>, CompareError> {
    let lines = read_lines::<AnswerRecord>(path)?;
    Ok(lines
        .into_iter()
        .map(|(line, record)| (path.to_owned(), line, record))
        .collect())
}

impl AnswerSet {
    /// Reads files in any order: one set for each set of exemplars, in the order of their first
    /// record. `misplaced` returns the reason why a record does not belong in its file. Empty if
    /// the files hold no record.
    pub(crate) fn read(
        files: &[PathBuf],
        misplaced: impl Fn(&Path, &AnswerRecord) -> Option<String>,
    ) -> Result<Vec<Self>, CompareError> {
        let mut records = Vec::new();
        for path in files {
            records.extend(read_answers(path)?);
        }
        Self::collect(records, misplaced)
    }

    /// As [`AnswerSet::read`], for records that were read before.
    pub(crate) fn collect(
        records: Vec<LocatedRecord>,
        misplaced: impl Fn(&Path, &AnswerRecord) -> Option<String>,
    ) -> Result<Vec<Self>, CompareError> {
        let mut sets: Vec<Self> = Vec::new();
        let mut seen = BTreeSet::new();
        for (path, line, record) in records {
            let mut problem = misplaced(&path, &record)
                .or_else(|| record_problem(&record))
                .or_else(|| sets.first().and_then(|first| first.set_problem(&record)));
            let key = (record.few_shot.clone(), record.language, record.item);
            if problem.is_none() && !seen.insert(key) {
                problem = Some(format!(
                    "duplicate item {} in `{}`",
                    record.item, record.language
                ));
            }
            if let Some(problem) = problem {
                return Err(CompareError::BadRecord {
                    path,
                    line,
                    problem,
                });
            }
            let place = sets
                .iter()
                .position(|set| set.head.few_shot == record.few_shot)
                .unwrap_or_else(|| {
                    sets.push(Self::starting_with(&path, &record));
                    sets.len() - 1
                });
            let of_language = sets[place].counts.entry(record.language);
            of_language.or_default().add(&record);
            sets[place]
                .languages
                .entry(record.language)
                .or_default()
                .push(record);
        }
        for records in sets.iter_mut().flat_map(|set| set.languages.values_mut()) {
            records.sort_by_key(|record| record.item);
        }
        Ok(sets)
    }

    fn starting_with(path: &Path, record: &AnswerRecord) -> Self {
        Self {
            source: path.to_owned(),
            head: AnswerHead::of(record),
            label_names: record.scores.keys().cloned().collect(),
            languages: BTreeMap::new(),
            counts: BTreeMap::new(),
        }
    }

    /// What makes these answers worth less, in sentences that begin with `who`.
    pub(crate) fn caveats(&self, who: &str) -> Vec<String> {
        let counts: Vec<_> = self.counts.iter().map(|(l, of)| (*l, of)).collect();
        let said = describe_answers(&counts);
        said.into_iter().map(|one| format!("{who}: {one}")).collect()
    }

    /// The error that names how this set and another one differ.
    pub(crate) fn not_comparable(
        &self,
        other: &Self,
        difference: impl Into<String>,
    ) -> CompareError {
        CompareError::not_comparable(&self.source, &other.source, difference)
    }

    /// How a record contradicts the set's first one, exemplars apart.
    fn set_problem(&self, record: &AnswerRecord) -> Option<String> {
        let first = self.source.display();
        let differences = self.head.differences(&AnswerHead::of(record));
        if let Some((_, difference)) = differences.into_iter().find(|(key, _)| *key != "few_shot") {
            return Some(format!(
                "not of the same evaluation as the first record of {first}: {difference}"
            ));
        }
        if !record.scores.keys().eq(self.label_names.iter()) {
            let names: Vec<_> = record.scores.keys().cloned().collect();
            return Some(format!(
                "scores are for {}, but for {} in the first record of {first}",
                names.join("/"),
                self.label_names.join("/")
            ));
        }
        let first = self.languages.get(&record.language)?.first()?;
        lacks(first, record)
    }
}

/// Checks that two sets can be compared item by item: task, label set, label names, items and
/// gold labels must be equal (gold labels may differ between protocols). Returns the languages
/// that both have.
pub(crate) fn check_comparable(
    a: &AnswerSet,
    b: &AnswerSet,
) -> Result<Vec<Language>, CompareError> {
    let of_heads = a.head.differences(&b.head);
    if let Some((_, difference)) = of_heads
        .into_iter()
        .find(|(key, _)| ["task", "labels"].contains(key))
    {
        return Err(a.not_comparable(b, difference));
    }
    if a.label_names != b.label_names {
        let difference = format!(
            "labels are {} and {}",
            a.label_names.join("/"),
            b.label_names.join("/")
        );
        return Err(a.not_comparable(b, difference));
    }
    let common: Vec<Language> = a
        .languages
        .keys()
        .copied()
        .filter(|l| b.languages.contains_key(l))
        .collect();
    if common.is_empty() {
        return Err(a.not_comparable(b, "they have no language in common"));
    }
    for language in &common {
        if let Some(difference) = item_difference(&a.languages[language], &b.languages[language]) {
            return Err(a.not_comparable(b, format!("in `{language}` {difference}")));
        }
    }
    Ok(common)
}

fn item_numbers(records: &[AnswerRecord]) -> BTreeSet<usize> {
    records.iter().map(|record| record.item).collect()
}

fn item_difference(a: &[AnswerRecord], b: &[AnswerRecord]) -> Option<String> {
    let of_a = item_numbers(a);
    let of_b = item_numbers(b);
    if of_a != of_b {
        let odd: Vec<String> = of_a
            .symmetric_difference(&of_b)
            .take(5)
            .map(ToString::to_string)
            .collect();
        return Some(format!(
            "one has {} items and the other {}; among those only one has: {}",
            of_a.len(),
            of_b.len(),
            odd.join(", ")
        ));
    }
    let (first, second) = a
        .iter()
        .zip(b)
        .find(|(a, b)| a.gold != b.gold && a.protocol == b.protocol)?;
    Some(format!(
        "the gold label of item {} is `{}` in one and `{}` in the other",
        first.item, first.gold, second.gold
    ))
}
