//! Test files in the forms that a task's own file describes: tables of any format, found by a
//! pattern, read through the columns that the form names. Never here: what the released files'
//! defects mean.

use std::{
    fs,
    path::{Path, PathBuf},
};

use schema::{Label, Language, Task, disk::DiskError, task::TaskFile, words::UnknownWord};
use serde_json::Value;

use super::{FaultyText, Item, RawQuestion, TestSet, TextFault, show_value};
use crate::{
    DataError,
    error::quote,
    table::{TableFormat, TableLayout, TableReader, TableRow, ends_like, is_like},
    tasks,
};

/// The only file of the first form that is there.
pub(super) fn find(dir: &Path, task: &Task, language: Language) -> Result<PathBuf, DataError> {
    let folder = dir.join(&task.folder);
    let (form, mut found) = list_all(dir, task, language)?;
    if found.len() > 1 {
        let names: Vec<_> = found.iter().map(|path| super::file_name(path)).collect();
        return Err(DataError::folder(
            &folder,
            format!(
                "several files {form} for {language}: {}; keep one",
                names.join(", ")
            ),
        ));
    }
    let paths: Vec<_> = task.files.iter().map(|form| form.path.as_str()).collect();
    let problem = format!(
        "no file {} for {language}; put it there, or leave {language} out",
        paths.join(" or ")
    );
    found
        .pop()
        .ok_or_else(|| DataError::folder(&folder, problem))
}

/// The path of the first form of which there are files, and these.
pub(super) fn list_all<'a>(
    dir: &Path,
    task: &'a Task,
    language: Language,
) -> Result<(&'a str, Vec<PathBuf>), DataError> {
    let folder = dir.join(&task.folder);
    for form in &task.files {
        let found = list(&folder, form, language)?;
        if !found.is_empty() {
            return Ok((&form.path, found));
        }
    }
    Ok(("", Vec::new()))
}

/// Whether there is a file of the language; one that holds several languages is looked into.
pub(super) fn is_there(dir: &Path, task: &Task, language: Language) -> Result<bool, DataError> {
    let folder = dir.join(&task.folder);
    for form in &task.files {
        let found = list(&folder, form, language)?;
        match (&form.language_column, found.first()) {
            (_, None) => {}
            (None, Some(_)) => return Ok(true),
            (Some(column), Some(path)) => {
                let spellings = spellings(form, language);
                let mut table = TableReader::open(path, &layout(form)?, &[column], &[])?;
                while let Some(row) = table.next_row()? {
                    if spellings.contains(&row.word(path, column)?) {
                        return Ok(true);
                    }
                }
                return Ok(false);
            }
        }
    }
    Ok(false)
}

/// How the files of a form may spell a language: as its code is written, or in small letters.
fn spellings(form: &TaskFile, language: Language) -> Vec<String> {
    if let Some(code) = form.codes.get(&language) {
        return vec![code.clone()];
    }
    let mut found: Vec<String> = Vec::new();
    for spelling in language.spellings() {
        for written in [spelling.to_owned(), spelling.to_lowercase()] {
            if !found.contains(&written) {
                found.push(written);
            }
        }
    }
    found
}

/// The files that a form's pattern means, by name.
fn list(folder: &Path, form: &TaskFile, language: Language) -> Result<Vec<PathBuf>, DataError> {
    let mut patterns: Vec<String> = spellings(form, language)
        .into_iter()
        .map(|code| form.path.replace("{language}", &code))
        .collect();
    patterns.dedup(); // of a file that has all languages
    let mut found = Vec::new();
    for pattern in patterns {
        let (below, name) = pattern.rsplit_once('/').unwrap_or(("", &pattern));
        let folder = folder.join(below);
        if !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&folder).map_err(DiskError::at("read", &folder))? {
            let path = entry.map_err(DiskError::at("read", &folder))?.path();
            if path.is_file() && is_like(&super::file_name(&path), name) {
                found.push(path);
            }
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn layout(form: &TaskFile) -> Result<TableLayout, DataError> {
    let said = match &form.format {
        Some(format) => format
            .parse()
            .map_err(|unknown: UnknownWord| unknown.to_string()),
        None => TableFormat::of(Path::new(&form.path))
            .ok_or_else(|| "its extension does not say the format".to_owned()),
    };
    let format =
        said.map_err(|problem| DataError::unusable(format!("`files` of {}", form.path), problem))?;
    let usual = TableLayout::usual(format);
    Ok(TableLayout {
        quoted: form.quoted.unwrap_or(usual.quoted),
        columns: form.header.clone(),
        ..usual
    })
}

/// Reads the questions of one language.
///
/// # Errors
/// As [`super::load`], with the row and the column.
pub(super) fn read(path: &Path, task: &Task, language: Language) -> Result<TestSet, DataError> {
    let (mut items, mut rows) = (Vec::new(), 0);
    each(path, task, language, &mut |reading, row| {
        items.extend(reading.item(row, path, rows)?);
        rows += 1;
        Ok(true)
    })?;
    if items.is_empty() {
        let problem = format!("has no question in {language}; leave the language out");
        return Err(DataError::unusable(path.display().to_string(), problem));
    }
    let dropped = rows - items.len();
    let mut repairs = Vec::new();
    if dropped > 0 {
        let name = super::file_name(path);
        repairs.push(format!(
            "{name}: {dropped} of {rows} questions left out, as the task's `drop` says"
        ));
    }
    Ok(TestSet {
        path: path.to_owned(),
        language,
        origin: None,
        items,
        repairs,
    })
}

/// Shows `see` every question of one language as it stands in the file; it returns whether to go
/// on.
///
/// # Errors
/// The file is none of the task's forms; it, or a row from which on nothing more can be read, is
/// broken.
pub(super) fn look(
    path: &Path,
    task: &Task,
    language: Language,
    see: &mut dyn FnMut(RawQuestion) -> bool,
) -> Result<(), DataError> {
    each(path, task, language, &mut |reading, row| {
        Ok(see(reading.question(row, path)))
    })
}

/// The values of the answer's column of a file, in the order of the labels.
pub(super) fn answers(
    path: &Path,
    task: &Task,
    language: Language,
) -> Result<Vec<String>, DataError> {
    let form = form_of(path, task, language)?;
    Ok(FormReader::new(form, task, language)?.answers.to_vec())
}

/// Whether the answer's column is that of a choice.
pub(super) fn has_fixed_gold(
    path: &Path,
    task: &Task,
    language: Language,
) -> Result<bool, DataError> {
    let form = form_of(path, task, language)?;
    let reading = FormReader::new(form, task, language)?;
    let answer = reading.column("answer");
    let mut choices = task.text_choices().iter();
    Ok(choices.any(|choice| reading.column(choice) == answer))
}

/// Every row of one language.
fn each(
    path: &Path,
    task: &Task,
    language: Language,
    see: &mut dyn FnMut(&FormReader<'_>, &TableRow) -> Result<bool, DataError>,
) -> Result<(), DataError> {
    let form = form_of(path, task, language)?;
    let reading = FormReader::new(form, task, language)?;
    let mut table = TableReader::open(path, &layout(form)?, &reading.wanted(), &[])?;
    while let Some(row) = table.next_row()? {
        if reading.is_mine(&row, path)? && !see(&reading, &row)? {
            break;
        }
    }
    Ok(())
}

/// The form that a file has, by its name.
fn form_of<'a>(path: &Path, task: &'a Task, language: Language) -> Result<&'a TaskFile, DataError> {
    let fits = |form: &&TaskFile| {
        let ends = |code: &String| ends_like(path, &form.path.replace("{language}", code));
        spellings(form, language).iter().any(ends)
    };
    task.files.iter().find(fits).ok_or_else(|| {
        let paths: Vec<_> = task.files.iter().map(|form| form.path.as_str()).collect();
        let problem = format!(
            "is not a test file of {} in {language}, such as {}",
            task.name,
            paths.join(" or ")
        );
        DataError::unusable(path.display().to_string(), problem)
    })
}

/// How the rows of one file are read.
struct FormReader<'a> {
    form: &'a TaskFile,
    task: &'a Task,
    language: Language,
    spellings: Vec<String>,
    /// The values of the answer's column, by label.
    answers: &'a [String],
}

impl<'a> FormReader<'a> {
    fn new(form: &'a TaskFile, task: &'a Task, language: Language) -> Result<Self, DataError> {
        let words = &tasks::row(task, language)?.label_words;
        let answers = if form.answers.is_empty() {
            words
        } else {
            &form.answers
        };
        Ok(Self {
            form,
            task,
            language,
            spellings: spellings(form, language),
            answers,
        })
    }

    fn column(&self, key: &'a str) -> &'a str {
        self.form.columns.get(key).map_or(key, String::as_str)
    }

    fn wanted(&self) -> Vec<&'a str> {
        let keys = self
            .task
            .fields
            .iter()
            .chain(self.task.text_choices())
            .map(String::as_str)
            .chain(["answer"]);
        keys.map(|key| self.column(key))
            .chain(self.form.language_column.as_deref())
            .collect()
    }

    fn is_mine(&self, row: &TableRow, path: &Path) -> Result<bool, DataError> {
        match &self.form.language_column {
            Some(column) => Ok(self.spellings.contains(&row.word(path, column)?)),
            None => Ok(true),
        }
    }

    /// The row's question; none if it is to be left out.
    fn item(&self, row: &TableRow, path: &Path, index: usize) -> Result<Option<Item>, DataError> {
        let raw = self.question(row, path);
        if raw.is_dropped {
            return Ok(None);
        }
        let mut fields = raw
            .texts
            .into_iter()
            .collect::<Result<Vec<_>, _>>()
            .map_err(|faulty| faulty.error)?;
        let choices = fields.split_off(self.task.fields.len());
        let answer = raw.answer.map_err(|faulty| faulty.error)?;
        let Some(gold) = raw.gold else {
            let problem = format!(
                "is `{answer}`; the answers are {}; correct it, or give `answers` in the task's `files`",
                quote(&self.answers[..self.task.offered(&fields).unwrap_or(self.answers.len())])
            );
            return Err(row.fail(path, Some(self.column("answer")), problem));
        };
        Ok(Some(Item {
            index,
            fields,
            choices,
            gold,
            answerable: true,
        }))
    }

    /// The row as it stands, with what is wrong in place of what is missing.
    fn question(&self, row: &TableRow, path: &Path) -> RawQuestion {
        let is_dropped =
            |column: &&str| self.form.drop.iter().any(|drop| row.is_word(column, drop));
        let mut texts: Vec<Result<String, FaultyText>> = self
            .task
            .fields
            .iter()
            .chain(self.task.text_choices())
            .map(|key| self.text(row, path, key))
            .collect();
        let offered = self.offered(row, path, &mut texts);
        let column = self.column("answer");
        let answer = row.word(path, column).map_err(|error| FaultyText {
            fault: match row.get(column) {
                None => TextFault::Missing,
                Some(Value::Null) => TextFault::Empty,
                Some(_) => TextFault::Type,
            },
            error,
        });
        let choices = texts[self.task.fields.len()..].iter();
        let gold = answer.as_ref().ok().and_then(|answer| {
            let answers = &self.answers[..offered];
            let known = answers.iter().position(|word| word == answer);
            known.or_else(|| {
                choices
                    .clone()
                    .position(|text| text.as_ref().is_ok_and(|text| text == answer))
            })
        });
        RawQuestion {
            is_dropped: self.wanted().iter().any(is_dropped),
            gold: gold.map(Label),
            texts,
            answer,
        }
    }

    /// How many of the answers the question offers. A choice after one that is lacking is a fault.
    fn offered(
        &self,
        row: &TableRow,
        path: &Path,
        texts: &mut [Result<String, FaultyText>],
    ) -> usize {
        let shown = |text: &Result<String, FaultyText>| match text {
            Ok(text) => text.clone(),
            Err(_) => "faulty".to_owned(), // its own fault is reported
        };
        let fields: Vec<String> = texts.iter().map(shown).collect();
        let Some(offered) = self.task.offered(&fields) else {
            return self.answers.len();
        };
        let choices = self.task.choices.iter().flat_map(|of| &of.fields);
        let mut lacking = None;
        for choice in choices {
            let Some(at) = self.task.fields.iter().position(|field| field == choice) else {
                continue;
            };
            match (fields[at].is_empty(), lacking) {
                (true, _) => lacking = Some(self.column(choice)),
                (false, None) => {}
                (false, Some(before)) => {
                    let problem = format!(
                        "is a choice, but `{before}` before it is empty; give the choices without gaps"
                    );
                    let error = row.fail(path, Some(self.column(choice)), problem);
                    let fault = TextFault::Empty;
                    texts[at] = Err(FaultyText { fault, error });
                }
            }
        }
        offered
    }

    /// A text, or a number as it is written, as the prompt shows it; an empty one only where the
    /// question may lack it.
    fn text(&self, row: &TableRow, path: &Path, key: &'a str) -> Result<String, FaultyText> {
        let column = self.column(key);
        let is_key = |name: &String| name == key;
        if self.task.optional.iter().any(is_key) && row.is_word(column, "") {
            return Ok(String::new());
        }
        let faulty = |fault, error| FaultyText { fault, error };
        let text = match row
            .need(path, column)
            .map_err(|error| faulty(TextFault::Missing, error))?
        {
            Value::Number(number) => number.to_string(),
            _ => row
                .text(path, column)
                .map_err(|error| {
                    let is_null = row.get(column) == Some(&Value::Null);
                    faulty(
                        if is_null {
                            TextFault::Empty
                        } else {
                            TextFault::Type
                        },
                        error,
                    )
                })?
                .to_owned(),
        };
        if text.trim().is_empty() {
            let error = row.fail(
                path,
                Some(column),
                "is empty; fill it in or take the row out",
            );
            return Err(faulty(TextFault::Empty, error));
        }
        match show_value(self.task, self.language, key, &text) {
            Ok(shown) if self.task.trim.iter().any(is_key) => Ok(shown.trim().to_owned()),
            Ok(shown) => Ok(shown.to_owned()),
            Err(problem) => Err(faulty(TextFault::Type, row.fail(path, None, problem))),
        }
    }
}

#[cfg(test)]
mod tests;
