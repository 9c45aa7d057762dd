//! `lingualign compare A.jsonl B.jsonl`: two files of answers, item by item.

use std::path::{Path, PathBuf};

use schema::LabelSet;

use crate::{
    answers::{AnswerSet, LocatedRecord},
    change::{Changes, measure_changes},
    error::CompareError,
    measure::find_never_right,
    pairing::Pairing,
};

/// What changes from one file of answers to another.
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
    /// In what else the two evaluations differ (model, adapter, scoring, ...), in words.
    pub differences: Vec<String>,
    /// Languages that only one file has, in words.
    pub gaps: Vec<String>,
    /// The paired statistics.
    pub changes: Changes,
}

/// Compares two lists of answers, each with the path that it is called by. Each must be the
/// answers of one model to one task with one label set, in any number of languages; items must
/// be the same, and gold labels too unless the protocols differ.
///
/// # Errors
/// Records that cannot be compared; the message says where they differ.
pub fn compare(
    a: (&Path, Vec<LocatedRecord>),
    b: (&Path, Vec<LocatedRecord>),
) -> Result<Comparison, CompareError> {
    let collect = |(path, records): (&Path, Vec<LocatedRecord>)| {
        let sets = AnswerSet::collect(records, |_, _| None)?;
        if sets.is_empty() {
            Err(CompareError::Nothing(path.to_owned()))
        } else {
            Ok(sets)
        }
    };
    let ((a, before), (b, after)) = ((a.0, collect(a)?), (b.0, collect(b)?));
    let pairing = Pairing::new(&before, &[&after])?;
    let columns = pairing.measure(&find_never_right(before.iter().chain(&after)));
    let (first, second) = pairing.pairs().next().unwrap_or((&before[0], &after[0]));
    let gap = |set: &AnswerSet, path: &Path| {
        let missing = set
            .languages
            .keys()
            .filter(|l| !pairing.languages.contains(l));
        let missing: Vec<&str> = missing.map(|l| l.code()).collect();
        (!missing.is_empty()).then(|| {
            format!(
                "only {} has {}; not compared",
                path.display(),
                missing.join(", ")
            )
        })
    };
    let gaps = [gap(first, a), gap(second, b)]
        .into_iter()
        .flatten()
        .chain(pairing.gaps.iter().cloned());
    Ok(Comparison {
        a: a.to_owned(),
        b: b.to_owned(),
        task: first.head.task.clone(),
        labels: first.head.labels,
        differences: first
            .head
            .differences(&second.head)
            .into_iter()
            .map(|(_, difference)| difference)
            .collect(),
        gaps: gaps.collect(),
        changes: measure_changes(
            (&first.label_names, &pairing.few_shots),
            &pairing.languages,
            &columns,
            &[],
        ),
    })
}
