//! The keys of `[eval]` that decide how questions are asked; the command line gives the same as
//! flags.

use super::{
    keys::{FromOne, FromZero, KeySection, MOST, TextList, Word, section},
    optional::{Optional, OptionalList},
    problem::unknown_word,
    values::{FewShots, read_labels},
};
use crate::{
    asking::{Asking, PromptForm},
    few_shot::{self, FewShot, PromptLanguage},
    task::{LabelSet, Protocol, Scorers, Scoring, Task},
};

section! {
    /// The ways to ask that are wanted; what is not given is decided by each task.
    AskingRecipe {
        "Words that are scored, each set alone."
        labels: Vec<LabelSet> = vec![LabelSet::English] => TextList {
            kind: "list of `english`, `same` (the question's language), `agnostic`, or a set of the [task file](tasks.md)",
            read: |labels, _| read_labels(labels),
            samples: &["english", "same", "agnostic", "mine"],
        },
        "How the score of a label is computed from the probabilities of its tokens."
        /// `None`: the task's own, and the paper's where it has none.
        scoring: Option<Scoring> = None => Optional(Word, "each task's own, or prefix"),
        "`all` records what every scoring needs, `chosen` only what this one needs."
        scorers: Scorers = Scorers::All => Word,
        "Questions of each language that are also answered by free greedy decoding." ["questions"]
        greedy: usize = 0 => FromZero(MOST),
        "What becomes of defects of the released files: counted as the paper's code does, or corrected."
        /// `None`: such data is refused.
        protocol: Option<Protocol> = None => Optional(Word, "defective gold words are refused"),
        "Solved items before each question; several sets are asked one after the other."
        /// Empty: the task's own, and `head:K` with its K where it has none.
        #[serde(with = "few_shot::one_or_several", default)]
        few_shot: Vec<FewShot> = Vec::new()
            => OptionalList(FewShots, "each task's own, or head:K with its K"),
        "Language of the exemplars."
        #[serde(default = "same_language", skip_serializing_if = "is_same")]
        exemplar_language: PromptLanguage = PromptLanguage::Same => Word,
        "Language of the question's header words."
        #[serde(default = "same_language", skip_serializing_if = "is_same")]
        header_language: PromptLanguage = PromptLanguage::Same => Word,
        "Forms in which prompts reach the model, each asked alone ([chat.md](chat.md))."
        #[serde(default = "plain_alone", skip_serializing_if = "is_plain_alone")]
        prompt: Vec<PromptForm> = plain_alone() => TextList {
            kind: "list of `plain`, `chat`, `chat-one-turn`",
            read: |form, _| read_form(form),
            samples: PromptForm::WORDS,
        },
        "Items per language that are scored." ["items"]
        limit: Option<usize> = None => Optional(FromOne(MOST), "all items"),
    }
}

/// Recipes recorded before there was a choice.
fn same_language() -> PromptLanguage {
    PromptLanguage::Same
}

/// Recipes recorded before there was a choice.
fn plain_alone() -> Vec<PromptForm> {
    vec![PromptForm::Plain]
}

fn is_plain_alone(forms: &Vec<PromptForm>) -> bool {
    *forms == plain_alone()
}

fn read_form(form: &str) -> Result<PromptForm, String> {
    form.parse()
        .map_err(|_| unknown_word(form, PromptForm::WORDS))
}

fn is_same(language: &PromptLanguage) -> bool {
    *language == PromptLanguage::Same
}

impl AskingRecipe {
    /// The paper's way: English labels, all items.
    pub fn paper() -> Self {
        Self::defaults()
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

    /// Every way to ask `task`: each form with each label set and each set of exemplars.
    pub fn ways(&self, task: &Task) -> Vec<Asking> {
        let sets = self.exemplar_sets(task);
        let mut ways = Vec::new();
        for &prompt in &self.prompt {
            for &labels in &self.labels {
                let of_sets = sets.iter().map(|set| self.way(task, labels, set));
                ways.extend(of_sets.map(|way| Asking { prompt, ..way }));
            }
        }
        ways
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

    /// The way to ask `task` with these label words and exemplars, in the first form.
    pub fn way(&self, task: &Task, labels: LabelSet, few_shot: &FewShot) -> Asking {
        Asking {
            labels,
            scoring: self.scoring.unwrap_or_else(|| task.own_scoring()),
            scorers: self.scorers,
            protocol: self.protocol,
            few_shot: few_shot.clone(),
            limit: self.limit,
            greedy: self.greedy,
            prompt: self.prompt.first().copied().unwrap_or(PromptForm::Plain),
        }
    }
}
