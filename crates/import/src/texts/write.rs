//! Files written around translated texts, in the form of the released ones. Never here:
//! reading.

use std::path::Path;

use data::{DataError, pairs, prompt, tasks};
use schema::{
    Language, Task,
    disk::{DiskError, write_with},
};
use serde::Serialize;
use serde_json::{Map, Value, ser::PrettyFormatter};

use super::{Texts, TextsContent, TextsLayout};

impl Texts {
    /// The file's content in `language`, in the order of its items, from the translations of
    /// [`Texts::texts`] in their order.
    ///
    /// Labels become the label words of `language`. With [`TextsLayout::Pairs`] each question
    /// becomes a pair from `language` into English, with the headers of each; that takes
    /// questions read without labels.
    ///
    /// # Errors
    /// The task lacks the language; the layout cannot be made of this file.
    pub fn translated(
        &self,
        language: Language,
        translations: &[String],
        layout: TextsLayout,
    ) -> Result<Vec<Map<String, Value>>, DataError> {
        match (&self.content, layout) {
            (TextsContent::Lines(rows), TextsLayout::Lines) => {
                Ok(rows.iter().zip(translations).map(replace_text).collect())
            }
            (TextsContent::Labelled(task, items), TextsLayout::Labelled) => {
                let words = &tasks::row(task, language)?.label_words;
                let mut rows = Vec::with_capacity(items.len());
                for ((_, gold), fields) in items.iter().zip(groups(task, translations)) {
                    let keys = task.fields.iter().map(String::as_str).chain(["answer"]);
                    rows.push(object(keys.zip(fields.iter().chain([&words[gold.0]]))));
                }
                Ok(rows)
            }
            (TextsContent::Questions(task, items), TextsLayout::Pairs)
                if self.language == Language::En =>
            {
                let mut pairs = Vec::with_capacity(items.len());
                for (item, fields) in items.iter().zip(groups(task, translations)) {
                    let english = prompt::question(task, Language::En, item)?;
                    pairs.push(pair(task, language, fields, &english)?);
                }
                Ok(pairs)
            }
            (TextsContent::Pairs(task, items), TextsLayout::Pairs) => items
                .iter()
                .zip(groups(task, translations))
                .map(|((_, english), fields)| pair(task, language, fields, english))
                .collect(),
            (_, layout) => Err(self.refuse(layout)),
        }
    }

    fn refuse(&self, layout: TextsLayout) -> DataError {
        let (given, known) = match (&self.content, layout) {
            (TextsContent::Questions(..), TextsLayout::Pairs) => (
                format!("pairs made of questions in {}", self.language.name()),
                "pairs made of questions in English, since pairs go into English: translate the English file",
            ),
            (TextsContent::Pairs(..), TextsLayout::Labelled) => (
                "labelled questions made of pairs".to_owned(),
                "pairs made of pairs: pairs hold no labels",
            ),
            (TextsContent::Lines(_), _) => (
                "questions made of plain lines".to_owned(),
                "plain lines made of plain lines: name the file *.jsonl",
            ),
            _ => (
                "plain lines made of questions".to_owned(),
                "the layout of the input, or pairs: name the file *.json or *_train_question.json",
            ),
        };
        DataError::unknown("way to write", given, known)
    }
}

/// Writes translated items to `path`, whole: pretty-printed as the released files, or JSON
/// Lines.
///
/// # Errors
/// The file cannot be written.
pub fn write(
    path: &Path,
    items: &[Map<String, Value>],
    layout: TextsLayout,
) -> Result<(), DiskError> {
    if layout == TextsLayout::Lines {
        return schema::write_json_lines(path, items);
    }
    write_with(path, |file| {
        let mut serializer = serde_json::Serializer::with_formatter(
            &mut *file,
            PrettyFormatter::with_indent(b"    "),
        );
        items.serialize(&mut serializer)?;
        std::io::Write::write_all(file, b"\n")
    })
}

/// The fields of each question.
fn groups<'a>(task: &Task, translations: &'a [String]) -> std::slice::ChunksExact<'a, String> {
    translations.chunks_exact(task.fields.len())
}

fn replace_text((row, translation): (&Map<String, Value>, &String)) -> Map<String, Value> {
    let mut row = row.clone();
    row.insert("text".to_owned(), translation.as_str().into());
    row
}

fn pair(
    task: &Task,
    language: Language,
    fields: &[String],
    english: &str,
) -> Result<Map<String, Value>, DataError> {
    let question = prompt::question(task, language, fields)?;
    let input = format!("{question}\n{}\n", pairs::instruct(language, Language::En));
    Ok(object(
        [("input", &input), ("answer", &english.to_owned())].into_iter(),
    ))
}

fn object<'a>(entries: impl Iterator<Item = (&'a str, &'a String)>) -> Map<String, Value> {
    entries
        .map(|(key, text)| (key.to_owned(), Value::String(text.clone())))
        .collect()
}
