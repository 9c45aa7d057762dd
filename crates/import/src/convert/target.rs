//! Targets made from a map `field = column`, as a user or a preset gives it. A field that the
//! map leaves out has a column of its own name.

use std::collections::BTreeMap;

use data::DataError;
use schema::Task;

use super::{
    Conversation, ImportTarget, InputFile, Join, PairSource, QuestionColumns, QuestionSplit,
    question::{check_map, field_columns},
};
use crate::refuse;

/// Column by what it fills.
pub type ColumnMap = BTreeMap<String, String>;

impl<'a> ImportTarget<'a> {
    /// Labelled questions. The map's keys are the task's fields and `answer`.
    ///
    /// # Errors
    /// Another key.
    pub fn questions(
        task: &'a Task,
        part: QuestionSplit,
        map: &ColumnMap,
        labels: ColumnMap,
    ) -> Result<Self, DataError> {
        let known: Vec<String> = task
            .fields
            .iter()
            .cloned()
            .chain(["answer".to_owned()])
            .collect();
        check_map(map, &known)?;
        let answer = map
            .get("answer")
            .cloned()
            .unwrap_or_else(|| "answer".to_owned());
        Ok(Self::Questions {
            task,
            part,
            fields: field_columns(task, map, ""),
            answer,
            labels,
        })
    }

    /// Translation pairs of which both sides are in one row. The map's keys are `question`
    /// for a whole question or the task's fields, and for the English side `english` or
    /// `english.` and a field.
    ///
    /// # Errors
    /// Another key; no column for the English side.
    pub fn pairs(task: &'a Task, map: &ColumnMap) -> Result<Self, DataError> {
        let english = task.fields.iter().map(|field| format!("english.{field}"));
        let known: Vec<String> = ["question", "english"]
            .map(str::to_owned)
            .into_iter()
            .chain(task.fields.clone())
            .chain(english.clone())
            .collect();
        check_map(map, &known)?;
        if !map.contains_key("english")
            && let Some(missing) = english.clone().find(|key| !map.contains_key(key))
        {
            let problem = format!(
                "there is no column for the English side: map `english` (a whole question) or `{missing}`, or give the \
                 English questions as a file of their own"
            );
            return Err(refuse("map", problem));
        }
        let question = question_columns(task, map, "question", "");
        let english = question_columns(task, map, "english", "english.");
        Ok(Self::Pairs {
            task,
            source: PairSource::Beside { question, english },
        })
    }

    /// Translation pairs whose English sides are in another file with the same columns. The
    /// map's keys are `question` or the task's fields.
    ///
    /// # Errors
    /// Another key.
    pub fn pairs_of_files(
        task: &'a Task,
        map: &ColumnMap,
        english: InputFile,
        join: Join,
    ) -> Result<Self, DataError> {
        let known: Vec<String> = ["question".to_owned()]
            .into_iter()
            .chain(task.fields.clone())
            .collect();
        check_map(map, &known)?;
        let question = question_columns(task, map, "question", "");
        Ok(Self::Pairs {
            task,
            source: PairSource::Files {
                english,
                question,
                join,
            },
        })
    }

    /// Translation pairs from prompts and their responses.
    pub fn conversations(task: &'a Task, conversation: Conversation) -> Self {
        Self::Pairs {
            task,
            source: PairSource::Conversation(conversation),
        }
    }

    /// Plain text. The map's keys are `text`, and `id` if the rows have ids.
    ///
    /// # Errors
    /// Another key.
    pub fn text(name: &str, map: &ColumnMap) -> Result<Self, DataError> {
        check_map(map, &["id".to_owned(), "text".to_owned()])?;
        let text = map
            .get("text")
            .cloned()
            .unwrap_or_else(|| "text".to_owned());
        Ok(Self::Text {
            name: name.to_owned(),
            id: map.get("id").cloned(),
            text,
        })
    }
}

/// The column that the map gives for a `whole` question, or those of its fields.
fn question_columns(task: &Task, map: &ColumnMap, whole: &str, prefix: &str) -> QuestionColumns {
    match map.get(whole) {
        Some(column) => QuestionColumns::Whole(column.clone()),
        None => QuestionColumns::Fields(field_columns(task, map, prefix)),
    }
}
