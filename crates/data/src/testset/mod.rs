//! Test files in the released layout, `<folder>/<task>_<language><count>_test.json`, or in a
//! form that the task's file describes (`files`).
//!
//! What a gold word means that the paper's scorer does not know is decided by the protocol; see
//! [`load`]. Never here: prompts, tokens.

mod exchange;
mod files;
mod golds;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use schema::{Label, Language, Protocol, Task, disk::DiskError};

use crate::{DataError, error::quote, items, tasks};

use golds::{Gold, GoldReading};

/// A test file of one language.
#[derive(Clone, Debug, PartialEq)]
pub struct TestSet {
    /// The file.
    pub path: PathBuf,
    /// Its language.
    pub language: Language,
    /// The folder under which it was found, and the rules under which it was read; other files
    /// of the task are read as this one was.
    pub origin: Option<(PathBuf, Option<Protocol>)>,
    /// All items, in file order.
    pub items: Vec<Item>,
    /// What [`Protocol::Corrected`] repaired, or why it did not, each with its counts; empty
    /// under the other protocols.
    pub repairs: Vec<String>,
}

/// One question of a test file.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Index in the file, from 0.
    pub index: usize,
    /// The texts, in the order of [`Task::fields`].
    pub fields: Vec<String>,
    /// The label texts, where they differ by question; else empty.
    pub choices: Vec<String>,
    /// The right label.
    pub gold: Label,
    /// False where the released scorer does not know the gold word, so that no answer counts as
    /// right.
    pub answerable: bool,
}

/// A question as its file has it, whatever is wrong with it.
pub struct RawQuestion {
    /// By field, then by choice where answers are texts.
    pub texts: Vec<Result<String, FaultyText>>,
    /// The word that stands for the gold label.
    pub answer: Result<String, FaultyText>,
    /// The label that it stands for; `None` where that is not known.
    pub gold: Option<Label>,
    /// The task's file says that such a row is left out.
    pub is_dropped: bool,
}

/// A text that cannot be used.
pub struct FaultyText {
    /// What is wrong with it.
    pub fault: TextFault,
    /// As the evaluation says it.
    pub error: DataError,
}

/// What can be wrong with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextFault {
    /// There is no such column.
    Missing,
    /// There is nothing in it.
    Empty,
    /// It is no text, or a value that the task does not know.
    Type,
}

/// Finds and reads the test file of `language` under `dir`.
///
/// A gold word is one of the language's label words. Any other word is
/// * an error without a protocol;
/// * under [`Protocol::Paper`], if it is among the task's `released_words`: the label it means, but not answerable;
/// * under [`Protocol::Corrected`], if the file of repairs gives its meaning: that label.
///
/// `Corrected` also exchanges two labels where the file of repairs says so and the golds show
/// that very exchange.
///
/// # Errors
/// No such file or several; broken JSON (line); a missing, extra or empty key (item, line); an
/// unknown gold word (item, line, the known words).
pub fn load(
    dir: &Path,
    task: &Task,
    language: Language,
    protocol: Option<Protocol>,
) -> Result<TestSet, DataError> {
    let set = read(&find(dir, task, language)?, task, language, protocol)?;
    Ok(TestSet {
        origin: Some((dir.to_owned(), protocol)),
        ..set
    })
}

/// As [`load`], for a file whose path is known.
pub fn read(
    path: &Path,
    task: &Task,
    language: Language,
    protocol: Option<Protocol>,
) -> Result<TestSet, DataError> {
    if !task.files.is_empty() {
        return files::read(path, task, language);
    }
    let reading = GoldReading::new(path, task, language, protocol)?;
    let mut repaired = BTreeMap::new();
    let mut items = Vec::new();
    for (index, mut raw) in items::read(path, &keys_of(task))?.into_iter().enumerate() {
        let choices = raw.fields.split_off(task.fields.len());
        show_values(&mut raw.fields, task, language)
            .map_err(|problem| DataError::item(path, index, raw.line, problem))?;
        let gold = match choices.iter().position(|choice| *choice == raw.answer.text) {
            Some(at) => Gold::known(Label(at)),
            None => reading.label(index, &raw.answer)?,
        };
        if gold.is_repaired {
            *repaired.entry((raw.answer.text, gold.label)).or_insert(0) += 1;
        }
        items.push(Item {
            index,
            fields: raw.fields,
            choices,
            gold: gold.label,
            answerable: gold.is_answerable,
        });
    }
    let mut set = TestSet {
        path: path.to_owned(),
        language,
        origin: None,
        items,
        repairs: Vec::new(),
    };
    if protocol == Some(Protocol::Corrected) {
        set.repairs = repaired
            .iter()
            .map(|(word, count)| reading.describe(word, *count, set.items.len()))
            .collect();
        exchange::exchange_labels(&mut set, task)?;
    }
    Ok(set)
}

/// Replaces the values in the file by those that the prompt shows; the message of a problem names
/// the field.
fn show_values(fields: &mut [String], task: &Task, language: Language) -> Result<(), String> {
    for (name, text) in task.fields.iter().zip(fields) {
        *text = show_value(task, language, name, text)?.to_owned();
    }
    Ok(())
}

/// What the prompt shows for a value of a field in the file.
///
/// # Errors
/// The task's row of the language has values for the field, but none for this one; names them.
pub fn show_value<'a>(
    task: &'a Task,
    language: Language,
    field: &str,
    text: &'a str,
) -> Result<&'a str, String> {
    let row = tasks::row(task, language).ok();
    let Some(shown) = row.and_then(|row| row.values.get(field)) else {
        return Ok(text);
    };
    shown.get(text).map(String::as_str).ok_or_else(|| {
        format!(
            "`{field}` is `{text}`, for which the task's row of {language} has no value; it has: {}",
            quote(shown.keys())
        )
    })
}

/// An item of a file that may lack some answers: published training sets hold items on which
/// people did not agree.
pub(crate) struct Labelled {
    /// The texts, in the order of [`Task::fields`].
    pub(crate) fields: Vec<String>,
    pub(crate) label: Option<Label>,
}

/// Every item of such a file.
///
/// # Errors
/// As [`read`] without a protocol.
pub(crate) fn read_labels(
    path: &Path,
    task: &Task,
    language: Language,
) -> Result<Vec<Labelled>, DataError> {
    let reading = GoldReading::new(path, task, language, None)?;
    let mut items = Vec::new();
    for (index, raw) in items::read_unlabelled(path, &task.fields)?
        .into_iter()
        .enumerate()
    {
        let label = match raw.answer.text.is_empty() {
            true => None,
            false => Some(reading.label(index, &raw.answer)?.label),
        };
        items.push(Labelled {
            fields: raw.fields,
            label,
        });
    }
    Ok(items)
}

/// The only test file of `language` under `dir`.
///
/// # Errors
/// The task lacks the language; there is no file, or several; names them.
pub fn find(dir: &Path, task: &Task, language: Language) -> Result<PathBuf, DataError> {
    tasks::row(task, language)?;
    if !task.files.is_empty() {
        return files::find(dir, task, language);
    }
    find_one(dir, task, language, "_test.json")
}

/// The languages that the task has and of which there is a test file under `dir`, in the order
/// of the paper's tables.
pub fn languages(dir: &Path, task: &Task) -> Result<Vec<Language>, DataError> {
    let mut found = Vec::new();
    for language in possible_languages(task) {
        let is_there = is_there(dir, task, language)?;
        found.extend(is_there.then_some(language));
    }
    Ok(found)
}

/// The languages in which the task can be asked, in the order of the paper's tables.
pub fn possible_languages(task: &Task) -> BTreeSet<Language> {
    let known = task.default.iter().flat_map(|_| Language::known());
    known.chain(task.languages.keys().copied()).collect()
}

/// Whether there is a test file of the language under `dir`.
///
/// # Errors
/// A folder cannot be read, or a table that holds several languages.
pub fn is_there(dir: &Path, task: &Task, language: Language) -> Result<bool, DataError> {
    match task.files.is_empty() {
        true => Ok(!list(dir, task, language)?.is_empty()),
        false => files::is_there(dir, task, language),
    }
}

/// The files among which [`find`] finds the test file of `language`: one, or it refuses them.
///
/// # Errors
/// A folder cannot be read.
pub fn list(dir: &Path, task: &Task, language: Language) -> Result<Vec<PathBuf>, DataError> {
    if !task.files.is_empty() {
        return Ok(files::list_all(dir, task, language)?.1);
    }
    let folder = dir.join(&task.folder);
    match folder.is_dir() {
        true => find_all(&folder, task, language, "_test.json"),
        false => Ok(Vec::new()),
    }
}

/// Shows `see` every question of a file in one of the task's forms (`files`) as it stands there;
/// `see` returns whether to go on.
///
/// # Errors
/// The file is none of the task's forms, or is broken from some row on.
pub fn look(
    path: &Path,
    task: &Task,
    language: Language,
    see: &mut dyn FnMut(RawQuestion) -> bool,
) -> Result<(), DataError> {
    files::look(path, task, language, see)
}

/// The words that stand for the labels in a test file, in their order; texts of a question's own
/// choices may stand there too.
///
/// # Errors
/// The task lacks the language; the file is none of the task's forms.
pub fn answer_words(
    path: &Path,
    task: &Task,
    language: Language,
) -> Result<Vec<String>, DataError> {
    match task.files.is_empty() {
        true => Ok(tasks::row(task, language)?.label_words.clone()),
        false => files::answers(path, task, language),
    }
}

/// Whether one column holds the right choice of every question of a test file, so that its place
/// says nothing.
///
/// # Errors
/// As [`answer_words`].
pub fn has_fixed_gold(path: &Path, task: &Task, language: Language) -> Result<bool, DataError> {
    match task.files.is_empty() {
        true => Ok(false),
        false => files::has_fixed_gold(path, task, language),
    }
}

/// The fields of every question of a test file, whatever its gold words are.
pub(crate) fn read_questions(
    path: &Path,
    task: &Task,
    language: Language,
) -> Result<Vec<Vec<String>>, DataError> {
    if !task.files.is_empty() {
        return Ok(files::read(path, task, language)?
            .items
            .into_iter()
            .map(|item| item.fields)
            .collect());
    }
    let mut questions = Vec::new();
    for mut item in items::read(path, &keys_of(task))? {
        item.fields.truncate(task.fields.len());
        questions.push(item.fields);
    }
    Ok(questions)
}

/// The keys of an item without its answer.
fn keys_of(task: &Task) -> Vec<&String> {
    task.fields.iter().chain(task.text_choices()).collect()
}

/// The languages that are asked where `wanted` are: the paper's twenty mean all that the
/// task and the folder have.
///
/// # Errors
/// There is no test file at all.
pub fn asked(dir: &Path, task: &Task, wanted: &[Language]) -> Result<Vec<Language>, DataError> {
    if wanted != Language::ALL {
        return Ok(wanted.to_vec());
    }
    let found = languages(dir, task)?;
    match found.is_empty() {
        true => Err(DataError::folder(
            &dir.join(&task.folder),
            format!(
                "no test file of {} in any language; put them there, or name another folder",
                task.name
            ),
        )),
        false => Ok(found),
    }
}

/// The only file `<task>_<language><count><ending>` in the task's folder.
pub(crate) fn find_one(
    dir: &Path,
    task: &Task,
    language: Language,
    ending: &str,
) -> Result<PathBuf, DataError> {
    let folder = dir.join(&task.folder);
    let mut found = find_all(&folder, task, language, ending)?;
    let pattern = format!("{}_{language}<count>{ending}", task.name);
    let problem = match found.len() {
        1 => return Ok(found.remove(0)),
        0 => format!("no file {pattern}; put it there, or leave {language} out"),
        _ => {
            let names: Vec<_> = found
                .iter()
                .filter_map(|path| path.file_name()?.to_str())
                .collect();
            format!("several files {pattern}: {}; keep one", names.join(", "))
        }
    };
    Err(DataError::folder(&folder, problem))
}

/// All files `<task>_<language><count><ending>` of a folder, by name.
///
/// # Errors
/// The folder cannot be read.
pub fn find_all(
    folder: &Path,
    task: &Task,
    language: Language,
    ending: &str,
) -> Result<Vec<PathBuf>, DataError> {
    let stem = format!("{}_{language}", task.name);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(DiskError::at("read", folder))? {
        let path = entry.map_err(DiskError::at("read", folder))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let count = name.and_then(|name| name.strip_prefix(&stem)?.strip_suffix(ending));
        if count.is_some_and(is_count) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// `500` or `10k`.
fn is_count(text: &str) -> bool {
    let digits = text.strip_suffix('k').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The last part of a path as text.
pub fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}
