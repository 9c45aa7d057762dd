//! How an answer stands behind a prompt: in quotes, as the paper's prompts have it, or as a turn
//! of a chat template. Never here: the conversations of a task.

use crate::{
    DataError, Tokenizer,
    chat::{ChatTemplate, Message},
};

/// What a probing answer says: a word that no template writes by itself.
const PROBE: &str = "qZ7answer7Zq";

/// What is around an answer, between the prompt's text and what comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerFrame {
    /// Spaces between the prompt and the answer, kept out of the prompt because tokenizers join
    /// a space with the word behind it.
    pub before: String,
    /// What ends the answer: the closing quote, or the end of the turn.
    pub after: String,
    /// Whether prompts are rendered by a chat template, which writes all special tokens itself.
    pub is_chat: bool,
    /// Whether prompts are empty, so that an answer begins the text: it then follows the token
    /// that begins texts, or that ends them where the tokenizer has none.
    pub begins_text: bool,
}

impl AnswerFrame {
    /// The paper's: the prompt ends in an opening quote, and a closing one ends the answer.
    pub fn quoted() -> Self {
        Self {
            before: String::new(),
            after: "\"".to_owned(),
            is_chat: false,
            begins_text: false,
        }
    }

    /// Without quotes, as lm-evaluation-harness has it: nothing ends the answer, and `closing`,
    /// the header before it, says with which white space it begins. The prompt ends before that.
    pub fn open(closing: &str) -> Self {
        Self {
            before: closing[closing.trim_end().len()..].to_owned(),
            after: String::new(),
            is_chat: false,
            begins_text: false,
        }
    }

    /// Whether a quote ends the answer.
    pub fn is_quoted(&self) -> bool {
        !self.is_chat && self.after == "\""
    }

    /// The special tokens before a prompt in this frame: those that the tokenizer adds, and at
    /// least one where an answer begins the text.
    pub fn added_before<'a>(&self, tokenizer: &'a Tokenizer) -> &'a [u32] {
        match tokenizer.added_before() {
            _ if self.is_chat => &[],
            [] if self.begins_text => tokenizer.text_start(),
            added => added,
        }
    }

    /// Token ids of a prompt, with what is added before it.
    ///
    /// # Errors
    /// The tokenizer fails.
    pub fn encode(&self, tokenizer: &Tokenizer, text: &str) -> Result<Vec<u32>, DataError> {
        Ok([self.added_before(tokenizer), &tokenizer.encode_plain(text)?].concat())
    }

    /// The tokens at which a freely written answer is over: the end of the text, and in a chat
    /// that of the turn.
    ///
    /// # Errors
    /// The tokenizer fails.
    pub fn ends(&self, tokenizer: &Tokenizer) -> Result<Vec<u32>, DataError> {
        let mut ends: Vec<u32> = tokenizer.eos().into_iter().collect();
        if self.is_chat {
            ends.extend(tokenizer.encode_plain(&self.after)?.last());
        }
        Ok(ends)
    }
}

/// What a template writes between the end of a question and an answer, and behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerTurn {
    /// What follows the generation prompt before an answer.
    opening: String,
    /// What is around the answer then.
    pub frame: AnswerFrame,
    /// Whether the answer would be part of a thought that the template begins.
    is_thought: bool,
}

impl AnswerTurn {
    /// Finds out how `template` writes an answer to `messages`, which end with a question: a
    /// finished answer, where it begins with the generation prompt, shows what stands between
    /// the two (an empty thought, the name of a channel); where it does not, nothing is between
    /// them.
    ///
    /// # Errors
    /// The template fails, or does not show the answer.
    pub fn find(
        template: &ChatTemplate,
        tokenizer: &Tokenizer,
        messages: &[Message<'_>],
    ) -> Result<Self, DataError> {
        let asked = template.render(messages, true)?;
        let finished = [messages, &[Message::assistant(PROBE)]].concat();
        let finished = template.render(&finished, false)?;
        let Some((before, behind)) = finished.rsplit_once(PROBE) else {
            return Err(template.error("leaves out what the model says"));
        };
        let between = before.strip_prefix(asked.as_str()).unwrap_or("");
        let prompt = asked + between;
        let spaces = prompt.len() - prompt.trim_end_matches(' ').len();
        Ok(Self {
            opening: between.to_owned(),
            is_thought: leaves_thought_open(&prompt),
            frame: AnswerFrame {
                before: " ".repeat(spaces),
                after: find_end(tokenizer, behind),
                is_chat: true,
                begins_text: false,
            },
        })
    }

    /// As [`AnswerTurn::find`], for answers that are given to the model.
    ///
    /// # Errors
    /// As there; the answer would be part of a thought.
    pub fn find_without_thought(
        template: &ChatTemplate,
        tokenizer: &Tokenizer,
        messages: &[Message<'_>],
    ) -> Result<Self, DataError> {
        let turn = Self::find(template, tokenizer, messages)?;
        match turn.is_thought {
            false => Ok(turn),
            true => {
                Err(template
                    .error("begins every answer with a thought, which cannot be switched off"))
            }
        }
    }

    /// The text of `messages` up to where an answer begins, without the frame's spaces.
    ///
    /// # Errors
    /// The template refuses the messages.
    pub fn render(
        &self,
        template: &ChatTemplate,
        messages: &[Message<'_>],
    ) -> Result<String, DataError> {
        let text = template.render(messages, true)? + &self.opening;
        Ok(text.trim_end_matches(' ').to_owned())
    }
}

/// Whether a text ends in a tag that begins a thought: `<think>`, `[THINK]`, `<seed:think>`.
fn leaves_thought_open(text: &str) -> bool {
    let text = text.trim_end();
    let start = text.rfind(['<', '[']).unwrap_or(text.len());
    let tag = &text[start..];
    let inner = tag.trim_matches(|c| "<>[]|".contains(c)).to_lowercase();
    let is_tag = tag.ends_with(['>', ']']);
    is_tag && inner.contains("think") && !inner.starts_with('/') && !inner.contains("end")
}

/// What ends a turn of which `behind` is all that follows the answer: everything up to the first
/// special token, or else the token that ends a text.
fn find_end(tokenizer: &Tokenizer, behind: &str) -> String {
    match tokenizer.first_special(behind) {
        Some(end) => behind[..end].to_owned(),
        None => {
            let eos = tokenizer.eos().and_then(|id| tokenizer.token(id));
            eos.unwrap_or_default()
        }
    }
}
