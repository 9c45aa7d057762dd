//! Chat templates: a conversation as the text that an instruct model was tuned on, rendered as
//! transformers' `apply_chat_template` renders it.
//!
//! Only `jinja` and `python_text` know the engine; `source` says where a template comes from.
//! Never here: prompts of tasks (`prompt`), token ids.

mod jinja;
mod python_text;
mod source;

use std::collections::BTreeMap;

use minijinja::{Environment, value::Value};

pub(crate) use self::source::ChatSource;
use crate::DataError;

/// A turn of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// `system`, `user` or `assistant`.
    pub role: &'static str,
    /// What is said.
    pub content: &'a str,
}

impl<'a> Message<'a> {
    /// What is asked.
    pub fn user(content: &'a str) -> Self {
        Self {
            role: "user",
            content,
        }
    }

    fn to_value(self) -> Value {
        Value::from_pairs([("role", self.role), ("content", self.content)])
    }

    /// What holds for the whole conversation.
    pub fn system(content: &'a str) -> Self {
        Self {
            role: "system",
            content,
        }
    }

    /// What the model said.
    pub fn assistant(content: &'a str) -> Self {
        Self {
            role: "assistant",
            content,
        }
    }
}

/// The variables with which templates let thinking be switched off: of Qwen3, SmolLM3, GLM and
/// others; of Granite and DeepSeek. Other templates do not look at them.
const THINKING: [&str; 2] = ["enable_thinking", "thinking"];
/// The one of Seed-OSS, whose value is a number of tokens.
const THINKING_BUDGET: &str = "thinking_budget";

/// A model's template, ready to render.
pub struct ChatTemplate {
    origin: String,
    sha256: String,
    environment: Environment<'static>,
    /// The special tokens by their names: `bos_token`, ...
    tokens: BTreeMap<String, String>,
}

impl ChatTemplate {
    /// Parses the template's `text`; `origin` names it in messages, `tokens` are the special
    /// tokens by their names (`bos_token`, ...).
    ///
    /// # Errors
    /// The text is no template.
    pub fn new(
        origin: &str,
        text: &str,
        tokens: BTreeMap<String, String>,
    ) -> Result<Self, DataError> {
        let environment = jinja::environment(text).map_err(|problem| {
            DataError::unusable(origin, format!("does not parse: {problem}; {INSTEAD}"))
        })?;
        Ok(Self {
            origin: origin.to_owned(),
            sha256: hub::hash_bytes(text.as_bytes()),
            environment,
            tokens,
        })
    }

    /// SHA-256 of the template's text.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The text of a conversation; with `asks_for_answer`, up to where the model's answer
    /// begins. Thinking is switched off where the template can do that.
    ///
    /// # Errors
    /// The template refuses the conversation, or fails.
    pub fn render(
        &self,
        messages: &[Message<'_>],
        asks_for_answer: bool,
    ) -> Result<String, DataError> {
        let mut variables: BTreeMap<&str, Value> = BTreeMap::new();
        variables.extend(
            self.tokens
                .iter()
                .map(|(name, token)| (name.as_str(), Value::from(token))),
        );
        variables.insert(
            "messages",
            messages
                .iter()
                .copied()
                .map(Message::to_value)
                .collect::<Value>(),
        );
        variables.insert("add_generation_prompt", asks_for_answer.into());
        // transformers gives both, and templates ask whether they are none.
        variables.insert("tools", Value::from(()));
        variables.insert("documents", Value::from(()));
        variables.extend(THINKING.map(|name| (name, false.into())));
        variables.insert(THINKING_BUDGET, 0.into());
        jinja::render(&self.environment, Value::from_pairs(variables))
            .map_err(|problem| self.error(&problem))
    }

    /// An error that names this template.
    pub(crate) fn error(&self, problem: &str) -> DataError {
        DataError::unusable(&*self.origin, format!("{problem}; {INSTEAD}"))
    }
}

/// What helps against any template that cannot be used.
const INSTEAD: &str = "ask without it (`plain`), or put a template that works in the model's folder as chat_template.jinja";

#[cfg(test)]
mod tests;
