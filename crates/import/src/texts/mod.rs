//! The texts of a data file that are to be translated, taken out of it, and the file put
//! together again around their translations: labelled questions, translation pairs, and plain
//! texts.
//!
//! Label words, headers and instructions are never among the texts: the task's table has them
//! in every language. Never here: translating.

mod write;

use std::path::Path;

use data::{DataError, items, pairs, prompt, testset};
use schema::{Label, Language, Protocol, Task};
use serde_json::{Map, Value};

pub use self::write::write;

/// How a data file is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextsLayout {
    /// A list of questions with their labels: test files, and labelled training files.
    Labelled,
    /// A list of `{"input": question and instruction, "answer": the English question}`.
    Pairs,
    /// JSON Lines with a key `text`.
    Lines,
}

/// A file whose texts are to be translated.
#[derive(Clone, Debug, PartialEq)]
pub struct Texts {
    /// Language of the texts.
    language: Language,
    content: TextsContent,
}

#[derive(Clone, Debug, PartialEq)]
enum TextsContent {
    /// Fields and label of each question.
    Labelled(Task, Vec<(Vec<String>, Label)>),
    /// Fields of each question alone.
    Questions(Task, Vec<Vec<String>>),
    /// Fields of each question, and the whole English question.
    Pairs(Task, Vec<(Vec<String>, String)>),
    /// Whole objects; the text is under `text`.
    Lines(Vec<Map<String, Value>>),
}

impl TextsLayout {
    /// The layout that a file name means: `*.jsonl` lines, `*_train_question.json` pairs,
    /// anything else labelled.
    pub fn of(path: &Path) -> Self {
        let name = testset::file_name(path);
        match name.rsplit_once('.') {
            Some((_, "jsonl")) => Self::Lines,
            _ if name.ends_with("_train_question.json") => Self::Pairs,
            _ => Self::Labelled,
        }
    }
}

impl Texts {
    /// Reads questions in `language` with their labels. A gold word is read as
    /// [`testset::read`] does.
    ///
    /// # Errors
    /// As there.
    pub fn read_labelled(
        path: &Path,
        task: &Task,
        language: Language,
        protocol: Option<Protocol>,
    ) -> Result<Self, DataError> {
        let set = testset::read(path, task, language, protocol)?;
        let content = TextsContent::Labelled(
            task.clone(),
            set.items
                .into_iter()
                .map(|item| (item.fields, item.gold))
                .collect(),
        );
        Ok(Self { language, content })
    }

    /// Reads questions in `language` without their labels, which may be missing (SNLI leaves
    /// some open).
    ///
    /// # Errors
    /// A broken file; a missing, extra or empty key (item, line).
    pub fn read_questions(path: &Path, task: &Task, language: Language) -> Result<Self, DataError> {
        let raw = items::read_unlabelled(path, &task.fields)?;
        let content = TextsContent::Questions(
            task.clone(),
            raw.into_iter().map(|item| item.fields).collect(),
        );
        Ok(Self { language, content })
    }

    /// Reads the questions in `language` of translation pairs into English: for English the
    /// `answer`s, for any other language the `input`s, which must then be in it.
    ///
    /// # Errors
    /// A broken file; a question that does not consist of the task's headers in `language` and
    /// one text for each (item, line).
    pub fn read_pairs(path: &Path, task: &Task, language: Language) -> Result<Self, DataError> {
        let mut content = Vec::new();
        for (item, raw) in items::read(path, &["input"])?.into_iter().enumerate() {
            let (question, line) = match language {
                Language::En => (raw.answer.text.as_str(), raw.answer.line),
                _ => (
                    cut_instruction(&raw.fields[0], language)
                        .map_err(|problem| DataError::item(path, item, raw.line, problem))?,
                    raw.line,
                ),
            };
            let fields = prompt::fields(task, language, question)?
                .map_err(|problem| DataError::item(path, item, line, problem))?;
            content.push((fields, raw.answer.text));
        }
        Ok(Self {
            language,
            content: TextsContent::Pairs(task.clone(), content),
        })
    }

    /// Reads objects with a key `text`, one per line; other keys stay as they are.
    ///
    /// # Errors
    /// A line that is not such an object (line).
    pub fn read_lines(path: &Path, language: Language) -> Result<Self, DataError> {
        let text = items::read_text(path)?;
        let mut rows = Vec::new();
        for (index, line) in text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty())
        {
            let problem = match serde_json::from_str::<Map<String, Value>>(line) {
                Err(e) => format!("not an object with a key `text`: {e}; write one per line"),
                Ok(row) => match row.get("text") {
                    Some(Value::String(_)) => {
                        rows.push(row);
                        continue;
                    }
                    Some(other) => format!("`text` is {other}, not a text in quotes"),
                    None => "key `text` is missing; add it".to_owned(),
                },
            };
            return Err(DataError::syntax(path, index + 1, problem));
        }
        Ok(Self {
            language,
            content: TextsContent::Lines(rows),
        })
    }

    /// Items.
    pub fn len(&self) -> usize {
        match &self.content {
            TextsContent::Labelled(_, items) => items.len(),
            TextsContent::Questions(_, items) => items.len(),
            TextsContent::Pairs(_, items) => items.len(),
            TextsContent::Lines(rows) => rows.len(),
        }
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keeps the first items.
    pub fn truncate(&mut self, count: usize) {
        match &mut self.content {
            TextsContent::Labelled(_, items) => items.truncate(count),
            TextsContent::Questions(_, items) => items.truncate(count),
            TextsContent::Pairs(_, items) => items.truncate(count),
            TextsContent::Lines(rows) => rows.truncate(count),
        }
    }

    /// The texts to be translated, item by item.
    pub fn texts(&self) -> Vec<String> {
        match &self.content {
            TextsContent::Labelled(_, items) => items
                .iter()
                .flat_map(|(fields, _)| fields.clone())
                .collect(),
            TextsContent::Questions(_, items) => items.concat(),
            TextsContent::Pairs(_, items) => items
                .iter()
                .flat_map(|(fields, _)| fields.clone())
                .collect(),
            TextsContent::Lines(rows) => rows
                .iter()
                .map(|row| {
                    row.get("text")
                        .and_then(Value::as_str)
                        .unwrap_or_default()
                        .to_owned()
                })
                .collect(),
        }
    }
}

/// An `input` without its last line, the instruction to translate it from `language` into
/// English.
fn cut_instruction(input: &str, language: Language) -> Result<&str, String> {
    let instruction = pairs::instruct(language, Language::En);
    let trimmed = input.trim_end_matches('\n');
    trimmed.strip_suffix(&instruction).and_then(|rest| rest.strip_suffix('\n')).ok_or_else(|| {
        let last = trimmed.lines().last().unwrap_or_default();
        format!(
            "`input` ends in `{last}`, not in `{instruction}`: name the language of its questions, or English to \
             translate its answers"
        )
    })
}
