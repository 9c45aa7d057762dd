//! The tokens that represent the labels of a task, in a language and in English. Never here:
//! probabilities.

use std::collections::BTreeSet;

use data::{Tokenizer, label_tokens, tasks};
use schema::{LabelSet, Language, Task};

use crate::error::AnalyseError;

/// The tokens that speak for each label by the paper's rule ([`label_tokens::prefix_sets`]),
/// ids in rising order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelTokens {
    /// English names of the labels.
    names: Vec<String>,
    own: Vec<Vec<u32>>,
    english: Vec<Vec<u32>>,
    /// For each label, the tokens in both of its sets.
    shared: Vec<Vec<u32>>,
    any_own: Vec<u32>,
    any_english: Vec<u32>,
}

impl LabelTokens {
    /// The sets of every label of `task` in `language`, whose words are its own, and in
    /// English.
    ///
    /// # Errors
    /// The language has no label words of its own ([`tasks::label_words`] of
    /// [`LabelSet::Same`]); a word that no token begins.
    pub fn new(
        tokenizer: &Tokenizer,
        task: &Task,
        language: Language,
    ) -> Result<Self, AnalyseError> {
        let own_words = tasks::label_words(task, language, LabelSet::Same)?;
        let english_words = tasks::label_words(task, Language::En, LabelSet::English)?;
        let own = label_tokens::prefix_sets(tokenizer, &own_words)?;
        let english = label_tokens::prefix_sets(tokenizer, &english_words)?;
        Ok(Self::of(
            task.labels.clone(),
            own,
            english,
            language == Language::En,
        ))
    }

    fn of(
        names: Vec<String>,
        own: Vec<Vec<u32>>,
        english: Vec<Vec<u32>>,
        is_english: bool,
    ) -> Self {
        let both = own.iter().zip(&english).map(|(own, english)| {
            let shared = own.iter().filter(|id| !is_english && english.contains(id));
            shared.copied().collect()
        });
        let shared = both.collect();
        Self {
            shared,
            any_own: union(&own),
            any_english: union(&english),
            names,
            own,
            english,
        }
    }

    /// English names of the labels.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Tokens that speak for the label at `label` in the language.
    pub fn own(&self, label: usize) -> &[u32] {
        &self.own[label]
    }

    /// The same in English.
    pub fn english(&self, label: usize) -> &[u32] {
        &self.english[label]
    }

    /// Tokens that speak for the label in both, so that its two curves could not be distinguished;
    /// never any in English itself, whose curves are the same.
    pub fn shared(&self, label: usize) -> &[u32] {
        &self.shared[label]
    }

    /// Tokens that speak for any label in the language, each once.
    pub fn any_own(&self) -> &[u32] {
        &self.any_own
    }

    /// The same in English.
    pub fn any_english(&self) -> &[u32] {
        &self.any_english
    }

    /// Fails unless all tokens are below `vocab_size` and every one of `golds` is a label.
    pub(super) fn check(&self, vocab_size: usize, golds: &[usize]) -> Result<(), AnalyseError> {
        let mut ids = self.any_own.iter().chain(&self.any_english);
        if let Some(id) = ids.find(|&&id| id as usize >= vocab_size) {
            let problem =
                format!("the model's vocabulary has {vocab_size}; use the model's tokenizer");
            return Err(AnalyseError::unusable(
                format!("token {id} of a label"),
                problem,
            ));
        }
        match golds.iter().find(|&&gold| gold >= self.names.len()) {
            Some(gold) => Err(AnalyseError::unusable(
                format!("gold label {gold}"),
                "the task does not have so many; use its prompts",
            )),
            None => Ok(()),
        }
    }
}

fn union(sets: &[Vec<u32>]) -> Vec<u32> {
    sets.iter()
        .flatten()
        .copied()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets(own: &[&[u32]], english: &[&[u32]], is_english: bool) -> LabelTokens {
        let owned = |sets: &[&[u32]]| sets.iter().map(|set| set.to_vec()).collect::<Vec<_>>();
        LabelTokens::of(
            vec!["yes".to_owned(), "no".to_owned()],
            owned(own),
            owned(english),
            is_english,
        )
    }

    #[test]
    fn only_a_label_and_its_own_word_in_english_can_share() {
        let found = sets(&[&[1, 4, 7], &[2, 3]], &[&[3, 4, 7, 9], &[1, 5]], false);
        assert_eq!(
            (found.shared(0), found.shared(1)),
            (&[4, 7][..], &[][..]),
            "3 and 1 speak for the other label"
        );
        assert_eq!(
            (found.any_own(), found.any_english()),
            (&[1, 2, 3, 4, 7][..], &[1, 3, 4, 5, 7, 9][..])
        );
        assert_eq!((found.own(1), found.english(1)), (&[2, 3][..], &[1, 5][..]));
    }

    #[test]
    fn english_shares_nothing_with_itself() {
        let found = sets(&[&[1, 4], &[4]], &[&[1, 4], &[4]], true);
        assert_eq!(
            (found.shared(0), found.shared(1), found.any_own()),
            (&[][..], &[][..], &[1, 4][..])
        );
    }

    #[test]
    fn sets_of_another_model_or_task_are_refused() {
        let found = sets(&[&[1], &[2]], &[&[3], &[8]], false);
        assert!(found.check(9, &[0, 1]).is_ok());
        let error = found
            .check(8, &[0])
            .expect_err("8 is out of the vocabulary")
            .to_string();
        assert_eq!(
            error,
            "token 8 of a label: the model's vocabulary has 8; use the model's tokenizer"
        );
        let error = found
            .check(9, &[0, 2])
            .expect_err("there are two labels")
            .to_string();
        assert_eq!(
            error,
            "gold label 2: the task does not have so many; use its prompts"
        );
    }
}
