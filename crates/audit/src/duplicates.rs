//! The same question twice in one file, with the same gold or with another.

use std::collections::BTreeMap;

use data::overlap::normalise;
use schema::{
    Finding,
    finding::{Kind, Severity},
};

use crate::{Role, set::AuditSet};

/// Questions are equal once normalised. In a translation only those count that the English file
/// tells apart: the others are said of the English file.
pub(crate) fn check(set: &AuditSet<'_>) -> Vec<Finding> {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, item) in set.items.iter().enumerate() {
        let form = item
            .parts
            .iter()
            .map(|part| normalise(part))
            .collect::<Vec<_>>()
            .join("\n");
        if !form.trim().is_empty() {
            groups.entry(form).or_default().push(index);
        }
    }
    let (mut equal, mut contradicting) = (Vec::new(), Vec::new());
    for group in groups
        .values()
        .filter(|group| group.len() > 1 && is_own(set, group))
    {
        let first = group[0];
        let golds = |item: &usize| set.items[*item].gold.as_deref();
        let is_contradiction = group.iter().any(|item| golds(item) != golds(&first));
        for item in &group[1..] {
            let what = format!("as item {first}, `{}`", set.quote(&set.items[*item]));
            let golds = format!(
                "`{}` and `{}`",
                golds(&first).unwrap_or("none"),
                golds(item).unwrap_or("none")
            );
            match is_contradiction {
                true => contradicting.push((*item, format!("{what}, golds {golds}"))),
                false => equal.push((*item, what)),
            }
        }
    }
    let is_test = set.source.role == Role::Test;
    let contradiction = set.finding_of(
        Kind::Duplicates,
        if is_test {
            Severity::Warning
        } else {
            Severity::Note
        },
        &contradicting,
        "the same question with another gold: one of them cannot be answered right",
        "take one out in every language, or translate them so that they differ",
    );
    let repetition = set.finding_of(
        Kind::Duplicates,
        if is_test && set.is_english() {
            Severity::Warning
        } else {
            Severity::Note
        },
        &equal,
        "the same question again",
        "take the repetitions out in every language: they count twice",
    );
    contradiction.into_iter().chain(repetition).collect()
}

/// Whether the English texts of a group differ.
fn is_own(set: &AuditSet<'_>, group: &[usize]) -> bool {
    let english = |item: &usize| {
        set.items[*item]
            .english
            .iter()
            .map(|part| normalise(part))
            .collect::<Vec<_>>()
    };
    let first = english(&group[0]);
    set.is_english() || first.is_empty() || group.iter().any(|item| english(item) != first)
}
