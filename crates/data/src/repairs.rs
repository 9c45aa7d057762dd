//! The repairs of the released test files (`assets/repairs.toml`), made under the protocol
//! `corrected`. A repair touches a file only if the file shows the defect, so a sane file of
//! the same name stays as it is.

use std::sync::LazyLock;

use schema::{Label, Language, Task};
use serde::Deserialize;

use crate::DataError;

const FILE: &str = "assets/repairs.toml";

static REPAIRS: LazyLock<Result<Repairs, String>> = LazyLock::new(|| {
    toml::from_str(include_str!("../../../assets/repairs.toml"))
        .map_err(|e: toml::de::Error| e.to_string())
});

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Repairs {
    word: Vec<WordRepair>,
    swap: Vec<SwapRepair>,
}

/// A gold word that the scorer does not know, and the label it means.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WordRepair {
    task: String,
    language: Language,
    word: String,
    means: String,
    reason: String,
    evidence: String,
}

/// Two label words that are exchanged in a file's golds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SwapRepair {
    task: String,
    language: Language,
    pub(crate) words: [String; 2],
    /// Of the defective file's gold words, one per line; decides where there is no English file
    /// to compare with.
    pub(crate) gold_sha256: String,
    reason: String,
    evidence: String,
}

impl SwapRepair {
    /// Why the exchange is right, for people.
    pub(crate) fn justify(&self) -> String {
        justify(&self.reason, &self.evidence)
    }
}

/// A shipped repair and what justifies it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// Task of the defective file.
    pub task: &'static str,
    /// Its language.
    pub language: Language,
    /// What the audit says of it.
    pub evidence: &'static str,
}

/// All shipped repairs.
///
/// # Errors
/// The file of repairs is broken, which is a defect of this build.
pub fn all() -> Result<Vec<Repair>, DataError> {
    let repairs = repairs()?;
    let words = repairs
        .word
        .iter()
        .map(|repair| (&repair.task, repair.language, &repair.evidence));
    let swaps = repairs
        .swap
        .iter()
        .map(|repair| (&repair.task, repair.language, &repair.evidence));
    Ok(words
        .chain(swaps)
        .map(|(task, language, evidence)| Repair {
            task,
            language,
            evidence,
        })
        .collect())
}

fn repairs() -> Result<&'static Repairs, DataError> {
    REPAIRS.as_ref().map_err(|problem| broken(problem.clone()))
}

pub(crate) fn broken(problem: String) -> DataError {
    DataError::shipped(FILE, problem)
}

/// The repaired gold words of one language: word, label, reason and evidence.
pub(crate) fn words(
    task: &Task,
    language: Language,
) -> Result<Vec<(&'static str, Label, String)>, DataError> {
    let mine = repairs()?
        .word
        .iter()
        .filter(|repair| repair.task == task.name && repair.language == language);
    mine.map(|repair| {
        let label = task
            .label(&repair.means)
            .ok_or_else(|| broken(format!("`{}` is not a label", repair.means)))?;
        Ok((
            repair.word.as_str(),
            label,
            justify(&repair.reason, &repair.evidence),
        ))
    })
    .collect()
}

fn justify(reason: &str, evidence: &str) -> String {
    format!("{reason}. The audit of the released file: {evidence}")
}

/// The exchanges of labels in one language.
pub(crate) fn swaps(
    task: &Task,
    language: Language,
) -> Result<Vec<&'static SwapRepair>, DataError> {
    let mine = repairs()?
        .swap
        .iter()
        .filter(|repair| repair.task == task.name && repair.language == language);
    Ok(mine.collect())
}
