//! Choices of multiple-choice questions that are the same text: no answer to such a question is
//! right alone. Never here: golds that are no choice (`labels`), choices that are missing (`read`).

use schema::{
    Finding,
    finding::{Kind, Severity},
};

use crate::{
    set::{AuditItem, AuditSet},
    text::shorten,
};

pub(crate) fn check(set: &AuditSet<'_>) -> Option<Finding> {
    let places = places(set);
    let mut seen: Vec<(usize, String)> = Vec::new();
    for (index, item) in set.numbered() {
        let Some((one, other)) = find_equal(item, &places) else {
            continue;
        };
        let [first, second] = [one, other].map(|at| set.part_name(places[at]));
        let text = shorten(&item.parts[places[one]], 50);
        let is_gold = item
            .label
            .is_some_and(|gold| [one, other].contains(&gold.0));
        let gold = match is_gold {
            true => ", one of them the gold",
            false => "",
        };
        let english = match find_equal_english(item, &places) {
            Some(false) => "; they differ in English",
            _ => "",
        };
        seen.push((
            index,
            format!("`{first}` and `{second}` are both `{text}`{gold}{english}"),
        ));
    }
    let severity = match set.source.is_reference {
        true => Severity::Warning,
        false => set.severity_of_share(&seen),
    };
    set.finding_of(
        Kind::Choices,
        severity,
        &seen,
        "two choices of one question are the same",
        "translate them so that they differ, or remove the items in every language",
    )
}

/// The parts that are choices, in the order of the labels.
fn places(set: &AuditSet<'_>) -> Vec<usize> {
    let task = set.source.task;
    let texts = task.text_choices();
    let Some(choices) = &task.choices else {
        return Vec::new();
    };
    if !texts.is_empty() {
        return (task.fields.len()..task.fields.len() + texts.len()).collect();
    }
    let place = |choice| task.fields.iter().position(|field| field == choice);
    choices.fields.iter().filter_map(place).collect()
}

/// The first two choices with the same words; punctuation counts, since `-1` is not `1`.
fn find_equal(item: &AuditItem, places: &[usize]) -> Option<(usize, usize)> {
    find_pair(&item.parts, places)
}

/// Whether two choices are the same in English too; `None` where that is not known.
fn find_equal_english(item: &AuditItem, places: &[usize]) -> Option<bool> {
    (!item.english.is_empty()).then(|| find_pair(&item.english, places).is_some())
}

fn find_pair(parts: &[String], places: &[usize]) -> Option<(usize, usize)> {
    let texts: Vec<Vec<&str>> = places
        .iter()
        .map(|&place| {
            parts
                .get(place)
                .map_or_else(Vec::new, |text| text.split_whitespace().collect())
        })
        .collect();
    for (one, text) in texts
        .iter()
        .enumerate()
        .filter(|(_, text)| !text.is_empty())
    {
        let rest = texts[one + 1..].iter();
        if let Some(at) = rest.clone().position(|other| other == text) {
            return Some((one, one + 1 + at));
        }
    }
    None
}
