//! `[eval]`: which questions are asked; how they are asked is in `asking`.

use super::{
    asking::AskingRecipe,
    keys::{Flattened, FromOne, KeySection, MOST, Subsection, section},
    optional::{Decided, Optional},
    translation::TranslationRecipe,
    values::{Languages, SHIPPED_TASKS, Tasks},
};
use crate::Language;

section! {
    /// `[eval]`
    EvalRecipe {
        "Tasks that every model is asked, whatever it was trained on."
        /// Shipped names or paths of task files; other tasks than the trained one make Table 5.
        tasks: Vec<String> = Vec::new() => Decided(Tasks, "must be given"),
        "Languages of the questions; `all`: those that the task has and of which there is a file."
        languages: Vec<Language> = Language::ALL.to_vec() => Languages,
        "How they are asked."
        #[serde(flatten)]
        asking: AskingRecipe = AskingRecipe::paper() => Flattened,
        "Tokens of questions that run through the model at once; changes memory and speed, never a result." ["tokens"]
        tokens_per_batch: usize = 2048 => FromOne(MOST),
        "How well the models translate; not asked where the section is not there."
        #[serde(default, skip_serializing_if = "Option::is_none")]
        translation: Option<TranslationRecipe> = None
            => Optional(Subsection, "what was trained is not measured"),
    }
}

impl EvalRecipe {
    /// The shipped tasks, the paper's three first.
    pub const TASKS: &'static [&'static str] = SHIPPED_TASKS;

    /// Whether `languages` was not narrowed.
    pub fn asks_all(&self) -> bool {
        self.languages == Language::ALL
    }

    /// The paper's questions about `tasks`: all languages, English labels, all items.
    pub fn paper(tasks: Vec<String>) -> Self {
        Self {
            tasks,
            ..Self::defaults()
        }
    }
}
