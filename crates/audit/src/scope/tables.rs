//! Which shipped task the tables of a folder are of, where none is named. Files of several tasks
//! may have one name (`en/test-0.parquet`); the columns tell them apart. Never here: what is in
//! the rows.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use data::{
    DataError, tasks,
    testset::{self, RawQuestion, TextFault},
};
use schema::{Language, Task};

use crate::{
    AuditError, ExemplarSource, MissingFile, Role, Scope,
    text::{quote_words, shorten},
};

/// Rows of which one must have all columns.
const LOOKED_AT: usize = 20;

/// A file that has the name of some tasks' files.
struct Claimed {
    language: Language,
    tasks: Vec<&'static Task>,
    /// Why the first of them cannot read it.
    problem: String,
}

/// Adds the files of the shipped tasks that are tables; a file that is named as one and has no
/// task's columns is noted as not read.
pub(crate) fn add(scope: &mut Scope) -> Result<(), AuditError> {
    let mut unread: BTreeMap<PathBuf, Claimed> = BTreeMap::new();
    let mut read = BTreeSet::new();
    for task in tasks::of_tables()? {
        let before = scope.sources.len();
        for language in testset::possible_languages(task) {
            let mut is_here = false;
            for path in testset::list(&scope.dir, task, language)? {
                match find_fault(&path, task, language) {
                    None => {
                        is_here = true;
                        read.insert(path);
                    }
                    Some(problem) => {
                        let claimed = unread.entry(path).or_insert_with(|| Claimed {
                            language,
                            tasks: Vec::new(),
                            problem,
                        });
                        claimed.tasks.push(task);
                    }
                }
            }
            if is_here {
                scope.add_files(task, Role::Test, language, false)?;
            }
            for role in [Role::Pairs, Role::Labelled] {
                scope.add_files(task, role, language, false)?;
            }
        }
        if scope.sources.len() > before {
            let exemplars = tasks::exemplars(&task.name)?;
            scope
                .exemplars
                .push(ExemplarSource::Builtin(task, exemplars));
        }
        scope.tasks.push(task);
    }
    unread.retain(|path, _| !read.contains(path));
    for (path, claimed) in unread {
        scope.missing.push(describe(scope, &path, &claimed));
    }
    Ok(())
}

/// Why a file is not this task's in this language; `None` where one of its first rows has all
/// columns.
fn find_fault(path: &Path, task: &Task, language: Language) -> Option<String> {
    let (mut rows, mut is_whole) = (0, false);
    let mut fault = None;
    let looked = testset::look(path, task, language, &mut |question| {
        rows += 1;
        match find_missing(question) {
            None => is_whole = true,
            Some(problem) => fault = fault.take().or(Some(problem)),
        }
        !is_whole && rows < LOOKED_AT
    });
    let broken = looked.err().map(|error| error.to_string());
    let empty = || format!("it has no row in {language}");
    (!is_whole).then(|| broken.or(fault).unwrap_or_else(empty))
}

/// A column that the question lacks.
fn find_missing(question: RawQuestion) -> Option<String> {
    let texts = question.texts.into_iter().chain([question.answer]);
    texts
        .filter_map(Result::err)
        .find(|text| text.fault == TextFault::Missing)
        .map(|text| match text.error {
            DataError::Row { problem, .. } => problem,
            other => other.to_string(),
        })
}

fn describe(scope: &Scope, path: &Path, claimed: &Claimed) -> MissingFile {
    let mut names: Vec<&str> = claimed
        .tasks
        .iter()
        .map(|task| task.name.as_str())
        .collect();
    names.dedup(); // one file of several languages
    let shown = path.strip_prefix(&scope.dir).unwrap_or(path);
    MissingFile {
        task: claimed.tasks[0],
        language: claimed.language,
        role: Role::Test,
        problem: format!(
            "{} is named as a test file of {}, but cannot be read as one, so it was not read: {}",
            shown.display(),
            quote_words(&names),
            shorten(
                &claimed
                    .problem
                    .replace(&path.display().to_string(), "the file"),
                160
            )
        ),
        suggestion: Some("name its task with --task, or take it out of the folder".to_owned()),
        is_counted: false,
    }
}
