//! Which questions must not be trained on: those that the evaluation asks, and those that stand
//! in their file before.
//!
//! Questions are compared without their header words, which all questions of a task have in
//! common.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use rayon::prelude::*;
use schema::{Language, Task, recipe::Removal};
use serde::{Deserialize, Serialize};

use super::questions::{Candidate, Candidates};
use crate::{DataError, overlap::OverlapIndex, prompt, tasks, testset};

/// Questions between two looks at whether to stop.
const AT_ONCE: usize = 512;

schema::words! {
    /// Why an item was taken out.
    Reason {
        /// A test file asks its question.
        InTest "in_test",
        /// Answers are to be kept, and it has none.
        NoAnswer "no_answer",
        /// An earlier item of its file is the same.
        Duplicate "duplicate",
    }
}

/// An item that was taken out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Removed {
    /// Index in its file, from 0.
    pub item: usize,
    /// Why.
    pub reason: Reason,
    /// The other text that is the same.
    pub found: Option<TestMatch>,
}

/// Where the same text is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestMatch {
    /// Its language; of a duplicate the source's.
    pub language: Language,
    /// The file it was found in.
    pub file: PathBuf,
    /// OverlapIndex there, from 0.
    pub item: usize,
    /// Share of common n-grams ([`OverlapIndex::nearest`]).
    pub similarity: f64,
    /// Whether the two are equal but for case, punctuation and spaces.
    pub exact: bool,
}

/// A test file.
pub(super) struct TestFile {
    pub(super) task: &'static Task,
    pub(super) language: Language,
    pub(super) path: PathBuf,
}

/// A test file's questions, to look others up in.
pub(super) struct TestQuestions {
    file: TestFile,
    index: OverlapIndex,
}

/// The only test file of a task in a language; `None` if there is none.
///
/// # Errors
/// There are several, or the folder cannot be read.
pub(super) fn find_test(
    dir: &Path,
    task: &'static Task,
    language: Language,
) -> Result<Option<TestFile>, DataError> {
    if tasks::row(task, language).is_err() || !testset::is_there(dir, task, language)? {
        return Ok(None);
    }
    Ok(Some(TestFile {
        task,
        language,
        path: testset::find(dir, task, language)?,
    }))
}

impl TestQuestions {
    /// # Errors
    /// A broken file.
    pub(super) fn read(file: TestFile) -> Result<Self, DataError> {
        let mut index = OverlapIndex::new();
        for (id, fields) in testset::read_questions(&file.path, file.task, file.language)?
            .into_iter()
            .enumerate()
        {
            index.add(id, &fields.join("\n"));
        }
        Ok(Self { file, index })
    }
}

/// `Some((id, similarity, exact))` of what is the same.
fn look_up(
    index: &OverlapIndex,
    text: &str,
    removal: Removal,
    threshold: f64,
) -> Option<(usize, f64, bool)> {
    if removal == Removal::Off {
        return None;
    }
    if let Some(id) = index.exact(text) {
        return Some((id, 1.0, true));
    }
    if removal == Removal::Exact {
        return None;
    }
    let (id, similarity) = index.nearest(text, threshold)?;
    Some((id, similarity, false))
}

/// A question's fields without the task's header words; all of it where it does not have their
/// form.
fn content(task: &Task, language: Language, question: &str) -> String {
    match prompt::fields(task, language, question) {
        Ok(Ok(fields)) => fields.join("\n"),
        _ => question.to_owned(),
    }
}

/// The items that a test file asks, in file order. Looked for in the source, the target and the
/// English form, each in the test files of its language.
pub(super) fn find_in_tests(
    candidates: &Candidates,
    task: &Task,
    target: Language,
    tests: &[TestQuestions],
    (removal, threshold): (Removal, f64),
    stop: &dyn Fn() -> bool,
) -> Option<Vec<Removed>> {
    let find = |candidate: &Candidate| {
        // Where two of the languages are the same, so are the texts.
        let forms: BTreeMap<Language, &String> = BTreeMap::from([
            (candidates.language, &candidate.source),
            (target, &candidate.target),
            (Language::En, &candidate.english),
        ]);
        let found = forms.into_iter().find_map(|(language, question)| {
            find_in_language(task, language, question, tests, removal, threshold)
        })?;
        Some(Removed {
            item: candidate.item,
            reason: Reason::InTest,
            found: Some(found),
        })
    };
    let mut removed = Vec::new();
    for some in candidates.all.chunks(AT_ONCE) {
        if stop() {
            return None;
        }
        removed.par_extend(some.par_iter().filter_map(find));
    }
    Some(removed)
}

/// The first question of the language's test files that is the same.
fn find_in_language(
    task: &Task,
    language: Language,
    question: &str,
    tests: &[TestQuestions],
    removal: Removal,
    threshold: f64,
) -> Option<TestMatch> {
    let text = content(task, language, question);
    let mut mine = tests.iter().filter(|test| test.file.language == language);
    mine.find_map(|test| {
        let (item, similarity, exact) = look_up(&test.index, &text, removal, threshold)?;
        Some(TestMatch {
            language,
            file: test.file.path.clone(),
            item,
            similarity,
            exact,
        })
    })
}

/// The items that are the same as an earlier one in both languages; `is_out` says which do not
/// count.
pub(super) fn find_duplicates(
    candidates: &Candidates,
    task: &Task,
    target: Language,
    is_out: impl Fn(usize) -> bool,
    (removal, threshold): (Removal, f64),
    stop: &dyn Fn() -> bool,
) -> Option<Vec<Removed>> {
    if removal == Removal::Off {
        return Some(Vec::new());
    }
    let (mut index, mut found) = (OverlapIndex::new(), Vec::new());
    for candidate in candidates
        .all
        .iter()
        .filter(|candidate| !is_out(candidate.item))
    {
        if stop() {
            return None;
        }
        let [source, target] = [
            (candidates.language, &candidate.source),
            (target, &candidate.target),
        ]
        .map(|(language, question)| content(task, language, question));
        let text = format!("{source}\n{target}");
        match look_up(&index, &text, removal, threshold) {
            None => index.add(candidate.item, &text),
            Some((item, similarity, exact)) => {
                let (language, file) = (candidates.language, candidates.path.clone());
                let earlier = TestMatch {
                    language,
                    file,
                    item,
                    similarity,
                    exact,
                };
                found.push(Removed {
                    item: candidate.item,
                    reason: Reason::Duplicate,
                    found: Some(earlier),
                });
            }
        }
    }
    Some(found)
}
