//! The conditions that question translation is compared with: wrong targets, targets in the
//! source's language, targets with an answer. What is drawn is the same in all of them.

use std::{collections::BTreeMap, path::Path};

use rand::seq::SliceRandom;
use schema::{Label, Language, Task};

use super::{
    TranslationPair,
    questions::Candidates,
    removal::{Reason, Removed},
};
use crate::{DataError, batch, overlap, prompt, tasks, testset};

/// Stream of the seed that shuffles targets: one per source and target language above it.
const SHUFFLE_STREAM: u64 = 4 << 40;

/// The right labels of a task's training questions.
pub(super) struct ControlAnswers(Vec<Option<Label>>);

impl ControlAnswers {
    /// Reads `<task>_en<count>_train.json` and holds its questions against those of
    /// `candidates`.
    ///
    /// # Errors
    /// No file or several; a broken file; other questions than the candidates' or another
    /// number of them.
    pub(super) fn read(
        dir: &Path,
        task: &Task,
        candidates: &Candidates,
    ) -> Result<Self, DataError> {
        let path = testset::find_one(dir, task, Language::En, super::ANSWERS_ENDING)?;
        let labelled = testset::read_labels(&path, task, Language::En)?;
        for candidate in &candidates.all {
            let fields = labelled.get(candidate.item).map(|item| &item.fields);
            let english = fields
                .map(|fields| prompt::question(task, Language::En, fields))
                .transpose()?;
            if english.as_ref() != Some(&candidate.english) {
                let problem = format!(
                    "its English question is not that of item {} of {}, so it has no answer to keep; the two files must \
                     hold the same questions in the same order",
                    candidate.item,
                    path.display()
                );
                let (path, item, line) = (candidates.path.clone(), candidate.item, candidate.line);
                return Err(DataError::item(&path, item, line, problem));
            }
        }
        Ok(Self(labelled.into_iter().map(|item| item.label).collect()))
    }

    /// The items without a label.
    pub(super) fn find_missing(&self) -> Vec<Removed> {
        let missing = self
            .0
            .iter()
            .enumerate()
            .filter(|(_, label)| label.is_none());
        missing
            .map(|(item, _)| Removed {
                item,
                reason: Reason::NoAnswer,
                found: None,
            })
            .collect()
    }

    /// The question in `language` with its answer, as an exemplar shows it.
    ///
    /// # Errors
    /// The item has no label; the question does not end in the words that ask for the answer.
    pub(super) fn append(
        &self,
        task: &Task,
        language: Language,
        question: &str,
        item: usize,
    ) -> Result<String, String> {
        let row = tasks::row(task, language).map_err(|error| error.to_string())?;
        let label = self
            .0
            .get(item)
            .copied()
            .flatten()
            .ok_or("it has no answer to keep")?;
        let closing = row.headers.last().map_or("", |header| header.trim_start());
        match question.ends_with(closing) {
            true => Ok(format!("{question}{}\"", row.label_words[label.0])),
            false => Err(format!(
                "the question does not end in `{closing}`, so no answer can follow; add it"
            )),
        }
    }
}

/// Exchanges the targets of pairs from one language into one other, so that none keeps a target
/// that says the same as its own.
///
/// # Errors
/// More than half of the targets are the same.
pub(super) fn shuffle_targets(
    pairs: &mut [TranslationPair],
    seed: u64,
    stream: u64,
) -> Result<(), String> {
    let mut groups: BTreeMap<String, usize> = BTreeMap::new();
    let forms: Vec<String> = pairs
        .iter()
        .map(|pair| overlap::normalise(&pair.target))
        .collect();
    for form in &forms {
        *groups.entry(form.clone()).or_default() += 1;
    }
    let largest = groups.values().copied().max().unwrap_or(0);
    if largest * 2 > pairs.len() {
        return Err(format!(
            "{largest} of {} targets are the same, so they cannot be exchanged for others; draw more pairs",
            pairs.len()
        ));
    }
    let mut order: Vec<usize> = (0..pairs.len()).collect();
    order.shuffle(&mut batch::generator(seed, SHUFFLE_STREAM + stream));
    // Equal targets are neighbours, so that a step over the largest group always leads to
    // another target.
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    for (place, &pair) in order.iter().enumerate() {
        first.entry(&forms[pair]).or_insert(place);
    }
    order.sort_by_key(|&pair| first[forms[pair].as_str()]);
    let targets: Vec<String> = order
        .iter()
        .map(|&pair| pairs[pair].target.clone())
        .collect();
    for (place, &pair) in order.iter().enumerate() {
        pairs[pair]
            .target
            .clone_from(&targets[(place + largest) % targets.len()]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(targets: &[u8]) -> Vec<TranslationPair> {
        let pair = |(item, target): (usize, &u8)| TranslationPair {
            source: format!("source {item}"),
            target: format!("Target {target}."),
            language: Language::De,
            into: None,
            item,
        };
        targets.iter().enumerate().map(pair).collect()
    }

    proptest! {
        #[test]
        fn every_target_is_another_one_and_none_is_lost(targets in prop::collection::vec(0u8..12, 0..40), seed in 0u64..99) {
            let before = pairs(&targets);
            let mut after = before.clone();
            let most = targets.iter().map(|t| targets.iter().filter(|other| *other == t).count()).max().unwrap_or(0);
            match shuffle_targets(&mut after, seed, 0) {
                Err(problem) => prop_assert!(most * 2 > targets.len(), "{}", problem),
                Ok(()) => {
                    prop_assert!(before.iter().zip(&after).all(|(b, a)| b.target != a.target && b.source == a.source));
                    let sorted = |pairs: &[TranslationPair]| {
                        let mut targets: Vec<_> = pairs.iter().map(|pair| pair.target.clone()).collect();
                        targets.sort();
                        targets
                    };
                    prop_assert_eq!(sorted(&before), sorted(&after));
                }
            }
        }
    }

    #[test]
    fn seeds_and_streams_shuffle_differently() {
        let shuffled = |seed, stream| {
            let mut pairs = pairs(&(0..50).collect::<Vec<u8>>());
            shuffle_targets(&mut pairs, seed, stream).expect("shuffles");
            pairs
        };
        assert_eq!(shuffled(1, 2), shuffled(1, 2));
        assert_ne!(shuffled(1, 2), shuffled(2, 2));
        assert_ne!(shuffled(1, 2), shuffled(1, 3));
        let error = shuffle_targets(&mut pairs(&[1, 1, 2]), 1, 0).expect_err("two of three");
        assert_eq!(
            error,
            "2 of 3 targets are the same, so they cannot be exchanged for others; draw more pairs"
        );
    }
}
