//! Test files in the released layout, `<folder>/<task>_<language><count>_test.json`, or in a
//! form that the task's file describes (`files`).
//!
//! What a gold word means that the paper's scorer does not know is decided by the protocol; see
//! [`load`]. Never here: prompts, tokens.

mod exchange;
mod files;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use schema::{Label, Language, Protocol, Task, disk::DiskError};

use crate::{
    DataError,
    error::quote,
    items::{self, LocatedText},
    repairs, tasks,
};

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
    let values = tasks::row(task, language)
        .map_or(None, |row| Some(&row.values))
        .filter(|values| !values.is_empty());
    for (name, text) in task.fields.iter().zip(fields) {
        let Some(shown) = values.and_then(|values| values.get(name)) else {
            continue;
        };
        let Some(value) = shown.get(text.as_str()) else {
            return Err(format!(
                "`{name}` is `{text}`, for which the task's row of {language} has no value; it has: {}",
                quote(shown.keys())
            ));
        };
        value.clone_into(text);
    }
    Ok(())
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
    let all = match &task.default {
        Some(_) => Language::known()
            .into_iter()
            .chain(task.languages.keys().copied())
            .collect::<BTreeSet<_>>(),
        None => task.languages.keys().copied().collect(),
    };
    let mut found = Vec::new();
    for language in all {
        let is_there = is_there(dir, task, language)?;
        found.extend(is_there.then_some(language));
    }
    Ok(found)
}

/// Whether there is a test file of the language under `dir`.
pub(crate) fn is_there(dir: &Path, task: &Task, language: Language) -> Result<bool, DataError> {
    let folder = dir.join(&task.folder);
    match task.files.is_empty() {
        true => Ok(folder.is_dir() && !find_all(&folder, task, language, "_test.json")?.is_empty()),
        false => files::is_there(dir, task, language),
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

/// A gold word as read.
struct Gold {
    label: Label,
    is_answerable: bool,
    is_repaired: bool,
}

impl Gold {
    /// A label as the file has it.
    fn known(label: Label) -> Self {
        Self {
            label,
            is_answerable: true,
            is_repaired: false,
        }
    }
}

/// How the gold words of one file are read.
struct GoldReading<'a> {
    path: &'a Path,
    task: &'a Task,
    known: &'a [String],
    released: &'a BTreeMap<String, String>,
    repaired: Vec<(&'a str, Label, String)>,
    protocol: Option<Protocol>,
}

impl<'a> GoldReading<'a> {
    fn new(
        path: &'a Path,
        task: &'a Task,
        language: Language,
        protocol: Option<Protocol>,
    ) -> Result<Self, DataError> {
        let row = tasks::row(task, language)?;
        let repaired = match protocol {
            Some(Protocol::Corrected) => repairs::words(task, language)?,
            _ => Vec::new(),
        };
        Ok(Self {
            path,
            task,
            known: &row.label_words,
            released: &row.released_words,
            repaired,
            protocol,
        })
    }

    fn label(&self, item: usize, word: &LocatedText) -> Result<Gold, DataError> {
        if let Some(at) = self.known.iter().position(|known| *known == word.text) {
            return Ok(Gold::known(Label(at)));
        }
        if let Some((_, label, _)) = self.repaired.iter().find(|(known, ..)| *known == word.text) {
            return Ok(Gold {
                label: *label,
                is_answerable: true,
                is_repaired: true,
            });
        }
        let meaning = self
            .released
            .get(&word.text)
            .and_then(|name| self.task.label(name));
        match (self.protocol, meaning) {
            (Some(Protocol::Paper), Some(label)) => Ok(Gold {
                label,
                is_answerable: false,
                is_repaired: false,
            }),
            _ => Err(self.refuse(item, word, meaning)),
        }
    }

    fn refuse(&self, item: usize, word: &LocatedText, meaning: Option<Label>) -> DataError {
        let advice = match meaning {
            Some(label) => format!(
                "a known defect of the released file, where it means {}: choose the protocol `paper` or `corrected`",
                self.task.label_name(label)
            ),
            None => "write one of these".to_owned(),
        };
        let problem = format!(
            "unknown gold word `{}`; known: {}; {advice}",
            word.text,
            quote(self.known)
        );
        DataError::item(self.path, item, word.line, problem)
    }

    fn describe(&self, (word, label): &(String, Label), count: usize, all: usize) -> String {
        let reason = self
            .repaired
            .iter()
            .find(|(known, ..)| known == word)
            .map_or("", |(.., reason)| reason.as_str());
        let name = self.task.label_name(*label);
        format!(
            "{}: gold word `{word}` read as {name} on {count} of {all} items: {reason}",
            file_name(self.path)
        )
    }
}

/// The last part of a path as text.
pub fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}
