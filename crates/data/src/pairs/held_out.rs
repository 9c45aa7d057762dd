//! Lines that no adapter learns, to measure translation with: of the files that pairs are drawn
//! from, what was not drawn, and what was only validated with.
//!
//! A line is known by its texts, not by its place: one that stands twice, or whose translation
//! was learnt from another language, is not held out.

use std::{
    collections::{BTreeSet, HashSet},
    path::{Path, PathBuf},
};

use schema::{Language, Task};
use serde::{Deserialize, Serialize};

use super::{
    TranslationPair, instruct,
    questions::{self, Candidate, QuestionFile},
};
use crate::{DataError, overlap::normalise, testset};

/// A line to translate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldOutLine {
    /// Index in the file of the language that is not English (of two, the source's), from 0.
    pub item: usize,
    /// Whether an adapter was validated with one of its texts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub validated: bool,
    /// The question, without instruction.
    pub source: String,
    /// The question in the other language.
    pub reference: String,
}

/// Normalised texts of pairs.
#[derive(Clone, Debug, Default)]
pub struct PairTexts {
    whole: HashSet<String>,
    /// Of templates that put more around a question than the paper's: it is somewhere in them.
    around: Vec<String>,
}

impl PairTexts {
    /// Adds both texts of each pair; `target` is the setting's.
    pub fn add(&mut self, pairs: &[TranslationPair], target: Language) {
        for pair in pairs {
            self.whole.insert(normalise(&pair.target));
            let instruction = instruct(pair.language, pair.into.unwrap_or(target));
            let text = pair.source.trim_end_matches('\n');
            match text.strip_suffix(&instruction) {
                Some(question) => drop(self.whole.insert(normalise(question))),
                None => self.around.push(normalise(text)),
            }
        }
    }

    fn know(&self, candidate: &Candidate) -> bool {
        let texts = [&candidate.source, &candidate.target, &candidate.english];
        texts.map(|text| normalise(text)).iter().any(|text| {
            self.whole.contains(text) || self.around.iter().any(|other| other.contains(text))
        })
    }
}

/// Which lines are wanted.
#[derive(Clone, Copy, Debug)]
pub struct HeldOut<'a> {
    /// Data folder in the released layout.
    pub dir: &'a Path,
    /// Whose questions.
    pub task: &'a Task,
    /// Language of the sources.
    pub from: Language,
    /// Language of the references.
    pub into: Language,
    /// What adapters learn.
    pub learnt: &'a PairTexts,
    /// What they are validated with; taken where the rest does not suffice.
    pub validated: &'a PairTexts,
    /// How many.
    pub lines: usize,
    /// Decides which: in files with the same questions the same.
    pub seed: u64,
}

impl HeldOut<'_> {
    /// The lines, in the order of their items; as many as there are where those are fewer.
    ///
    /// # Errors
    /// A broken file; files that do not match item by item; no line is left.
    pub fn choose(&self) -> Result<Vec<HeldOutLine>, DataError> {
        let target = match self.into {
            Language::En => None,
            language => Some(QuestionFile::read(self.dir, self.task, language)?),
        };
        let candidates = questions::read(self.dir, self.task, self.from, target.as_ref(), false)?;
        let mut seen = BTreeSet::new();
        let mut left: Vec<(bool, String, &Candidate)> = Vec::new();
        for candidate in &candidates.all {
            let is_new = seen.insert(normalise(&candidate.english));
            if is_new && !candidate.source.trim().is_empty() && !self.learnt.know(candidate) {
                let place =
                    hub::hash_bytes(format!("{} {}", self.seed, candidate.english).as_bytes());
                left.push((self.validated.know(candidate), place, candidate));
            }
        }
        if left.is_empty() {
            let problem = format!(
                "no line is left to measure translation from {} into {}: adapters learn all of its {} questions; lower \
                 `train.pairs`, or set `train.build.split` to `questions` and raise `train.val_size`, and train anew",
                self.from,
                self.into,
                candidates.all.len()
            );
            return Err(DataError::folder(&candidates.path, problem));
        }
        left.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        left.truncate(self.lines);
        left.sort_by_key(|(.., candidate)| candidate.item);
        let lines = left
            .into_iter()
            .map(|(validated, _, candidate)| HeldOutLine {
                item: candidate.item,
                validated,
                source: candidate.source.clone(),
                reference: candidate.target.clone(),
            });
        Ok(lines.collect())
    }
}

/// The files that lines between two languages are of.
///
/// # Errors
/// A language has no file or several.
pub fn question_files(
    dir: &Path,
    task: &Task,
    from: Language,
    into: Language,
) -> Result<Vec<PathBuf>, DataError> {
    [from, into]
        .into_iter()
        .filter(|&language| language != Language::En)
        .map(|language| testset::find_one(dir, task, language, super::ENDING))
        .collect()
}

/// The paper's languages of which a folder has translated questions of a task, beside English.
///
/// # Errors
/// The folder cannot be read.
pub fn question_languages(dir: &Path, task: &Task) -> Result<Vec<Language>, DataError> {
    let mut found = Vec::new();
    for &language in Language::ALL {
        if language != Language::En
            && !testset::find_all(&dir.join(&task.folder), task, language, super::ENDING)?
                .is_empty()
        {
            found.push(language);
        }
    }
    Ok(found)
}
