//! Texts that are their English original.

use std::collections::BTreeSet;

use data::overlap::normalise;
use schema::{Finding, finding::Kind};

use crate::{
    Role,
    set::AuditSet,
    text::{shorten, words},
};

/// Words in small letters that a text must have before its being equal says anything: names and
/// numbers stay as they are.
const COMMON_WORDS: usize = 2;
/// Words, and words in small letters, that a text must have for a nearly equal one to count.
const NEAR_WORDS: usize = 4;
/// Share of them that a nearly equal text still has.
const NEAR: f64 = 0.8;

/// Copies of the English text.
pub(crate) struct Copies {
    pub(crate) items: BTreeSet<usize>,
    pub(crate) finding: Option<Finding>,
}

pub(crate) fn check(set: &AuditSet<'_>) -> Copies {
    let mut seen = Vec::new();
    if !set.is_english() && set.source.role != Role::Labelled {
        for (index, item) in set.numbered() {
            let copied = item
                .translations()
                .find(|(_, here, english)| is_copy(here, english));
            seen.extend(copied.map(|(part, here, _)| {
                (
                    index,
                    format!("`{}`: `{}`", set.part_name(part), shorten(here, 60)),
                )
            }));
        }
    }
    let severity = set.severity_of_share(&seen);
    let finding = set.finding_of(
        Kind::Untranslated,
        severity,
        &seen,
        "the text is the English one",
        "translate these items again; an engine returns its input where it fails",
    );
    Copies {
        items: seen.into_iter().map(|(item, _)| item).collect(),
        finding,
    }
}

fn is_copy(here: &str, original: &str) -> bool {
    let common: Vec<&str> = words(original)
        .filter(|word| word.starts_with(char::is_lowercase) && word.len() > 1)
        .collect();
    if common.len() < COMMON_WORDS || words(original).count() <= COMMON_WORDS {
        return false;
    }
    let (here, english) = (normalise(here), normalise(original));
    if here == english {
        return true;
    }
    let all: BTreeSet<&str> = english.split(' ').collect();
    let kept: BTreeSet<&str> = here.split(' ').collect();
    let common: BTreeSet<String> = common.into_iter().map(normalise).collect();
    let common_kept = common.iter().filter(|word| kept.contains(word.as_str()));
    is_nearly_all(all.intersection(&kept).count(), all.len())
        && is_nearly_all(common_kept.count(), common.len())
        && kept.len() <= 2 * all.len()
}

fn is_nearly_all(words: usize, of: usize) -> bool {
    of >= NEAR_WORDS && words as f64 >= NEAR * of as f64
}
