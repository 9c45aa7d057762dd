//! Which answers are compared with which: the same items, languages and exemplars before and
//! after, for every seed.

use std::collections::BTreeMap;

use schema::Language;

use crate::{
    answers::{AnswerSet, check_comparable},
    error::CompareError,
    measure::{CommonItems, MeasuredLanguages, NeverRight, measure},
};

/// Answers before and after that belong together.
pub(crate) struct Pairing<'a> {
    /// What the exemplars are, as in `--few-shot`.
    pub few_shots: Vec<String>,
    /// Before, by set of exemplars.
    before: Vec<&'a AnswerSet>,
    /// After, by seed and set of exemplars.
    after: Vec<Vec<&'a AnswerSet>>,
    /// Languages that all have.
    pub languages: Vec<Language>,
    /// What was left out and why, in sentences.
    pub gaps: Vec<String>,
}

/// Measured columns before (by set of exemplars) and after (by seed, then set).
pub(crate) struct MeasuredSets {
    pub before: Vec<MeasuredLanguages>,
    pub after: Vec<Vec<MeasuredLanguages>>,
}

impl<'a> Pairing<'a> {
    /// Pairs `before` with every seed of `after` by exemplars. Two single sets with other
    /// exemplars are paired too: whether that may be is for the caller to say.
    ///
    /// # Errors
    /// No exemplars, items or language in common, or other gold labels.
    pub(crate) fn new(
        before: &'a [AnswerSet],
        after: &[&'a [AnswerSet]],
    ) -> Result<Self, CompareError> {
        let find = |sets: &'a [AnswerSet], few_shot: &str| {
            sets.iter().find(|set| set.head.few_shot == few_shot)
        };
        let in_all = |set: &&&AnswerSet| {
            after
                .iter()
                .all(|sets| find(sets, &set.head.few_shot).is_some())
        };
        let every_before: Vec<&AnswerSet> = before.iter().collect();
        let mut paired: Vec<&AnswerSet> = every_before.iter().filter(in_all).copied().collect();
        let single = before.len() == 1 && after.iter().all(|sets| sets.len() == 1);
        if paired.is_empty() && single {
            paired = every_before;
        }
        let Some(first) = paired.first() else {
            let b = after
                .iter()
                .find_map(|sets| sets.first())
                .unwrap_or(&before[0]);
            let difference = "they have no set of exemplars in common".to_owned();
            return Err(CompareError::NotComparable {
                a: before[0].source.clone(),
                b: b.source.clone(),
                difference,
            });
        };
        let few_shots: Vec<String> = paired.iter().map(|set| set.head.few_shot.clone()).collect();
        let all = before
            .iter()
            .chain(after.iter().flat_map(|sets| sets.iter()));
        let mut left_out: Vec<&str> = all.map(|set| set.head.few_shot.as_str()).collect();
        left_out.retain(|few_shot| !few_shots.iter().any(|paired| paired == few_shot) && !single);
        left_out.sort_unstable();
        left_out.dedup();
        let mut gaps: Vec<String> = Vec::new();
        if !left_out.is_empty() {
            gaps.push(format!(
                "not all have answers after the exemplars `{}`; left out",
                left_out.join("`, `")
            ));
        }
        let of_seed = |sets: &&'a [AnswerSet]| -> Vec<&'a AnswerSet> {
            few_shots
                .iter()
                .filter_map(|few_shot| find(sets, few_shot).or(sets.first().filter(|_| single)))
                .collect()
        };
        let after: Vec<Vec<&AnswerSet>> = after.iter().map(of_seed).collect();
        let mut languages: Vec<Language> = first.languages.keys().copied().collect();
        for seed in &after {
            for (a, b) in paired.iter().zip(seed) {
                let common = check_comparable(a, b)?;
                languages.retain(|language| common.contains(language));
            }
        }
        if languages.is_empty() {
            let (a, b) = (first.source.clone(), after[0][0].source.clone());
            return Err(CompareError::NotComparable {
                a,
                b,
                difference: "they share no language in all".to_owned(),
            });
        }
        Ok(Self {
            few_shots,
            before: paired,
            after,
            languages,
            gaps,
        })
    }

    /// Every pair of sets that is compared.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&'a AnswerSet, &'a AnswerSet)> + '_ {
        self.after
            .iter()
            .flat_map(move |seed| self.before.iter().copied().zip(seed.iter().copied()))
    }

    /// MeasuredLanguages all on the items that they have in common: another set of exemplars may leave
    /// out other items.
    pub(crate) fn measure(&self, never_right: &NeverRight) -> MeasuredSets {
        let common: CommonItems = common_items(&self.before, &self.languages);
        let measure_all = |sets: &Vec<&AnswerSet>| {
            sets.iter()
                .map(|set| measure(set, never_right, &common))
                .collect()
        };
        MeasuredSets {
            before: measure_all(&self.before),
            after: self.after.iter().map(measure_all).collect(),
        }
    }
}

/// The items of each of `languages` that all sets have.
pub(crate) fn common_items(sets: &[&AnswerSet], languages: &[Language]) -> CommonItems {
    let items = |set: &AnswerSet, language: &Language| {
        set.languages
            .get(language)
            .into_iter()
            .flatten()
            .map(|record| record.item)
            .collect()
    };
    let mut common: CommonItems = BTreeMap::new();
    for language in languages {
        for set in sets {
            let found = items(set, language);
            common
                .entry(*language)
                .and_modify(|kept| *kept = &*kept & &found)
                .or_insert(found);
        }
    }
    common
}
