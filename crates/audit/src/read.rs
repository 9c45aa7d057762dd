//! A file read leniently: a key, a type or an item that is wrong is a finding, not the end.
//!
//! Never here: what the texts say (the checks), the parts of a training pair (`template`).

use std::{collections::BTreeMap, fs};

use data::object::ObjectEntries;
use schema::{
    Finding,
    disk::DiskError,
    finding::{Kind, Severity},
};
use serde_json::{Value, value::RawValue};

use crate::{
    AuditError, AuditedFile, Role,
    set::{AuditItem, AuditSet},
    template,
    text::{quote_words, shorten},
};

/// Reads one file; problems of form go to `findings`. A file that is not a list of items is an
/// empty set.
pub(crate) fn read<'a>(
    source: &'a AuditedFile,
    findings: &mut Vec<Finding>,
) -> Result<AuditSet<'a>, AuditError> {
    let bytes = fs::read(&source.path).map_err(DiskError::at("read", &source.path))?;
    let mut set = AuditSet {
        source,
        items: Vec::new(),
    };
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = 1 + valid.iter().filter(|&&byte| byte == b'\n').count();
            findings.push(refuse_file(
                &set,
                format!("line {line}: not UTF-8"),
                "write the file again in UTF-8",
            ));
            return Ok(set);
        }
    };
    let elements: Vec<&RawValue> = match serde_json::from_str(&text) {
        Ok(elements) => elements,
        Err(error) => {
            let evidence = format!("line {}: {error}", error.line().max(1));
            findings.push(refuse_file(
                &set,
                evidence,
                "correct the line; the file must be a list of objects",
            ));
            return Ok(set);
        }
    };
    if elements.is_empty() {
        findings.push(refuse_file(
            &set,
            "line 1: the list is empty".to_owned(),
            "put the items in",
        ));
    }
    let mut form = FormProblems::new(source);
    let rows: Vec<Vec<Option<String>>> = elements
        .iter()
        .enumerate()
        .map(|(item, element)| form.read_item(item, element.get()))
        .collect();
    findings.extend(form.describe(&set));
    match source.role {
        Role::Pairs => template::split(&mut set, &rows, findings)?,
        Role::Test | Role::Labelled => set.items = rows.into_iter().map(read_question).collect(),
    }
    Ok(set)
}

fn refuse_file(set: &AuditSet<'_>, evidence: String, suggestion: &str) -> Finding {
    let severity = severity_of_form(set.source);
    Finding {
        count: 0,
        ..set.finding(Kind::Syntax, severity, Vec::new(), evidence, suggestion)
    }
}

/// A file with labels for training is read by no stage.
fn severity_of_form(source: &AuditedFile) -> Severity {
    if source.role == Role::Labelled {
        Severity::Warning
    } else {
        Severity::Error
    }
}

/// The fields, then the answer.
fn read_question(mut row: Vec<Option<String>>) -> AuditItem {
    let gold = row.pop().flatten();
    AuditItem {
        parts: row.into_iter().map(Option::unwrap_or_default).collect(),
        gold,
        ..AuditItem::default()
    }
}

/// Problems of form in one file's items, by kind and key.
struct FormProblems<'a> {
    source: &'a AuditedFile,
    keys: Vec<&'a str>,
    seen: BTreeMap<(Kind, String), Vec<(usize, String)>>,
}

impl<'a> FormProblems<'a> {
    fn new(source: &'a AuditedFile) -> Self {
        let mut keys: Vec<&str> = match source.role {
            Role::Pairs => vec!["input"],
            Role::Test | Role::Labelled => source.task.fields.iter().map(String::as_str).collect(),
        };
        keys.push("answer");
        Self {
            source,
            keys,
            seen: BTreeMap::new(),
        }
    }

    fn note(&mut self, kind: Kind, key: &str, item: usize, what: String) {
        self.seen
            .entry((kind, key.to_owned()))
            .or_default()
            .push((item, what));
    }

    /// The texts of one item in the order of the keys; `None` where there is none.
    fn read_item(&mut self, item: usize, element: &str) -> Vec<Option<String>> {
        let nothing = vec![None; self.keys.len()];
        let Ok(ObjectEntries(entries)) = serde_json::from_str::<ObjectEntries<Value>>(element)
        else {
            self.note(
                Kind::FieldType,
                "",
                item,
                format!("`{}` is not an object", shorten(element, 30)),
            );
            return nothing;
        };
        for (at, (key, value)) in entries.iter().enumerate() {
            if !self.keys.contains(&key.as_str()) {
                self.note(
                    Kind::ExtraField,
                    key,
                    item,
                    format!("`{key}`: {}", shorten(&value.to_string(), 40)),
                );
            } else if entries[..at].iter().any(|(earlier, _)| earlier == key) {
                self.note(
                    Kind::ExtraField,
                    key,
                    item,
                    format!("`{key}` is there twice"),
                );
            }
        }
        let mut row = nothing;
        for (key, text) in self.keys.clone().into_iter().zip(&mut row) {
            match entries
                .iter()
                .find(|(name, _)| name == key)
                .map(|(_, value)| value)
            {
                None => self.note(Kind::MissingField, key, item, format!("no key `{key}`")),
                Some(Value::String(found)) if found.trim().is_empty() => {
                    self.note(Kind::EmptyField, key, item, format!("`{key}` is {found:?}"));
                }
                Some(Value::String(found)) => *text = Some(found.clone()),
                Some(other) => {
                    let other = shorten(&other.to_string(), 40);
                    self.note(
                        Kind::FieldType,
                        key,
                        item,
                        format!("`{key}` is {other}, not a text in quotes"),
                    );
                }
            }
        }
        row
    }

    fn describe(&self, set: &AuditSet<'_>) -> Vec<Finding> {
        let severity = severity_of_form(self.source);
        let keys = quote_words(&self.keys);
        let findings = self.seen.iter().filter_map(|((kind, key), seen)| {
            let suggestion = match kind {
                Kind::MissingField => {
                    format!("add `{key}`, or remove the items in every language")
                }
                Kind::EmptyField => {
                    format!("fill in `{key}`, or remove the items in every language")
                }
                Kind::ExtraField => format!("remove it; the keys are {keys}"),
                _ => format!("write texts in quotes; the keys are {keys}"),
            };
            set.finding_of(
                *kind,
                severity,
                seen,
                "items have another form than the released layout",
                &suggestion,
            )
        });
        findings.collect()
    }
}
