//! The same question twice in one file, with the same gold or with another.

use std::collections::BTreeMap;

use data::overlap::normalise;
use schema::{
    Finding,
    finding::{Kind, Severity},
};

use crate::{Role, set::AuditSet};

/// Questions are equal once normalised. In a translation only those count that differ in English:
/// the others are reported for the English file.
pub(crate) fn check(set: &AuditSet<'_>) -> Vec<Finding> {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, item) in set.numbered() {
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
        let first = &set.items[group[0]];
        let is_contradiction = group.iter().any(|&item| set.items[item].gold != first.gold);
        for item in &group[1..] {
            let other = &set.items[*item];
            let what = format!("as item {}, `{}`", group[0], set.quote(other));
            let golds = format!(
                "`{}` and `{}`",
                first.gold.as_deref().unwrap_or("none"),
                other.gold.as_deref().unwrap_or("none")
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
        "the same question with another gold: at most one of them can be answered correctly",
        "remove one in every language, or translate them so that they differ",
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
        "remove the repetitions in every language: they count twice",
    );
    contradiction.into_iter().chain(repetition).collect()
}

/// Whether the English texts of a group differ.
fn is_own(set: &AuditSet<'_>, group: &[usize]) -> bool {
    let english: Vec<Vec<String>> = group
        .iter()
        .map(|&item| {
            set.items[item]
                .english
                .iter()
                .map(|part| normalise(part))
                .collect()
        })
        .collect();
    set.is_english() || english[0].is_empty() || english.iter().any(|text| *text != english[0])
}
