//! Whether a model's chat template can do what a recipe asks of it, found out before anything is
//! made. Never here: rendering.

use data::{Tokenizer, chat::Message, prompt::AnswerTurn};
use hub::ModelFiles;
use schema::{PromptForm, Recipe};

use crate::error::Result;

/// SHA-256 of the model's chat template, tried on small conversations; `None` if the recipe
/// uses none.
pub(crate) fn check_template(recipe: &Recipe, files: &ModelFiles) -> Result<Option<String>> {
    let forms: Vec<PromptForm> = list_forms(recipe);
    if forms.is_empty() {
        return Ok(None);
    }
    let tokenizer = Tokenizer::load(files)?;
    let template = tokenizer.chat_template()?;
    let turns = [
        Message::user("a"),
        Message::assistant("b"),
        Message::user("c"),
    ];
    for form in forms {
        let messages = match form {
            PromptForm::Chat => &turns[..],
            PromptForm::Plain | PromptForm::ChatOneTurn => &turns[..1],
        };
        AnswerTurn::find_without_thought(&template, &tokenizer, messages)?;
    }
    Ok(Some(template.sha256().to_owned()))
}

/// The forms of evaluation and training that need a template.
fn list_forms(recipe: &Recipe) -> Vec<PromptForm> {
    let asked = recipe.eval.asking.prompt.iter().copied();
    let learnt = recipe.train.iter().map(|train| match train.prompt {
        PromptForm::Plain => PromptForm::Plain,
        // A pair is one question and its answer.
        _ => PromptForm::ChatOneTurn,
    });
    asked
        .chain(learnt)
        .filter(|form| !form.is_plain())
        .collect()
}
