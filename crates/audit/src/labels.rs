//! Gold words outside the task's vocabulary. The meaning of an unknown word is inferred from the
//! English golds of its items.

use std::collections::BTreeMap;

use schema::{
    Finding, Label,
    finding::{Kind, Severity},
};

use crate::{Role, relabelling, set::AuditSet, text::quote_words};

/// An unknown word means the label that this share of its English golds have.
const CERTAIN: f64 = 0.8;

pub(crate) fn check(set: &AuditSet<'_>) -> Vec<Finding> {
    if set.source.role == Role::Pairs {
        return Vec::new();
    }
    let unknown = unknown_words(set);
    let meanings: BTreeMap<&str, Label> = unknown
        .iter()
        .filter_map(|(word, seen)| Some((*word, seen.meaning(set)?.0)))
        .collect();
    let mut findings: Vec<Finding> = unknown
        .iter()
        .map(|(word, seen)| seen.describe(set, word))
        .collect();
    findings.extend(relabelling::check(set, &meanings));
    findings
}

/// The items of an unknown gold word.
#[derive(Default)]
struct UnknownGold {
    items: Vec<usize>,
    /// How often each label is the English gold there.
    english: Vec<usize>,
}

fn unknown_words<'a>(set: &'a AuditSet<'_>) -> BTreeMap<&'a str, UnknownGold> {
    let mut unknown: BTreeMap<&str, UnknownGold> = BTreeMap::new();
    for (index, item) in set.numbered() {
        let Some(word) = item.gold.as_deref().filter(|_| item.label.is_none()) else {
            continue;
        };
        let seen = unknown.entry(word).or_default();
        seen.items.push(index);
        seen.english.resize(set.source.task.labels.len(), 0);
        if let Some(label) = item.english_label {
            seen.english[label.0] += 1;
        }
    }
    unknown
}

impl UnknownGold {
    /// The label that nearly all English golds have, on how many of how many.
    fn meaning(&self, set: &AuditSet<'_>) -> Option<(Label, usize, usize)> {
        let all: usize = self.english.iter().sum();
        let (label, &count) = self
            .english
            .iter()
            .enumerate()
            .max_by_key(|(_, count)| **count)?;
        let is_certain =
            all > 0 && count as f64 >= CERTAIN * all as f64 && label < set.answers.len();
        is_certain.then_some((Label(label), count, all))
    }

    fn describe(&self, set: &AuditSet<'_>, word: &str) -> Finding {
        let (count, all) = (self.items.len(), set.items.len());
        let known = &set.answers;
        let mut evidence = format!(
            "`{word}` on {count} of {all} items is none of the {}, {}",
            match set.is_form() {
                true => "answers that the task's file gives",
                false => "words that the scorer knows",
            },
            quote_words(known)
        );
        let near = known.iter().find(|known| fold(known) == fold(word));
        let meaning = self.meaning(set).map(|(label, times, of)| {
            let name = set.source.task.label_name(label);
            evidence += &format!(
                "; the {} gold is {name} on {times} of {of} of them, whose word is `{}`",
                set.reference_name(),
                known[label.0],
            );
            known[label.0].clone()
        });
        let meaning = meaning.or_else(|| {
            let near = near?.clone();
            evidence +=
                &format!("; it differs from `{near}` only in case, spaces or invisible characters");
            Some(near)
        });
        let harm = match set.is_form() {
            true => "the evaluation refuses the file as it is",
            false => "as they are, these items can never be answered correctly",
        };
        let suggestion = match &meaning {
            Some(word) => format!("write `{word}`; {harm}"),
            None => format!("write one of {}; {harm}", quote_words(known)),
        };
        // No stage reads the labels of training questions.
        let severity = if set.source.role == Role::Test {
            Severity::Error
        } else {
            Severity::Warning
        };
        set.finding(
            Kind::LabelWords,
            severity,
            self.items.clone(),
            evidence,
            &suggestion,
        )
    }
}

/// Without case, spaces and characters that cannot be seen.
fn fold(word: &str) -> String {
    data::overlap::normalise(word).replace(' ', "")
}
