//! A file as the checks see it: items with their question's parts, the English beside them, and
//! the gold word.
//!
//! Never here: reading files (`read`), looking for anything.

use std::collections::BTreeSet;

use data::tasks;
use schema::{
    Finding, Label, Language,
    finding::{Kind, Severity},
};

use crate::{
    AuditedFile, Role,
    text::{shorten, show_items},
};

/// From this share of a file's items on, what is wrong with single items makes the whole file
/// wrong.
pub(crate) const WRONG_SHARE: f64 = 0.05;
/// Fewer items are never a share.
const WRONG_ITEMS: usize = 5;

/// One file.
pub(crate) struct AuditSet<'a> {
    pub(crate) source: &'a AuditedFile,
    pub(crate) items: Vec<AuditItem>,
}

/// One item.
#[derive(Clone, Debug, Default)]
pub(crate) struct AuditItem {
    /// The parts of its question, in the order of the task's fields; empty where one is
    /// missing.
    pub(crate) parts: Vec<String>,
    /// The same in English; empty where that is not known.
    pub(crate) english: Vec<String>,
    /// Gold word and index of the English item, in test files.
    pub(crate) english_gold: Option<(usize, String)>,
    /// The English item is in another language: nothing is compared with it.
    pub(crate) is_foreign: bool,
    /// The gold word; `None` where it is missing, and in translation pairs.
    pub(crate) gold: Option<String>,
}

impl AuditItem {
    /// The question's parts that are there here and in English: part, text, English text.
    pub(crate) fn translations(&self) -> impl Iterator<Item = (usize, &str, &str)> {
        let both = self.parts.iter().zip(&self.english).enumerate();
        both.map(|(part, (here, english))| (part, here.as_str(), english.as_str()))
            .filter(|(_, here, english)| !here.trim().is_empty() && !english.trim().is_empty())
    }
}

impl AuditSet<'_> {
    pub(crate) fn language(&self) -> Language {
        self.source.language
    }

    pub(crate) fn is_english(&self) -> bool {
        self.source.language == Language::En
    }

    /// The words that the scorer knows, in the order of the labels.
    pub(crate) fn label_words(&self) -> &[String] {
        tasks::row(self.source.task, self.language()).map_or(&[], |row| &row.label_words)
    }

    /// The label of a gold word.
    pub(crate) fn label(&self, word: &str) -> Option<Label> {
        self.label_words()
            .iter()
            .position(|known| known == word)
            .map(Label)
    }

    /// The label of the English gold beside an item.
    pub(crate) fn english_label(&self, item: &AuditItem) -> Option<Label> {
        let (_, word) = item.english_gold.as_ref()?;
        self.source.task.label(word)
    }

    /// A finding about `items`; an empty list means the whole file.
    pub(crate) fn finding(
        &self,
        kind: Kind,
        severity: Severity,
        items: Vec<usize>,
        evidence: String,
        suggestion: &str,
    ) -> Finding {
        let count = if items.is_empty() {
            self.items.len()
        } else {
            items.len()
        };
        Finding {
            severity,
            task: self.source.task.name.clone(),
            language: self.language(),
            file: self.source.name.clone(),
            kind,
            items,
            count,
            evidence,
            suggestion: suggestion.to_owned(),
        }
    }

    /// A finding about items of which each has its own evidence; none if there are none.
    pub(crate) fn finding_of(
        &self,
        kind: Kind,
        severity: Severity,
        seen: &[(usize, String)],
        what: &str,
        suggestion: &str,
    ) -> Option<Finding> {
        if seen.is_empty() {
            return None;
        }
        let mut items: Vec<usize> = seen.iter().map(|(item, _)| *item).collect();
        items.sort_unstable();
        items.dedup();
        let evidence = format!("{what}: {}", show_items(seen));
        Some(self.finding(kind, severity, items, evidence, suggestion))
    }

    /// A warning, or an error where so many items are meant that the file as a whole is not
    /// what it says.
    pub(crate) fn severity_of_share(&self, seen: &[(usize, String)]) -> Severity {
        let items = seen
            .iter()
            .map(|(item, _)| item)
            .collect::<BTreeSet<_>>()
            .len();
        if items >= WRONG_ITEMS && items as f64 >= WRONG_SHARE * self.items.len() as f64 {
            Severity::Error
        } else {
            Severity::Warning
        }
    }

    /// The name of a part, as its key in the file.
    pub(crate) fn part_name(&self, part: usize) -> &str {
        match self.source.role {
            Role::Pairs => "input",
            _ => self.source.task.fields.get(part).map_or("", String::as_str),
        }
    }

    /// An item's question, for evidence.
    pub(crate) fn quote(&self, item: &AuditItem) -> String {
        shorten(&item.parts.join(" / "), 60)
    }
}
