//! How questions are asked: which label words, which exemplars, which scoring, which rules.
//!
//! [`crate::AskingRecipe`] is what a recipe or the command line gives; each [`Asking`] that
//! follows from it is one way to ask a task. A new setting has its place in both and among the
//! program's flags. Never here: asking (crate `eval`).

use serde::{Deserialize, Serialize};

use crate::{
    few_shot::FewShot,
    task::{LabelSet, Protocol, Scorers, Scoring},
    words::words,
};

words! {
    /// In which form a text reaches the model.
    PromptForm {
        /// As it is, as in the paper.
        Plain "plain",
        /// As a conversation of the model's chat template; each exemplar is a turn, and its
        /// answer another.
        Chat "chat",
        /// The same, with the exemplars in the question's own turn.
        ChatOneTurn "chat-one-turn",
    }
}

impl PromptForm {
    /// The form of everything that was recorded before there was a choice.
    pub(crate) fn plain() -> Self {
        Self::Plain
    }

    /// Whether no chat template is used.
    pub fn is_plain(&self) -> bool {
        *self == Self::Plain
    }
}

/// One way to ask a task, with nothing left open; as it is part of [`crate::Provenance`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asking {
    /// Which label words are scored.
    pub labels: LabelSet,
    /// The rule of the scores.
    pub scoring: Scoring,
    /// What is measured beside it.
    pub scorers: Scorers,
    /// Rules for defective data; `None`: such data is refused.
    pub protocol: Option<Protocol>,
    /// Where the exemplars come from.
    pub few_shot: FewShot,
    /// Most items that are scored; `None`: all.
    pub limit: Option<usize>,
    /// Questions that are also answered by free greedy decoding: the first ones.
    pub greedy: usize,
    /// In which form the prompts reach the model.
    #[serde(
        default = "PromptForm::plain",
        skip_serializing_if = "PromptForm::is_plain"
    )]
    pub prompt: PromptForm,
}
