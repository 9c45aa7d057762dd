//! Reading answers: JSON Lines to checked sets, one set per model, task and label set.
//!
//! Never here: statistics; repairing a contradiction.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::{Path, PathBuf},
};

use schema::{
    AnswerRecord, LabelSet, Language, PromptForm, Protocol,
    caveats::{AnswerCounts, describe_answers},
};
use serde::Deserialize;

use crate::{
    columns::AnswerColumns,
    error::CompareError,
    record_check::{lacks, record_problem},
    record_lines::each_record,
    stats::resample::Stop,
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
    /// The answers in each language, in the order of the items.
    pub languages: BTreeMap<Language, AnswerColumns>,
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
    pub scoring: String,
    pub few_shot: String,
    pub prompt: PromptForm,
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
            prompt: record.prompt,
        }
    }

    /// Each key with its value, for comparing.
    fn entries(&self) -> [(&'static str, String); 8] {
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
            ("prompt", self.prompt.to_string()),
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

/// The records of a file of answers, each with the file and its line.
///
/// # Errors
/// The file cannot be read, or a line is not a record.
pub fn read_answers(path: &Path) -> Result<Vec<LocatedRecord>, CompareError> {
    let mut records = Vec::new();
    each_record(path, |line, record: AnswerRecord| {
        records.push((path.to_owned(), line, record));
        Ok(())
    })?;
    Ok(records)
}

/// The tasks of a file of answers, in their order.
///
/// # Errors
/// The file cannot be read, or a line is not a record.
pub fn read_tasks(
    path: &Path,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Vec<String>, CompareError> {
    /// What is read of a record.
    #[derive(Deserialize)]
    struct TaskOf {
        task: String,
    }
    let mut tasks: Vec<String> = Vec::new();
    let done = each_record(path, |_, record: TaskOf| {
        if !tasks.contains(&record.task) {
            tasks.push(record.task);
        }
        go_on(stop)
    });
    if stop() {
        return Err(CompareError::Stopped);
    }
    done?;
    Ok(tasks)
}

/// An error without a text where the caller wants to stop; it is replaced by
/// [`CompareError::Stopped`].
fn go_on(stop: Stop) -> Result<(), String> {
    match stop() {
        true => Err(String::new()),
        false => Ok(()),
    }
}

/// Sets while their records are read.
#[derive(Default)]
pub(crate) struct ReadSets {
    sets: Vec<AnswerSet>,
    /// Items read so far, of those sets and languages whose items do not rise.
    seen: BTreeMap<(usize, Language), HashSet<usize>>,
}

impl ReadSets {
    /// Adds a record; returns what is wrong with it.
    fn add(&mut self, path: &Path, record: &AnswerRecord) -> Result<(), String> {
        let problem = record_problem(record).or_else(|| self.sets.first()?.set_problem(record));
        if let Some(problem) = problem {
            return Err(problem);
        }
        let known = self
            .sets
            .iter()
            .position(|set| set.head.few_shot == record.few_shot);
        let place = known.unwrap_or_else(|| {
            self.sets.push(AnswerSet::starting_with(path, record));
            self.sets.len() - 1
        });
        let set = &mut self.sets[place];
        let columns = set
            .languages
            .entry(record.language)
            .or_insert_with(|| AnswerColumns::new(record.scoring));
        if columns
            .items
            .last()
            .is_some_and(|last| record.item <= *last)
        {
            let key = (place, record.language);
            self.seen
                .entry(key)
                .or_insert_with(|| columns.items.iter().copied().collect());
        }
        let seen = self.seen.get_mut(&(place, record.language));
        if seen.is_some_and(|seen| !seen.insert(record.item)) {
            return Err(format!(
                "duplicate item {} in `{}`",
                record.item, record.language
            ));
        }
        let has_exact = columns.log_probs.row(0).is_empty();
        if !columns.items.is_empty() && has_exact != record.log_probs.is_empty() {
            return Err(lacks(columns.items[0], record));
        }
        columns.push(record, &set.label_names);
        let counts = set.counts.entry(record.language).or_default();
        counts.add(record);
        Ok(())
    }

    fn finish(mut self) -> Vec<AnswerSet> {
        for columns in self
            .sets
            .iter_mut()
            .flat_map(|set| set.languages.values_mut())
        {
            columns.sort();
        }
        self.sets
    }
}

impl AnswerSet {
    /// Reads files in any order: one set for each set of exemplars, in the order of their first
    /// record. `misplaced` returns the reason why a record does not belong in its file; those of
    /// another task than `task` are passed over. Empty if the files hold no record.
    pub(crate) fn read(
        files: &[PathBuf],
        task: Option<&str>,
        misplaced: impl Fn(&Path, &AnswerRecord) -> Option<String>,
        stop: Stop,
    ) -> Result<Vec<Self>, CompareError> {
        let mut read = ReadSets::default();
        for path in files {
            let done = each_record(path, |_, record: AnswerRecord| {
                go_on(stop)?;
                if task.is_some_and(|task| task != record.task) {
                    return Ok(());
                }
                match misplaced(path, &record) {
                    Some(problem) => Err(problem),
                    None => read.add(path, &record),
                }
            });
            if stop() {
                return Err(CompareError::Stopped);
            }
            done?;
        }
        Ok(read.finish())
    }

    /// As [`AnswerSet::read`], for records that were read before.
    pub(crate) fn collect(records: Vec<LocatedRecord>) -> Result<Vec<Self>, CompareError> {
        let mut read = ReadSets::default();
        for (path, line, record) in records {
            read.add(&path, &record)
                .map_err(|problem| CompareError::BadRecord {
                    path,
                    line,
                    problem,
                })?;
        }
        Ok(read.finish())
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
        said.into_iter()
            .map(|one| format!("{who}: {one}"))
            .collect()
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
        None
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
        if let Some(difference) = item_difference(a, b, *language) {
            return Err(a.not_comparable(b, format!("in `{language}` {difference}")));
        }
    }
    Ok(common)
}

fn item_difference(a: &AnswerSet, b: &AnswerSet, language: Language) -> Option<String> {
    let (of_a, of_b) = (a.languages.get(&language)?, b.languages.get(&language)?);
    if of_a.items != of_b.items {
        let in_a = |item: &&usize| of_a.items.binary_search(item).is_ok();
        let in_b = |item: &&usize| of_b.items.binary_search(item).is_ok();
        let only_a = of_a.items.iter().filter(|item| !in_b(item)).take(5);
        let only_b = of_b.items.iter().filter(|item| !in_a(item)).take(5);
        let odd: BTreeSet<usize> = only_a.chain(only_b).copied().collect();
        let odd: Vec<String> = odd.iter().take(5).map(ToString::to_string).collect();
        return Some(format!(
            "one has {} items and the other {}; among those only one has: {}",
            of_a.items.len(),
            of_b.items.len(),
            odd.join(", ")
        ));
    }
    if a.head.protocol != b.head.protocol {
        return None;
    }
    let row = (0..of_a.items.len()).find(|&row| of_a.gold[row] != of_b.gold[row])?;
    let name = |set: &AnswerSet, label: u32| set.label_names.get(label as usize).cloned();
    Some(format!(
        "the gold label of item {} is `{}` in one and `{}` in the other",
        of_a.items[row],
        name(a, of_a.gold[row]).unwrap_or_default(),
        name(b, of_b.gold[row]).unwrap_or_default()
    ))
}
