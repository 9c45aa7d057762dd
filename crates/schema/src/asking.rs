//! How questions are asked: which label words, which exemplars, which scoring, which rules.
//!
//! [`AskingRecipe`] is what a recipe or the command line gives, [`Asking`] one way to ask a
//! task that follows from it. A new setting has its place in both, in the recipe's keys
//! (`recipe::keys`) and among the program's flags. Never here: whom is asked what (crate
//! `eval`).

use serde::{Deserialize, Serialize};

use crate::{
    few_shot::{self, FewShot, PromptLanguage},
    task::{LabelSet, Protocol, Scorers, Scoring, Task},
};

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
}

/// The ways to ask that are wanted; what is not given is decided by each task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AskingRecipe {
    /// Label sets, each evaluated alone.
    pub labels: Vec<LabelSet>,
    /// Scoring rule; `None`: the task's own, and the paper's where it has none.
    pub scoring: Option<Scoring>,
    /// What is measured beside it.
    pub scorers: Scorers,
    /// Questions of each language that are also answered by free greedy decoding.
    pub greedy: usize,
    /// Rules for defective data; `None`: such data is refused.
    pub protocol: Option<Protocol>,
    /// Exemplars, each set asked alone; empty: the task's own, and `head:K` with its K where it
    /// has none.
    #[serde(with = "few_shot::one_or_several", default)]
    pub few_shot: Vec<FewShot>,
    /// Language of the exemplars.
    #[serde(default = "same_language", skip_serializing_if = "is_same")]
    pub exemplar_language: PromptLanguage,
    /// Language of the question's header words.
    #[serde(default = "same_language", skip_serializing_if = "is_same")]
    pub header_language: PromptLanguage,
    /// Scored items per language; `None`: all.
    pub limit: Option<usize>,
}

/// Recipes recorded before there was a choice.
fn same_language() -> PromptLanguage {
    PromptLanguage::Same
}

fn is_same(language: &PromptLanguage) -> bool {
    *language == PromptLanguage::Same
}

impl AskingRecipe {
    /// The paper's way: English labels, all items.
    pub fn paper() -> Self {
        Self {
            labels: vec![LabelSet::English],
            scoring: None,
            scorers: Scorers::All,
            greedy: 0,
            protocol: None,
            few_shot: Vec::new(),
            exemplar_language: PromptLanguage::Same,
            header_language: PromptLanguage::Same,
            limit: None,
        }
    }

    /// Every set of exemplars of `task`; there is at least one.
    pub fn exemplar_sets(&self, task: &Task) -> Vec<FewShot> {
        let given = match self.few_shot.as_slice() {
            [] => vec![task.own_few_shot()],
            several => several.to_vec(),
        };
        given
            .iter()
            .map(|set| set.in_languages(self.exemplar_language, self.header_language))
            .collect()
    }

    /// Every way to ask `task`: each label set with each set of exemplars.
    pub fn ways(&self, task: &Task) -> Vec<Asking> {
        let sets = self.exemplar_sets(task);
        self.labels
            .iter()
            .flat_map(|&labels| sets.iter().map(move |set| self.way(task, labels, set)))
            .collect()
    }

    /// The first way to ask `task`; with English labels where none are given.
    pub fn first_way(&self, task: &Task) -> Asking {
        let labels = self.labels.first().copied().unwrap_or(LabelSet::English);
        let given = self.few_shot.first().cloned();
        let few_shot = given
            .unwrap_or_else(|| task.own_few_shot())
            .in_languages(self.exemplar_language, self.header_language);
        self.way(task, labels, &few_shot)
    }

    /// The way to ask `task` with these label words and exemplars.
    pub fn way(&self, task: &Task, labels: LabelSet, few_shot: &FewShot) -> Asking {
        Asking {
            labels,
            scoring: self.scoring.unwrap_or_else(|| task.own_scoring()),
            scorers: self.scorers,
            protocol: self.protocol,
            few_shot: few_shot.clone(),
            limit: self.limit,
            greedy: self.greedy,
        }
    }
}
