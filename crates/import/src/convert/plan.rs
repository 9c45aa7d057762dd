//! What is imported, from which columns, and what it becomes. Plain values; checked in one
//! place before a row is read.

use std::{collections::BTreeMap, path::PathBuf};

use data::{DataError, table::TableLayout};
use schema::{Language, Task};

use super::{Conversation, QuestionColumns};
use crate::refuse;

/// One import.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportPlan<'a> {
    /// The files in the order in which they are read. Several of one language are read as one.
    pub inputs: Vec<InputFile>,
    /// What is made of the rows.
    pub target: ImportTarget<'a>,
    /// The column that says a row's language, where a file has several.
    pub language_column: Option<LanguageColumn>,
    /// Rows with one of these labels are left out, and counted. `""` means empty, null and
    /// missing.
    pub drop_labels: Vec<String>,
    /// Rows with a text that is one of these are left out, and counted. `""` means empty,
    /// null and missing.
    pub drop_texts: Vec<String>,
    /// How many of the rows that are left are taken.
    pub sample: RowSample,
    /// The folder to write into; test sets and pairs go into the task's folder below it.
    pub out: PathBuf,
    /// Files of the same languages that are there already are removed; otherwise they are an
    /// error.
    pub replace: bool,
}

/// A file to be read.
#[derive(Clone, Debug, PartialEq)]
pub struct InputFile {
    /// The file.
    pub path: PathBuf,
    /// How it is written.
    pub layout: TableLayout,
    /// The language of all of its rows, where no column says it.
    pub language: Option<Language>,
}

/// A column that says the language.
#[derive(Clone, Debug, PartialEq)]
pub struct LanguageColumn {
    /// Its name.
    pub column: String,
    /// Its value for each language. Rows with anything else are passed over and
    /// counted.
    pub codes: BTreeMap<String, Language>,
}

/// What becomes of the rows.
#[derive(Clone, Debug, PartialEq)]
pub enum ImportTarget<'a> {
    /// Questions with labels.
    Questions {
        /// Whose questions.
        task: &'a Task,
        /// A test set or labelled training questions.
        part: QuestionSplit,
        /// The columns of [`Task::fields`], in their order.
        fields: Vec<String>,
        /// The label's column.
        answer: String,
        /// The values there, with the English name of the label that it means. Empty: the
        /// language's label words, or the English ones.
        labels: BTreeMap<String, String>,
    },
    /// Questions and the same questions in English.
    Pairs {
        /// Whose questions; it names the files.
        task: &'a Task,
        /// Where the two are.
        source: PairSource,
    },
    /// Plain text: `{"id": ..., "text": ...}` a line.
    Text {
        /// What the files are called: `<name>_<language>.jsonl`.
        name: String,
        /// The id's column; none: the number of the row.
        id: Option<String>,
        /// The text's column.
        text: String,
    },
}

/// Which of the released files of labelled questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuestionSplit {
    /// `<task>_<language><count>_test.json`.
    Test,
    /// `<task>_<language><count>_train.json`.
    Train,
}

/// Where a question and its English form are.
#[derive(Clone, Debug, PartialEq)]
pub enum PairSource {
    /// In one row.
    Beside {
        /// The question.
        question: QuestionColumns,
        /// The English question.
        english: QuestionColumns,
    },
    /// In two files.
    Files {
        /// The English file.
        english: InputFile,
        /// The question's columns, in both files.
        question: QuestionColumns,
        /// Which rows belong together.
        join: Join,
    },
    /// As a prompt and its response.
    Conversation(Conversation),
}

/// How the rows of two files are put together.
#[derive(Clone, Debug, PartialEq)]
pub struct Join {
    /// The column with an item's id, in both files; none: by position.
    pub key: Option<String>,
    /// Columns that both files have and that must say the same in rows that belong together.
    pub same: Vec<String>,
    /// Without a key: whether the position counts though both files have a column `id` and it
    /// differs.
    pub by_position: bool,
}

/// How many rows are taken. The same rows in every language, where the languages have the same
/// labels in the same order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowSample {
    /// Rows taken of each language, at random, in the order of the file; none: all.
    pub take: Option<usize>,
    /// Seed of the draw.
    pub seed: u64,
    /// As many rows of each label; without `take` as many as the rarest has.
    pub balance: bool,
}

impl ImportPlan<'_> {
    /// # Errors
    /// The parts of the plan contradict each other; says what to change.
    pub(crate) fn check(&self) -> Result<(), DataError> {
        if self.inputs.is_empty() {
            return Err(refuse("import", "there is no file to read"));
        }
        if self.sample.balance && !matches!(self.target, ImportTarget::Questions { .. }) {
            return Err(refuse(
                "balance",
                "there are no labels to balance; only questions with labels have some",
            ));
        }
        let is_known = self.language_column.is_some()
            || matches!(
                self.target,
                ImportTarget::Pairs {
                    source: PairSource::Conversation(_),
                    ..
                }
            );
        if let Some(input) = self
            .inputs
            .iter()
            .find(|input| input.language.is_none() && !is_known)
        {
            return Err(refuse(
                &input.path.display().to_string(),
                "say its language, or the column that says it",
            ));
        }
        match &self.target {
            ImportTarget::Questions { task, labels, .. } => {
                for (value, label) in labels {
                    if task.label(label).is_none() {
                        let known = task.labels.join(", ");
                        let problem = format!(
                            "`{value}` is to mean `{label}`; the labels of {} are: {known}",
                            task.name
                        );
                        return Err(refuse("labels", problem));
                    }
                }
                Ok(())
            }
            ImportTarget::Pairs {
                source: PairSource::Files { .. },
                ..
            } => self.check_files(),
            ImportTarget::Pairs { .. } | ImportTarget::Text { .. } => Ok(()),
        }
    }

    /// Two files make pairs of one language.
    fn check_files(&self) -> Result<(), DataError> {
        let first = self.inputs.first().and_then(|input| input.language);
        if self.language_column.is_some() || self.inputs.iter().any(|input| input.language != first)
        {
            return Err(refuse(
                "pairs",
                "two files are joined for one language at a time; call once for each language",
            ));
        }
        Ok(())
    }
}
