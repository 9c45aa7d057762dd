//! How many tokens the questions of one language are, without a model. Never here: asking them.

use data::{Tokenizer, prompt, testset};
use schema::Language;

use crate::{Ask, error::EvalError, questions};

/// Rows that one language's questions run through the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// The shared prefix and all that follows it.
    pub tokens: usize,
    /// Rows whose logits are needed.
    pub scored: usize,
}

/// Counts what [`crate::ask()`] would run.
///
/// # Errors
/// The test file or the exemplars are missing or defective.
pub fn count_tokens(
    tokenizer: &Tokenizer,
    ask: &Ask<'_>,
    language: Language,
) -> Result<Count, EvalError> {
    let set = testset::load(ask.dir, ask.task, language, ask.asking.protocol)?;
    let rendered = prompt::render(ask.task, &set, &ask.asking.few_shot, ask.asking.labels)?;
    let all = questions::encode(tokenizer, ask, &rendered)?;
    let limit = ask
        .asking
        .limit
        .unwrap_or(usize::MAX)
        .min(rendered.prompts.len());
    let wanted = all.questions[..limit]
        .iter()
        .chain(&all.questions[rendered.prompts.len()..]);
    Ok(wanted.fold(
        Count {
            tokens: all.prefix.len(),
            scored: 0,
        },
        |sum, question| {
            let labels = question.label_rows();
            Count {
                tokens: sum.tokens + question.suffix.len() + labels,
                scored: sum.scored + 1 + labels,
            }
        },
    ))
}
