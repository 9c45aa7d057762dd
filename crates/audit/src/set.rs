//! A file as the checks see it: items with their question's parts, the English beside them, and
//! the gold word.
//!
//! Never here: reading files (`read`), looking for anything.

use std::{collections::BTreeSet, sync::Arc};

use schema::{
    Finding, Label, Language,
    finding::{Kind, Severity},
};

use crate::{
    AuditedFile, Role,
    pulse::Pulse,
    text::{shorten, show_items},
};

/// From this share of a file's items on, what is wrong with single items makes the whole file
/// wrong.
pub(crate) const WRONG_SHARE: f64 = 0.05;
/// Fewer items are never a share.
const WRONG_ITEMS: usize = 5;

/// One file, or the items of one language in it.
pub(crate) struct AuditSet<'a> {
    pub(crate) source: &'a AuditedFile,
    pub(crate) pulse: &'a Pulse,
    pub(crate) items: Vec<AuditItem>,
    /// The words that stand for the labels in the file, in their order.
    pub(crate) answers: Vec<String>,
    /// Whether the layout puts every right choice in one place.
    pub(crate) has_fixed_gold: bool,
    /// Whether it was read to its end.
    pub(crate) is_read: bool,
    /// The language of the file that its items are compared with, if it is not English.
    pub(crate) reference: Option<Language>,
    /// What the texts alone say: that the items are those of the other file, one by one.
    pub(crate) is_parallel: bool,
}

/// The texts of an item, kept once however many items are compared with them.
pub(crate) type Parts = Arc<[String]>;

/// One item.
#[derive(Clone, Debug)]
pub(crate) struct AuditItem {
    /// The parts of its question, in the order of the task's fields, and the choices where answers
    /// are texts; empty where one is missing.
    pub(crate) parts: Parts,
    /// The same in English; empty where that is not known.
    pub(crate) english: Parts,
    /// The label of the gold word there, in test files.
    pub(crate) english_label: Option<Label>,
    /// The English item is in another language: nothing is compared with it.
    pub(crate) is_foreign: bool,
    /// The gold word; `None` where it is missing, and in translation pairs.
    pub(crate) gold: Option<String>,
    /// The label that it stands for; `None` where it is no such word.
    pub(crate) label: Option<Label>,
}

impl Default for AuditItem {
    fn default() -> Self {
        Self {
            parts: Vec::new().into(),
            english: Vec::new().into(),
            english_label: None,
            is_foreign: false,
            gold: None,
            label: None,
        }
    }
}

impl AuditItem {
    /// The question's parts that are there here and in English: part, text, English text.
    pub(crate) fn translations(&self) -> impl Iterator<Item = (usize, &str, &str)> {
        let both = self.parts.iter().zip(&*self.english).enumerate();
        both.map(|(part, (here, english))| (part, here.as_str(), english.as_str()))
            .filter(|(_, here, english)| !here.trim().is_empty() && !english.trim().is_empty())
    }
}

impl<'a> AuditSet<'a> {
    pub(crate) fn new(source: &'a AuditedFile, pulse: &'a Pulse) -> Self {
        Self {
            source,
            pulse,
            items: Vec::new(),
            answers: Vec::new(),
            has_fixed_gold: false,
            is_read: true,
            reference: None,
            is_parallel: false,
        }
    }

    /// The items with their indices, until the audit is asked to stop.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (usize, &AuditItem)> {
        let items = self.items.iter().enumerate();
        items.take_while(|_| !self.pulse.is_stopped())
    }

    pub(crate) fn language(&self) -> Language {
        self.source.language
    }

    pub(crate) fn is_english(&self) -> bool {
        self.source.language == Language::En
    }

    /// English, or the language that stands for it.
    pub(crate) fn reference_name(&self) -> &'static str {
        self.reference.unwrap_or(Language::En).name()
    }

    /// Of a table in one of the task's own forms.
    pub(crate) fn is_form(&self) -> bool {
        self.source.role == Role::Test && !self.source.task.files.is_empty()
    }

    /// The label of a gold word that is the same for all items.
    pub(crate) fn label(&self, word: &str) -> Option<Label> {
        self.answers
            .iter()
            .position(|known| known == word)
            .map(Label)
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
            _ => {
                let task = self.source.task;
                let mut keys = task.fields.iter().chain(task.text_choices());
                keys.nth(part).map_or("", String::as_str)
            }
        }
    }

    /// An item's question, for evidence.
    pub(crate) fn quote(&self, item: &AuditItem) -> String {
        shorten(&item.parts.join(" / "), 60)
    }
}
