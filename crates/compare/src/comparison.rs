//! `lingualign compare A.jsonl B.jsonl`: two files of answers, item by item.

use std::path::{Path, PathBuf};

use schema::{LabelSet, Language};

use crate::{
    answers::{AnswerSet, LocatedRecord},
    change::{Changes, ComparedAnswers, measure_changes},
    error::CompareError,
    measure::find_never_right,
    pairing::Pairing,
};

/// The change from one file of answers to another.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The first file: "before".
    pub a: PathBuf,
    /// The second file: "after".
    pub b: PathBuf,
    /// Task of both.
    pub task: String,
    /// Label set of both.
    pub labels: LabelSet,
    /// All else in which the two evaluations differ (model, adapter, scoring, ...), in words.
    pub differences: Vec<String>,
    /// Languages that only one file has, in words.
    pub gaps: Vec<String>,
    /// What makes the answers of either worth less, in sentences.
    pub caveats: Vec<String>,
    /// The paired statistics.
    pub changes: Changes,
}

/// A list of answers, and the path that messages name it by.
pub struct NamedAnswers<'a> {
    /// The file that the answers are from.
    pub path: &'a Path,
    /// All its records.
    pub records: Vec<LocatedRecord>,
}

/// The answers of a file or a list, read and checked.
pub struct CheckedAnswers {
    path: PathBuf,
    sets: Vec<AnswerSet>,
}

impl CheckedAnswers {
    /// Reads a file; of several tasks, only `task`. Little of it is kept in memory.
    ///
    /// # Errors
    /// A broken record, by file and line; no record; [`CompareError::Stopped`].
    pub fn read(
        path: &Path,
        task: Option<&str>,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Self, CompareError> {
        let sets = AnswerSet::read(&[path.to_owned()], task, |_, _| None, stop)?;
        Self::of(path, sets)
    }

    /// Checks a list.
    ///
    /// # Errors
    /// A broken record, by file and line; no record.
    pub fn collect(answers: NamedAnswers) -> Result<Self, CompareError> {
        Self::of(answers.path, AnswerSet::collect(answers.records)?)
    }

    fn of(path: &Path, sets: Vec<AnswerSet>) -> Result<Self, CompareError> {
        if sets.is_empty() {
            return Err(CompareError::Nothing(path.to_owned()));
        }
        Ok(Self {
            path: path.to_owned(),
            sets,
        })
    }
}

/// Compares two lists of answers. Each must be the answers of one model to one task with one
/// label set, in any number of languages; items must be the same, and gold labels too unless the
/// protocols differ.
///
/// # Errors
/// Records that cannot be compared; the message says where they differ.
pub fn compare(a: NamedAnswers, b: NamedAnswers) -> Result<Comparison, CompareError> {
    let (a, b) = (CheckedAnswers::collect(a)?, CheckedAnswers::collect(b)?);
    compare_checked(a, b, &|| false)
}

/// As [`compare`], of answers that were read before.
///
/// # Errors
/// As [`compare`]; [`CompareError::Stopped`].
pub fn compare_checked(
    a: CheckedAnswers,
    b: CheckedAnswers,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Comparison, CompareError> {
    let (before, after) = (a.sets, b.sets);
    let pairing = Pairing::new(&before, &[&after])?;
    let sets = pairing.measure(&find_never_right(before.iter().chain(&after)));
    let (first, second) = pairing.pairs().next().unwrap_or((&before[0], &after[0]));
    let gaps = [
        describe_uncompared(first, &a.path, &pairing.languages),
        describe_uncompared(second, &b.path, &pairing.languages),
    ]
    .into_iter()
    .flatten()
    .chain(pairing.gaps.iter().cloned())
    .collect();
    let caveats = describe_caveats("before", &before)
        .chain(describe_caveats("after", &after))
        .collect();
    let (task, label_set) = (first.head.task.clone(), first.head.labels);
    let differences = first.head.differences(&second.head);
    let labels = first.label_names.clone();
    let Pairing {
        few_shots,
        languages,
        ..
    } = pairing;
    drop((before, after)); // what follows needs the measured columns alone
    let changes = measure_changes(&ComparedAnswers {
        labels: &labels,
        few_shots: &few_shots,
        languages: &languages,
        sets: &sets,
        seen: &[],
        stop,
    })?;
    Ok(Comparison {
        a: a.path,
        b: b.path,
        task,
        labels: label_set,
        differences: differences
            .into_iter()
            .map(|(_, difference)| difference)
            .collect(),
        gaps,
        caveats,
        changes,
    })
}

/// The caveats of each set; where there are several, each is named by its exemplars.
fn describe_caveats<'a>(who: &'a str, sets: &'a [AnswerSet]) -> impl Iterator<Item = String> + 'a {
    sets.iter().flat_map(move |set| match sets.len() {
        1 => set.caveats(who),
        _ => set.caveats(&format!("{who}, exemplars {}", set.head.few_shot)),
    })
}

/// The languages of `set` that are not compared, in words; `None` if there are none.
fn describe_uncompared(set: &AnswerSet, path: &Path, compared: &[Language]) -> Option<String> {
    let missing: Vec<&str> = set
        .languages
        .keys()
        .filter(|language| !compared.contains(language))
        .map(|language| language.code())
        .collect();
    if missing.is_empty() {
        return None;
    }
    let path = path.display();
    Some(format!(
        "only {path} has {}; not compared",
        missing.join(", ")
    ))
}
