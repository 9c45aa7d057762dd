//! Gold words of the released layout, under a protocol. Never here: files.

use std::{collections::BTreeMap, path::Path};

use schema::{Label, Language, Protocol, Task};

use super::file_name;
use crate::{DataError, error::quote, items::LocatedText, repairs, tasks};

/// A gold word as read.
pub(super) struct Gold {
    pub(super) label: Label,
    pub(super) is_answerable: bool,
    pub(super) is_repaired: bool,
}

impl Gold {
    /// A label as the file has it.
    pub(super) fn known(label: Label) -> Self {
        Self {
            label,
            is_answerable: true,
            is_repaired: false,
        }
    }
}

/// How the gold words of one file are read.
pub(super) struct GoldReading<'a> {
    path: &'a Path,
    task: &'a Task,
    known: &'a [String],
    released: &'a BTreeMap<String, String>,
    repaired: Vec<(&'a str, Label, String)>,
    protocol: Option<Protocol>,
}

impl<'a> GoldReading<'a> {
    pub(super) fn new(
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

    pub(super) fn label(&self, item: usize, word: &LocatedText) -> Result<Gold, DataError> {
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

    pub(super) fn describe(
        &self,
        (word, label): &(String, Label),
        count: usize,
        all: usize,
    ) -> String {
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
