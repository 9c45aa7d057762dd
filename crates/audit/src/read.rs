//! A file read leniently: a key, a type or an item that is wrong is a finding, not the end.
//!
//! Never here: what the texts say (the checks), the parts of a training pair (`template`).

use std::{collections::BTreeMap, fs};

use data::{
    DataError, items,
    object::ObjectEntries,
    tasks,
    testset::{self, RawQuestion, TextFault},
};
use schema::{
    Finding, Label,
    disk::DiskError,
    finding::{Kind, Severity},
};
use serde_json::{Value, value::RawValue};

use crate::{
    AuditError, AuditedFile, Role,
    pulse::Pulse,
    set::{AuditItem, AuditSet},
    template,
    text::{quote_words, shorten},
};

/// Reads one file; problems of form go to `findings`. A file that is not a list of items is an
/// empty set.
pub(crate) fn read<'a>(
    source: &'a AuditedFile,
    pulse: &'a Pulse,
    findings: &mut Vec<Finding>,
) -> Result<AuditSet<'a>, AuditError> {
    let mut set = AuditSet::new(source, pulse);
    if set.is_form() {
        read_form(&mut set, findings)?;
    } else {
        set.answers = tasks::row(source.task, source.language)?
            .label_words
            .clone();
        read_list(&mut set, findings)?;
    }
    Ok(set)
}

/// Reads a table in one of the task's own forms, as the evaluation does.
fn read_form(set: &mut AuditSet<'_>, findings: &mut Vec<Finding>) -> Result<(), AuditError> {
    let (source, pulse) = (set.source, set.pulse);
    let (path, task, language) = (&source.path, source.task, source.language);
    set.answers = testset::answer_words(path, task, language)?;
    set.has_fixed_gold = testset::has_fixed_gold(path, task, language)?;
    let mut form = FormProblems::new(source);
    let (items, mut dropped) = (&mut set.items, Vec::new());
    let read = testset::look(path, task, language, &mut |raw| {
        if raw.is_dropped {
            dropped.push(items.len());
            items.push(AuditItem::default());
        } else {
            items.push(form.take(items.len(), raw));
        }
        !pulse.is_stopped()
    });
    match read {
        Err(DataError::Disk(error)) => return Err(error.into()),
        Err(error) => {
            set.is_read = false;
            let evidence = format!(
                "after {} items: {}",
                set.items.len(),
                error
                    .to_string()
                    .replace(&path.display().to_string(), &source.name)
            );
            let suggestion =
                "correct it: what follows was not read, and the evaluation refuses the file";
            findings.push(refuse_file(set, evidence, suggestion));
        }
        Ok(()) if set.items.is_empty() => {
            set.is_read = false;
            let evidence = format!("no question in {language}");
            findings.push(refuse_file(
                set,
                evidence,
                "put the items in, or leave the language out",
            ));
        }
        Ok(()) => {}
    }
    findings.extend(form.describe(set));
    if !dropped.is_empty() {
        let (count, all) = (dropped.len(), set.items.len());
        let evidence =
            format!("{count} of {all} questions are left out, as the task's `drop` says");
        let suggestion = "nothing: the evaluation leaves them out too";
        findings.push(set.finding(
            Kind::Coverage,
            Severity::Note,
            dropped,
            evidence,
            suggestion,
        ));
    }
    Ok(())
}

/// Reads a list of objects, the released layout.
fn read_list(set: &mut AuditSet<'_>, findings: &mut Vec<Finding>) -> Result<(), AuditError> {
    let (source, pulse) = (set.source, set.pulse);
    let Some(text) = read_text(set, findings)? else {
        return Ok(());
    };
    let elements: Vec<&RawValue> = match serde_json::from_str(&text) {
        Ok(elements) => elements,
        Err(error) => {
            set.is_read = false;
            let evidence = format!("line {}: {error}", error.line().max(1));
            findings.push(refuse_file(
                set,
                evidence,
                "correct the line; the file must be a list of objects",
            ));
            return Ok(());
        }
    };
    if elements.is_empty() {
        set.is_read = false;
        findings.push(refuse_file(
            set,
            "line 1: the list is empty".to_owned(),
            "put the items in",
        ));
    }
    let mut form = FormProblems::new(source);
    let rows: Vec<Vec<Option<String>>> = elements
        .iter()
        .enumerate()
        .take_while(|_| !pulse.is_stopped())
        .map(|(item, element)| form.read_item(item, element.get()))
        .collect();
    findings.extend(form.describe(set));
    match source.role {
        Role::Pairs => template::split(set, &rows, findings)?,
        Role::Test | Role::Labelled => {
            set.items = rows
                .into_iter()
                .map(|row| read_question(set, row))
                .collect();
        }
    }
    Ok(())
}

/// The whole file; `None` where it is too large or not UTF-8, which is a finding.
fn read_text(
    set: &mut AuditSet<'_>,
    findings: &mut Vec<Finding>,
) -> Result<Option<String>, AuditError> {
    let source = set.source;
    if let Err(DataError::Unusable { problem, .. }) = items::check_size(&source.path) {
        set.is_read = false;
        findings.push(refuse_file(set, problem, "divide it, or leave it out"));
        return Ok(None);
    }
    let bytes = fs::read(&source.path).map_err(DiskError::at("read", &source.path))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(error) => {
            set.is_read = false;
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = 1 + valid.iter().filter(|&&byte| byte == b'\n').count();
            findings.push(refuse_file(
                set,
                format!("line {line}: not UTF-8"),
                "write the file again in UTF-8",
            ));
            Ok(None)
        }
    }
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

/// The fields, then the choices where answers are texts, then the answer.
fn read_question(set: &AuditSet<'_>, mut row: Vec<Option<String>>) -> AuditItem {
    let gold = row.pop().flatten();
    let fields = set.source.task.fields.len();
    let choice = row
        .iter()
        .skip(fields)
        .position(|choice| choice.is_some() && *choice == gold);
    let label = gold.as_deref().and_then(|word| set.label(word));
    AuditItem {
        parts: row.into_iter().map(Option::unwrap_or_default).collect(),
        label: choice.map(Label).or(label),
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
            Role::Labelled => source.task.fields.iter().map(String::as_str).collect(),
            Role::Test => {
                let task = source.task;
                let keys = task.fields.iter().chain(task.text_choices());
                keys.map(String::as_str).collect()
            }
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

    /// The item that a row of a table is.
    fn take(&mut self, item: usize, raw: RawQuestion) -> AuditItem {
        let mut row: Vec<Option<String>> = Vec::with_capacity(self.keys.len());
        let texts = raw.texts.into_iter().chain([raw.answer]);
        for (key, text) in self.keys.clone().into_iter().zip(texts) {
            let kind = match &text {
                Ok(_) => None,
                Err(faulty) => Some(match faulty.fault {
                    TextFault::Missing => Kind::MissingField,
                    TextFault::Empty => Kind::EmptyField,
                    TextFault::Type => Kind::FieldType,
                }),
            };
            if let (Some(kind), Err(faulty)) = (kind, &text) {
                self.note(kind, key, item, describe_fault(key, &faulty.error));
            }
            row.push(text.ok());
        }
        let gold = row.pop().flatten();
        AuditItem {
            parts: row.into_iter().map(Option::unwrap_or_default).collect(),
            gold,
            label: raw.gold,
            ..AuditItem::default()
        }
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
                Some(Value::String(found)) => {
                    match testset::show_value(self.source.task, self.source.language, key, found) {
                        Ok(shown) => *text = Some(shown.to_owned()),
                        Err(problem) => self.note(Kind::FieldType, key, item, problem),
                    }
                }
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
                if set.is_form() {
                    "rows are not as the task's file says"
                } else {
                    "items have another form than the released layout"
                },
                &suggestion,
            )
        });
        findings.collect()
    }
}

/// `` `premise`: is empty; fill it in or take the row out ``, without the path, which the finding
/// has.
fn describe_fault(key: &str, error: &DataError) -> String {
    match error {
        DataError::Row {
            line: Some(line),
            problem,
            ..
        } => format!("`{key}` (line {line}): {}", shorten(problem, 80)),
        DataError::Row { problem, .. } => format!("`{key}`: {}", shorten(problem, 80)),
        other => other.to_string(),
    }
}
