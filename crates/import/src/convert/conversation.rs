//! A prompt and its response, as LLaMA-Factory's alpaca, sharegpt and openai forms have them.

use std::path::Path;

use data::{
    DataError,
    table::{TableRow, brief},
};
use serde_json::Value;

/// Where a row has its prompt and its response.
#[derive(Clone, Debug, PartialEq)]
pub enum Conversation {
    /// Columns; the prompt is instruction and input, joined by a newline.
    Alpaca {
        /// The instruction.
        prompt: String,
        /// The input; none: there is no such column. May be missing in a row.
        query: Option<String>,
        /// The response.
        response: String,
        /// Earlier turns, which a pair cannot have.
        history: Option<String>,
        /// A system prompt.
        system: Option<String>,
    },
    /// A list of messages in one column.
    Messages {
        /// The list.
        messages: String,
        /// Who speaks, in a message.
        role: String,
        /// What is said, in a message.
        content: String,
        /// Who asks.
        user: String,
        /// Who answers.
        assistant: String,
        /// Who sets the scene.
        system_role: String,
        /// A system prompt outside of the list.
        system: Option<String>,
    },
}

/// One exchange.
pub(super) struct Exchange {
    pub(super) prompt: String,
    pub(super) response: String,
    pub(super) has_system: bool,
}

impl Conversation {
    /// The columns that must be there.
    pub(super) fn names(&self) -> Vec<&str> {
        match self {
            Self::Alpaca {
                prompt, response, ..
            } => vec![prompt, response],
            Self::Messages { messages, .. } => vec![messages],
        }
    }

    /// The columns that are read if they are there.
    pub(super) fn optional_names(&self) -> Vec<&str> {
        let columns = match self {
            Self::Alpaca {
                query,
                history,
                system,
                ..
            } => [query, history, system].to_vec(),
            Self::Messages { system, .. } => vec![system],
        };
        columns.into_iter().flatten().map(String::as_str).collect()
    }

    /// # Errors
    /// The row has no prompt or no response, or more than one of each.
    pub(super) fn read(&self, row: &TableRow, path: &Path) -> Result<Exchange, DataError> {
        match self {
            Self::Alpaca {
                prompt,
                query,
                response,
                history,
                system,
            } => {
                let parts = [
                    optional(row, path, Some(prompt))?,
                    optional(row, path, query.as_deref())?,
                ];
                let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
                if let Some(history) = history
                    && row
                        .get(history)
                        .is_some_and(|turns| turns.as_array().is_none_or(|turns| !turns.is_empty()))
                    && !row.get(history).is_some_and(Value::is_null)
                {
                    return Err(row.fail(
                        path,
                        Some(history),
                        "has earlier turns; a pair is one question and one answer",
                    ));
                }
                let has_system = !optional(row, path, system.as_deref())?.is_empty();
                let response = row.text(path, response)?.to_owned();
                Ok(Exchange {
                    prompt: parts.join("\n"),
                    response,
                    has_system,
                })
            }
            Self::Messages {
                messages, system, ..
            } => {
                let exchange = self.read_messages(row, path, messages)?;
                let has_system =
                    exchange.has_system || !optional(row, path, system.as_deref())?.is_empty();
                Ok(Exchange {
                    has_system,
                    ..exchange
                })
            }
        }
    }

    fn read_messages(
        &self,
        row: &TableRow,
        path: &Path,
        column: &str,
    ) -> Result<Exchange, DataError> {
        let Self::Messages {
            role,
            content,
            user,
            assistant,
            system_role,
            ..
        } = self
        else {
            return Err(row.fail(path, Some(column), "is not a list of messages"));
        };
        let fail = |problem: String| row.fail(path, Some(column), problem);
        let list = row.need(path, column)?;
        let turns = list
            .as_array()
            .ok_or_else(|| fail(format!("is {}, not a list of messages", brief(list))))?;
        let mut said = Vec::new();
        for (index, turn) in turns.iter().enumerate() {
            let part = |key: &String| {
                let text = turn.get(key).and_then(Value::as_str);
                text.ok_or_else(|| {
                    fail(format!(
                        "message {index} has no text `{key}`: {}",
                        brief(turn)
                    ))
                })
            };
            said.push((part(role)?, part(content)?));
        }
        let has_system = said.first().is_some_and(|(who, _)| who == system_role);
        match &said[usize::from(has_system)..] {
            [(first, prompt), (second, response)] if first == user && second == assistant => {
                Ok(Exchange {
                    prompt: (*prompt).to_owned(),
                    response: (*response).to_owned(),
                    has_system,
                })
            }
            turns => {
                let roles: Vec<_> = turns.iter().map(|(who, _)| *who).collect();
                let problem = format!(
                    "has the turns {}; a pair is one of `{user}` and one of `{assistant}`",
                    if roles.is_empty() {
                        "(none)".to_owned()
                    } else {
                        roles.join(", ")
                    }
                );
                Err(fail(problem))
            }
        }
    }
}

/// The column's text; empty if there is no such column, or null in it.
fn optional<'r>(
    row: &'r TableRow,
    path: &Path,
    column: Option<&str>,
) -> Result<&'r str, DataError> {
    match column {
        Some(column) if row.get(column).is_some_and(|value| !value.is_null()) => {
            row.text(path, column)
        }
        _ => Ok(""),
    }
}
