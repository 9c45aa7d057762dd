//! The answers that are compared with each other: the same items, languages and exemplars before
//! and after, for every seed.

use std::collections::BTreeSet;

use schema::Language;

use crate::{
    answers::{AnswerSet, check_comparable},
    error::CompareError,
    measure::{CommonItems, MeasuredLanguages, NeverRight, measure},
};

/// Answers before and after that belong together.
pub(crate) struct Pairing<'a> {
    /// The exemplars, as in `--few-shot`.
    pub few_shots: Vec<String>,
    /// Before, by set of exemplars.
    before: Vec<&'a AnswerSet>,
    /// After, by seed and set of exemplars.
    after: Vec<Vec<&'a AnswerSet>>,
    /// Languages that all have.
    pub languages: Vec<Language>,
    /// The sets that were left out, and why, in sentences.
    pub gaps: Vec<String>,
}

/// Measured answers before (by set of exemplars) and after (by seed, then set).
pub(crate) struct MeasuredSets {
    pub before: Vec<MeasuredLanguages>,
    pub after: Vec<Vec<MeasuredLanguages>>,
}

impl<'a> Pairing<'a> {
    /// Pairs `before` with every seed of `after` by exemplars. Two single sets with different
    /// exemplars are paired too: whether that is allowed is for the caller to decide.
    ///
    /// # Errors
    /// No exemplars, items or language in common, or other gold labels.
    pub(crate) fn new(
        before: &'a [AnswerSet],
        after: &[&'a [AnswerSet]],
    ) -> Result<Self, CompareError> {
        let single = before.len() == 1 && after.iter().all(|sets| sets.len() == 1);
        let mut paired: Vec<&AnswerSet> = before
            .iter()
            .filter(|set| {
                after
                    .iter()
                    .all(|sets| find_exemplars(sets, &set.head.few_shot).is_some())
            })
            .collect();
        if paired.is_empty() && single {
            paired = before.iter().collect();
        }
        if paired.is_empty() {
            let first_after = after.iter().find_map(|sets| sets.first());
            return Err(before[0].not_comparable(
                first_after.unwrap_or(&before[0]),
                "they have no set of exemplars in common",
            ));
        }
        let few_shots: Vec<String> = paired.iter().map(|set| set.head.few_shot.clone()).collect();
        let gap = if single {
            None
        } else {
            describe_left_out(before, after, &few_shots)
        };
        let after: Vec<Vec<&AnswerSet>> = after
            .iter()
            .map(|sets| {
                few_shots
                    .iter()
                    .filter_map(|few_shot| {
                        find_exemplars(sets, few_shot).or(sets.first().filter(|_| single))
                    })
                    .collect()
            })
            .collect();
        let languages = common_languages(&paired, &after)?;
        Ok(Self {
            few_shots,
            before: paired,
            after,
            languages,
            gaps: gap.into_iter().collect(),
        })
    }

    /// Every pair of sets that is compared.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&'a AnswerSet, &'a AnswerSet)> + '_ {
        self.after
            .iter()
            .flat_map(move |seed| self.before.iter().copied().zip(seed.iter().copied()))
    }

    /// Measures all on the items that they have in common: another set of exemplars may leave
    /// out other items.
    pub(crate) fn measure(&self, never_right: &NeverRight) -> MeasuredSets {
        let common: CommonItems = common_items(&self.before, &self.languages);
        MeasuredSets {
            before: measure_all(&self.before, never_right, &common),
            after: self
                .after
                .iter()
                .map(|sets| measure_all(sets, never_right, &common))
                .collect(),
        }
    }
}

fn measure_all(
    sets: &[&AnswerSet],
    never_right: &NeverRight,
    common: &CommonItems,
) -> Vec<MeasuredLanguages> {
    sets.iter()
        .map(|set| measure(set, never_right, common))
        .collect()
}

/// The set of answers after the exemplars `few_shot`.
fn find_exemplars<'a>(sets: &'a [AnswerSet], few_shot: &str) -> Option<&'a AnswerSet> {
    sets.iter().find(|set| set.head.few_shot == few_shot)
}

/// The exemplars that not all have answers after, in words; `None` if there are none.
fn describe_left_out(
    before: &[AnswerSet],
    after: &[&[AnswerSet]],
    paired: &[String],
) -> Option<String> {
    let all = before
        .iter()
        .chain(after.iter().flat_map(|sets| sets.iter()));
    let left_out: BTreeSet<&str> = all
        .filter(|set| !paired.contains(&set.head.few_shot))
        .map(|set| set.head.few_shot.as_str())
        .collect();
    if left_out.is_empty() {
        return None;
    }
    let names: Vec<&str> = left_out.into_iter().collect();
    Some(format!(
        "not all have answers after the exemplars `{}`; left out",
        names.join("`, `")
    ))
}

/// The languages that all sets have. `before` is not empty.
///
/// # Errors
/// Two sets that cannot be compared, or no language in all.
fn common_languages(
    before: &[&AnswerSet],
    after: &[Vec<&AnswerSet>],
) -> Result<Vec<Language>, CompareError> {
    let mut languages: Vec<Language> = before[0].languages.keys().copied().collect();
    for seed in after {
        for (a, b) in before.iter().zip(seed) {
            let common = check_comparable(a, b)?;
            languages.retain(|language| common.contains(language));
        }
    }
    if languages.is_empty() {
        return Err(before[0].not_comparable(after[0][0], "they share no language in all"));
    }
    Ok(languages)
}

/// The items of each of `languages` that all sets have, rising.
pub(crate) fn common_items(sets: &[&AnswerSet], languages: &[Language]) -> CommonItems {
    let mut common = CommonItems::new();
    for language in languages {
        let mut all = sets.iter().map(|set| {
            let columns = set.languages.get(language);
            columns.map_or(&[][..], |columns| &columns.items)
        });
        let mut items = all.next().unwrap_or_default().to_vec();
        for other in all {
            if other != items {
                items.retain(|item| other.binary_search(item).is_ok());
            }
        }
        common.insert(*language, items);
    }
    common
}
