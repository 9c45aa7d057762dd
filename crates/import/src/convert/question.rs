//! The columns of a question, and the question that a row has there.

use std::{collections::BTreeMap, path::Path};

use data::{DataError, pairs, prompt, table::TableRow};
use schema::{Language, Task};
use serde_json::Value;

use crate::refuse;

/// The parts of the instruction line around the languages' names.
const INSTRUCTION: &str = "Translate the input from ";
const INTO: &str = " to ";
const END: &str = ":";

/// The columns of a question.
#[derive(Clone, Debug, PartialEq)]
pub enum QuestionColumns {
    /// The whole question in one column, with its headers.
    Whole(String),
    /// The fields of the task, in its order; headers are added.
    Fields(Vec<String>),
}

impl QuestionColumns {
    /// All of them.
    pub(super) fn names(&self) -> Vec<&str> {
        match self {
            Self::Whole(column) => vec![column],
            Self::Fields(columns) => columns.iter().map(String::as_str).collect(),
        }
    }

    /// The row's question in `language`; none if a text of it is one of `drop`, with that text.
    pub(super) fn question(
        &self,
        row: &TableRow,
        path: &Path,
        task: &Task,
        language: Language,
        drop: &[String],
    ) -> Result<Result<String, String>, DataError> {
        let mut texts = Vec::new();
        for column in self.names() {
            match take_text(row, path, column, drop)? {
                Ok(text) => texts.push(text),
                Err(reason) => return Ok(Err(reason)),
            }
        }
        Ok(Ok(match self {
            Self::Whole(_) => texts.concat(),
            Self::Fields(_) => prompt::question(task, language, &texts)?,
        }))
    }
}

/// The columns of a task's fields by a map from field to column; a field that the map leaves
/// out has a column of its own name. `prefix` comes before the names in the map.
pub(super) fn field_columns(
    task: &Task,
    map: &BTreeMap<String, String>,
    prefix: &str,
) -> Vec<String> {
    let columns = task
        .fields
        .iter()
        .map(|field| map.get(&format!("{prefix}{field}")).unwrap_or(field));
    columns.cloned().collect()
}

/// The text of a column; none, with the reason, if it is one of `drop`. An empty text that is
/// not to be dropped is an error.
pub(super) fn take_text(
    row: &TableRow,
    path: &Path,
    column: &str,
    drop: &[String],
) -> Result<Result<String, String>, DataError> {
    let text = match row.get(column) {
        Some(Value::Null) => "",
        None if drop.iter().any(String::is_empty) => "", // a JSON object without the key
        _ => row.text(path, column)?,
    };
    let is_empty = text.trim().is_empty();
    if drop
        .iter()
        .any(|dropped| dropped == text || dropped.is_empty() && is_empty)
    {
        let reason = if is_empty {
            format!("`{column}` is empty")
        } else {
            format!("`{column}` is `{text}`")
        };
        return Ok(Err(reason));
    }
    if is_empty {
        return Err(row.fail(
            path,
            Some(column),
            "is empty; fill it in, or leave such rows out",
        ));
    }
    Ok(Ok(text.to_owned()))
}

/// A question with the instruction to translate it, as the released files of pairs have it.
pub(super) fn instructed(question: &str, language: Language) -> String {
    let question = strip_instruction(question).map_or(question, |(rest, ..)| rest);
    format!(
        "{}\n{}\n",
        question.trim_end_matches('\n'),
        pairs::instruct(language, Language::En)
    )
}

/// The question without the instruction that is its first or last line, and the languages that
/// the instruction names.
pub(super) fn strip_instruction(text: &str) -> Option<(&str, Language, Language)> {
    let text = text.trim_matches('\n');
    if let Some((rest, last)) = text.rsplit_once('\n')
        && let Some((source, target)) = read_instruction(last)
    {
        return Some((rest, source, target));
    }
    let (first, rest) = text.split_once('\n')?;
    read_instruction(first).map(|(source, target)| (rest, source, target))
}

fn read_instruction(line: &str) -> Option<(Language, Language)> {
    let (source, target) = line
        .trim()
        .strip_prefix(INSTRUCTION)?
        .strip_suffix(END)?
        .split_once(INTO)?;
    Some((language_called(source)?, language_called(target)?))
}

fn language_called(name: &str) -> Option<Language> {
    Language::known()
        .into_iter()
        .find(|language| language.name() == name)
}

/// # Errors
/// A key of the map is none of `known`.
pub(super) fn check_map(map: &BTreeMap<String, String>, known: &[String]) -> Result<(), DataError> {
    match map.keys().find(|key| !known.contains(key)) {
        Some(key) => Err(refuse(
            "map",
            format!(
                "there is no `{key}` to fill; there is: {}",
                known.join(", ")
            ),
        )),
        None => Ok(()),
    }
}
