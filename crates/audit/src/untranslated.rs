//! Texts that are their English original.

use std::collections::BTreeSet;

use data::overlap::normalise;
use schema::{Finding, finding::Kind};

use crate::{
    Role,
    set::Set,
    text::{shorten, words},
};

/// Words in small letters that a text must have before its being equal says anything: names and numbers stay as they are.
const COMMON_WORDS: usize = 2;
/// Words that a text must have for a nearly equal one to count.
const NEAR_WORDS: usize = 6;
/// Share of the English words that a nearly equal text still has.
const NEAR: f64 = 0.85;

/// Copies of the English text.
pub(crate) struct Copies {
    pub(crate) items: BTreeSet<usize>,
    pub(crate) finding: Option<Finding>,
}

pub(crate) fn check(set: &Set<'_>) -> Copies {
    let mut seen = Vec::new();
    if !set.is_english() && set.source.role != Role::Labelled {
        for (index, item) in set.items.iter().enumerate() {
            let copied = item.translations().find(|(_, here, english)| is_copy(here, english));
            seen.extend(
                copied.map(|(part, here, _)| (index, format!("`{}`: `{}`", set.part_name(part), shorten(here, 60)))),
            );
        }
    }
    let severity = set.severity_of_share(seen.len());
    let finding = set.finding_of(
        Kind::Untranslated,
        severity,
        &seen,
        "the text is the English one",
        "translate these items again; an engine returns its input where it fails",
    );
    Copies { items: seen.into_iter().map(|(item, _)| item).collect(), finding }
}

fn is_copy(here: &str, english: &str) -> bool {
    let common = |text: &str| words(text).filter(|word| word.starts_with(char::is_lowercase) && word.len() > 1).count();
    if common(english) < COMMON_WORDS || words(english).count() <= COMMON_WORDS {
        return false;
    }
    let (here, english) = (normalise(here), normalise(english));
    if here == english {
        return true;
    }
    let all: BTreeSet<&str> = english.split(' ').collect();
    let kept: BTreeSet<&str> = here.split(' ').collect();
    all.len() >= NEAR_WORDS
        && all.intersection(&kept).count() as f64 >= NEAR * all.len() as f64
        && kept.len() <= 2 * all.len()
}
