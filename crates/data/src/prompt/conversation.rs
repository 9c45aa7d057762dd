//! The questions of a task as conversations of a model's chat template. A question ends with the
//! header that asks for the answer, without the opening quote; the answer, the bare label
//! word, is a turn of its own. Never here: how a template is rendered.

use rayon::prelude::*;
use schema::PromptForm;

use super::{
    Rendered,
    answer::AnswerTurn,
    layout::{Layout, Shown},
};
use crate::{
    DataError, Tokenizer,
    chat::{ChatTemplate, Message},
};

/// What comes before every question.
struct Conversation {
    /// Exemplars that are turns: question and answer.
    turns: Vec<(String, String)>,
    /// What stands before the question in its own turn.
    before: String,
}

/// Renders all prompts of `layout` with the model's chat template.
///
/// # Errors
/// No template, or one that cannot be used; exemplars that cannot be turns.
pub(super) fn render(
    layout: Layout,
    tokenizer: &Tokenizer,
    form: PromptForm,
) -> Result<Rendered, DataError> {
    let template = tokenizer.chat_template()?;
    let shown = Conversation::after(&layout, form)?;
    let alone = Conversation {
        turns: Vec::new(),
        before: String::new(),
    };
    let probe = shown.last_turn(&layout.closing);
    let turn = AnswerTurn::find_without_thought(&template, tokenizer, &shown.messages(&probe))?;
    let write = |question: &str| shown.render(&template, &turn, question);
    let texts: Vec<String> = layout
        .prompts
        .par_iter()
        .map(|prompt| write(&prompt.text))
        .collect::<Result<_, _>>()?;
    let content_free = layout.content_free.iter().map(|question| write(question));
    let content_free = content_free.collect::<Result<_, _>>()?;
    let closing = alone.render(&template, &turn, &layout.closing)?;
    let mut rendered = layout.plain();
    for (prompt, text) in rendered.prompts.iter_mut().zip(texts) {
        prompt.text = text;
    }
    Ok(Rendered {
        content_free,
        closing,
        answer: turn.frame,
        template_sha256: Some(template.sha256().to_owned()),
        ..rendered
    })
}

impl Conversation {
    /// The instruction and the exemplars of `layout`.
    fn after(layout: &Layout, form: PromptForm) -> Result<Self, DataError> {
        let instruction = match layout.instruction.as_str() {
            "" => String::new(),
            text => format!("{text}\n"),
        };
        match (&layout.shown, form) {
            (Shown::Solved(solved), PromptForm::Chat) => {
                let mut turns: Vec<(String, String)> = solved
                    .iter()
                    .map(|(question, answer)| (bare(question).to_owned(), answer.clone()))
                    .collect();
                let before = match turns.first_mut() {
                    Some((first, _)) => {
                        first.insert_str(0, &instruction);
                        String::new()
                    }
                    None => instruction,
                };
                Ok(Self { turns, before })
            }
            (Shown::Solved(solved), _) => {
                let lines = solved
                    .iter()
                    .map(|(question, answer)| format!("{} {answer}\n", bare(question)));
                let before = instruction + &lines.collect::<String>();
                Ok(Self {
                    turns: Vec::new(),
                    before,
                })
            }
            (Shown::Text(text), PromptForm::ChatOneTurn) => Ok(Self {
                turns: Vec::new(),
                before: format!("{instruction}{text}\n"),
            }),
            (Shown::Text(_), _) => Err(DataError::unusable(
                "prompt `chat`",
                "the exemplars are a file's text, which cannot be cut into turns; choose `chat-one-turn`, or exemplars \
                 that are items (head:K, seed:S:K, builtin)",
            )),
        }
    }

    /// The turn that asks a question.
    fn last_turn(&self, question: &str) -> String {
        format!("{}{}", self.before, bare(question))
    }

    fn messages<'a>(&'a self, last_turn: &'a str) -> Vec<Message<'a>> {
        let turns = self.turns.iter();
        let shown = turns
            .flat_map(|(question, answer)| [Message::user(question), Message::assistant(answer)]);
        shown.chain([Message::user(last_turn)]).collect()
    }

    fn render(
        &self,
        template: &ChatTemplate,
        turn: &AnswerTurn,
        question: &str,
    ) -> Result<String, DataError> {
        let last_turn = self.last_turn(question);
        turn.render(template, &self.messages(&last_turn))
    }
}

/// A question without the opening quote of its answer, which in a chat stands alone.
pub(super) fn bare(question: &str) -> &str {
    question.strip_suffix('"').unwrap_or(question).trim()
}
