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

/// Compares two lists of answers. Each must be the answers of one model to one task with one
/// label set, in any number of languages; items must be the same, and gold labels too unless the
/// protocols differ.
///
/// # Errors
/// Records that cannot be compared; the message says where they differ.
pub fn compare(a: NamedAnswers, b: NamedAnswers) -> Result<Comparison, CompareError> {
    let before = collect_sets(a.path, a.records)?;
    let after = collect_sets(b.path, b.records)?;
    let pairing = Pairing::new(&before, &[&after])?;
    let sets = pairing.measure(&find_never_right(before.iter().chain(&after)));
    let (first, second) = pairing.pairs().next().unwrap_or((&before[0], &after[0]));
    let gaps = [
        describe_uncompared(first, a.path, &pairing.languages),
        describe_uncompared(second, b.path, &pairing.languages),
    ]
    .into_iter()
    .flatten()
    .chain(pairing.gaps.iter().cloned());
    Ok(Comparison {
        a: a.path.to_owned(),
        b: b.path.to_owned(),
        task: first.head.task.clone(),
        labels: first.head.labels,
        differences: first
            .head
            .differences(&second.head)
            .into_iter()
            .map(|(_, difference)| difference)
            .collect(),
        gaps: gaps.collect(),
        caveats: describe_caveats("before", &before)
            .chain(describe_caveats("after", &after))
            .collect(),
        changes: measure_changes(&ComparedAnswers {
            labels: &first.label_names,
            few_shots: &pairing.few_shots,
            languages: &pairing.languages,
            sets: &sets,
            seen: &[],
        }),
    })
}

/// The caveats of each set; where there are several, each is named by its exemplars.
fn describe_caveats<'a>(
    who: &'a str,
    sets: &'a [AnswerSet],
) -> impl Iterator<Item = String> + 'a {
    sets.iter().flat_map(move |set| match sets.len() {
        1 => set.caveats(who),
        _ => set.caveats(&format!("{who}, exemplars {}", set.head.few_shot)),
    })
}

fn collect_sets(path: &Path, records: Vec<LocatedRecord>) -> Result<Vec<AnswerSet>, CompareError> {
    let sets = AnswerSet::collect(records, |_, _| None)?;
    if sets.is_empty() {
        return Err(CompareError::Nothing(path.to_owned()));
    }
    Ok(sets)
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
