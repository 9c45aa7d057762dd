//! Rows to items: labels read, texts taken, rows left out with a reason. Never
//! here: which items are drawn, where they are written.

use std::{collections::BTreeMap, fs, path::Path};

use data::{
    DataError,
    table::{TableReader, TableRow},
    tasks,
};
use schema::{Label, Language, Task, disk::DiskError};
use serde_json::Value;

use super::{
    Conversation, ImportPlan, ImportTarget, PairSource,
    join::{self, Partners},
    plan::InputFile,
    question::{instructed, strip_instruction, take_text},
};

/// What became of one row.
pub(super) enum Taken {
    /// An item: its values in the order of [`keys`].
    Item {
        language: Language,
        label: Option<Label>,
        values: Vec<String>,
    },
    /// A row of a language that is left out.
    Dropped { language: Language, reason: String },
    /// A row of no language that is wanted.
    Passed { reason: String },
}

/// The keys of an item in the file that is written.
pub(super) fn keys(target: &ImportTarget<'_>) -> Vec<String> {
    match target {
        ImportTarget::Questions { task, .. } => task
            .fields
            .iter()
            .cloned()
            .chain(["answer".to_owned()])
            .collect(),
        ImportTarget::Pairs { .. } => vec!["input".to_owned(), "answer".to_owned()],
        ImportTarget::Text { .. } => vec!["id".to_owned(), "text".to_owned()],
    }
}

/// The rows of a plan's files, one after the other.
pub(super) struct InputRows<'a> {
    plan: &'a ImportPlan<'a>,
    /// The input that is read, or is read next.
    at: usize,
    table: Option<TableReader>,
    partners: Option<Partners>,
    /// Bytes of the inputs that were read.
    passed: u64,
    rows: usize,
    suspicious_quotes: usize,
    system_prompts: usize,
}

impl<'a> InputRows<'a> {
    pub(super) fn open(plan: &'a ImportPlan<'a>) -> Result<Self, DataError> {
        let partners = match &plan.target {
            ImportTarget::Pairs {
                source:
                    PairSource::Files {
                        english,
                        question,
                        join,
                    },
                ..
            } => {
                let wanted: Vec<&str> = question
                    .names()
                    .into_iter()
                    .chain(join.key.as_deref())
                    .chain(join.same.iter().map(String::as_str))
                    .collect();
                Some(Partners::new(
                    TableReader::open(&english.path, &english.layout, &wanted, &[join::ID])?,
                    join,
                ))
            }
            _ => None,
        };
        let (at, table, passed, rows) = (0, None, 0, 0);
        Ok(Self {
            plan,
            at,
            table,
            partners,
            passed,
            rows,
            suspicious_quotes: 0,
            system_prompts: 0,
        })
    }

    /// Rows read so far.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of all files.
    pub(super) fn size(&self) -> Result<u64, DataError> {
        let mut bytes = self.partners.as_ref().map_or(0, Partners::size);
        for InputFile { path, .. } in &self.plan.inputs {
            bytes += fs::metadata(path)
                .map_err(DiskError::at("read", path))?
                .len();
        }
        Ok(bytes)
    }

    /// Bytes read so far.
    pub(super) fn done(&self) -> u64 {
        self.passed
            + self.table.as_ref().map_or(0, TableReader::done)
            + self.partners.as_ref().map_or(0, Partners::done)
    }

    /// The next row; none at the end of the last file.
    pub(super) fn next_taken(&mut self) -> Result<Option<Taken>, DataError> {
        let plan = self.plan;
        loop {
            let Some(input) = plan.inputs.get(self.at) else {
                return Ok(None);
            };
            let table = match &mut self.table {
                Some(table) => table,
                none => none.insert(TableReader::open(
                    &input.path,
                    &input.layout,
                    &wanted_columns(plan),
                    &optional_columns(plan),
                )?),
            };
            if let Some(row) = table.next_row()? {
                self.rows += 1;
                return self.take(&row, input).map(Some);
            }
            self.passed += table.size;
            self.suspicious_quotes += table.suspicious_quotes();
            self.table = None;
            self.at += 1;
            if let (Some(partners), true) = (&mut self.partners, self.at == plan.inputs.len()) {
                partners.finish(&input.path)?;
            }
        }
    }

    /// What the user should know of the files as a whole.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.suspicious_quotes > 0 {
            notes.push(format!(
                "{} fields begin and end with a double quote, which was taken as part of the text; if the file quotes its \
                 fields, say so",
                self.suspicious_quotes
            ));
        }
        if self.system_prompts > 0 {
            notes.push(format!(
                "{} rows have a system prompt, which a pair has no place for: left out",
                self.system_prompts
            ));
        }
        notes
    }

    fn take(&mut self, row: &TableRow, input: &InputFile) -> Result<Taken, DataError> {
        let (plan, path) = (self.plan, input.path.as_path());
        let language = match (input.language, &plan.language_column) {
            (Some(language), _) => Some(language),
            (None, Some(said)) => {
                let code = row.word(path, &said.column)?;
                match said.codes.get(&code) {
                    Some(language) => Some(*language),
                    None => {
                        return Ok(Taken::Passed {
                            reason: format!("`{}` is `{code}`", said.column),
                        });
                    }
                }
            }
            (None, None) => None,
        };
        match (&plan.target, language) {
            (
                ImportTarget::Pairs {
                    task,
                    source: PairSource::Conversation(form),
                },
                _,
            ) => self.take_conversation(row, path, task, form, language),
            (_, None) => Err(row.fail(path, None, "of which language it is was not said")),
            (ImportTarget::Questions { .. }, Some(language)) => {
                take_question(plan, row, path, language)
            }
            (ImportTarget::Text { id, text, .. }, Some(language)) => {
                let id = id
                    .as_ref()
                    .map_or_else(|| Ok(row.number.to_string()), |id| row.word(path, id))?;
                Ok(match take_text(row, path, text, &plan.drop_texts)? {
                    Ok(text) => Taken::Item {
                        language,
                        label: None,
                        values: vec![id, text],
                    },
                    Err(reason) => Taken::Dropped { language, reason },
                })
            }
            (ImportTarget::Pairs { task, source }, Some(language)) => {
                self.take_pair(row, path, task, source, language)
            }
        }
    }

    fn take_pair(
        &mut self,
        row: &TableRow,
        path: &Path,
        task: &Task,
        source: &PairSource,
        language: Language,
    ) -> Result<Taken, DataError> {
        let drop = &self.plan.drop_texts;
        let (question, english) = match (source, &mut self.partners) {
            (PairSource::Beside { question, english }, _) => (
                question.question(row, path, task, language, drop)?,
                english.question(row, path, task, Language::En, drop)?,
            ),
            (PairSource::Files { question, .. }, Some(partners)) => {
                let partner = partners.find(row, path)?;
                let english_path = partners.path();
                (
                    question.question(row, path, task, language, drop)?,
                    question.question(&partner, english_path, task, Language::En, drop)?,
                )
            }
            _ => return Err(row.fail(path, None, "has no English side")),
        };
        Ok(match (question, english) {
            (Ok(question), Ok(english)) => Taken::Item {
                language,
                label: None,
                values: vec![instructed(&question, language), english],
            },
            (Err(reason), _) | (_, Err(reason)) => Taken::Dropped { language, reason },
        })
    }

    fn take_conversation(
        &mut self,
        row: &TableRow,
        path: &Path,
        task: &Task,
        form: &Conversation,
        language: Option<Language>,
    ) -> Result<Taken, DataError> {
        let exchange = form.read(row, path)?;
        self.system_prompts += usize::from(exchange.has_system);
        let fail = |problem: String| Err(row.fail(path, None, problem));
        let language = match (strip_instruction(&exchange.prompt), language) {
            (Some((_, source, target)), _) if target != Language::En => {
                return fail(format!(
                    "asks to translate from {source} to {target}; files of pairs go into English, and other directions \
                     are composed of them"
                ));
            }
            (Some((_, source, _)), Some(said)) if source != said => {
                return fail(format!(
                    "asks to translate from {source}, but the language is said to be {said}"
                ));
            }
            (Some((_, source, _)), _) | (None, Some(source)) => source,
            (None, None) => return fail("does not say which language it is in; say it".to_owned()),
        };
        if !task.languages.contains_key(&language) {
            return fail(format!(
                "is in {language}, which the task {} does not have",
                task.name
            ));
        }
        for (text, what) in [
            (&exchange.prompt, "prompt"),
            (&exchange.response, "response"),
        ] {
            if text.trim().is_empty() && self.plan.drop_texts.iter().any(String::is_empty) {
                return Ok(Taken::Dropped {
                    language,
                    reason: format!("the {what} is empty"),
                });
            }
            if text.trim().is_empty() {
                return fail(format!(
                    "has an empty {what}; fill it in, or leave such rows out"
                ));
            }
        }
        let values = vec![instructed(&exchange.prompt, language), exchange.response];
        Ok(Taken::Item {
            language,
            label: None,
            values,
        })
    }
}

/// The columns that must be there.
fn wanted_columns<'p>(plan: &'p ImportPlan<'_>) -> Vec<&'p str> {
    let mut wanted: Vec<&str> = match &plan.target {
        ImportTarget::Questions { fields, answer, .. } => {
            fields.iter().chain([answer]).map(String::as_str).collect()
        }
        ImportTarget::Text { id, text, .. } => {
            id.iter().chain([text]).map(String::as_str).collect()
        }
        ImportTarget::Pairs { source, .. } => match source {
            PairSource::Beside { question, english } => {
                [question.names(), english.names()].concat()
            }
            PairSource::Files { question, join, .. } => question
                .names()
                .into_iter()
                .chain(join.key.as_deref())
                .chain(join.same.iter().map(String::as_str))
                .collect(),
            PairSource::Conversation(form) => form.names(),
        },
    };
    wanted.extend(
        plan.language_column
            .as_ref()
            .map(|said| said.column.as_str()),
    );
    wanted
}

fn optional_columns<'p>(plan: &'p ImportPlan<'_>) -> Vec<&'p str> {
    match &plan.target {
        ImportTarget::Pairs {
            source: PairSource::Conversation(form),
            ..
        } => form.optional_names(),
        ImportTarget::Pairs {
            source: PairSource::Files { .. },
            ..
        } => vec![join::ID],
        _ => Vec::new(),
    }
}

fn take_question(
    plan: &ImportPlan<'_>,
    row: &TableRow,
    path: &Path,
    language: Language,
) -> Result<Taken, DataError> {
    let ImportTarget::Questions {
        task,
        fields,
        answer,
        labels,
        ..
    } = &plan.target
    else {
        return Err(row.fail(path, None, "is not a labelled question"));
    };
    let word = match row.get(answer) {
        None | Some(Value::Null) if plan.drop_labels.iter().any(String::is_empty) => String::new(),
        _ => row.word(path, answer)?,
    };
    if plan.drop_labels.contains(&word) {
        let reason = match word.is_empty() {
            true => format!("`{answer}` is empty or missing"),
            false => format!("`{answer}` is `{word}`"),
        };
        return Ok(Taken::Dropped { language, reason });
    }
    let known = &tasks::row(task, language)?.label_words;
    let label = match labels.is_empty() {
        true => known
            .iter()
            .position(|known| *known == word)
            .map(Label)
            .or_else(|| task.label(&word)),
        false => labels.get(&word).and_then(|name| task.label(name)),
    };
    let Some(label) = label else {
        let problem = unknown_label(&word, task, known, labels);
        return Err(row.fail(path, Some(answer), problem));
    };
    let mut values = Vec::with_capacity(fields.len() + 1);
    for column in fields {
        match take_text(row, path, column, &plan.drop_texts)? {
            Ok(text) => values.push(text),
            Err(reason) => return Ok(Taken::Dropped { language, reason }),
        }
    }
    values.push(known[label.0].clone());
    Ok(Taken::Item {
        language,
        label: Some(label),
        values,
    })
}

fn unknown_label(
    word: &str,
    task: &Task,
    known: &[String],
    labels: &BTreeMap<String, String>,
) -> String {
    let pairs: Vec<String> = match labels.is_empty() {
        // In English most words are the labels' own names.
        true => known
            .iter()
            .chain(task.labels.iter().filter(|label| !known.contains(label)))
            .map(|known| format!("`{known}`"))
            .collect(),
        false => labels
            .iter()
            .map(|(value, label)| format!("`{value}` ({label})"))
            .collect(),
    };
    format!(
        "is `{word}`, which is not a label; known: {}; map it to a label, or leave such rows out",
        pairs.join(", ")
    )
}
