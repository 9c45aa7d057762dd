//! How often each label is right.

use schema::{
    Finding,
    finding::{Kind, Severity},
};

use crate::{Role, set::AuditSet};

/// Standard deviations of a fair draw beyond which a share is said.
const DEVIATIONS: f64 = 4.0;

/// A label that no item has is a warning. Shares that a fair draw would not give are a note, in
/// the English file or where they are not those of the English file. Where the layout puts every
/// right choice in one place, no place is preferred by a model either.
pub(crate) fn check(set: &AuditSet<'_>) -> Option<Finding> {
    let labels = &set.source.task.labels;
    let mut counts = vec![0_usize; labels.len()];
    for label in set.items.iter().filter_map(|item| item.label) {
        counts[label.0] += 1;
    }
    let all: usize = counts.iter().sum();
    let golds = set.items.iter().filter(|item| item.gold.is_some()).count();
    // Words that are no label are a finding of their own.
    if set.source.role == Role::Pairs || set.has_fixed_gold || all == 0 || all < golds {
        return None;
    }
    let mut english = vec![0_usize; labels.len()];
    for label in set.items.iter().filter_map(|item| item.english_label) {
        english[label.0] += 1;
    }
    if !set.is_english() && counts == english {
        return None;
    }
    let share = 1.0 / labels.len() as f64;
    let deviation = (all as f64 * share * (1.0 - share)).sqrt();
    let is_far = counts
        .iter()
        .any(|&count| (count as f64 - all as f64 * share).abs() > DEVIATIONS * deviation);
    let is_absent = counts.contains(&0) && all >= labels.len() * 5;
    if !is_far && !is_absent {
        return None;
    }
    let shares: Vec<String> = labels
        .iter()
        .zip(&counts)
        .map(|(label, count)| format!("{label} {count}"))
        .collect();
    let evidence = format!(
        "golds of {all} items: {}; always giving the most frequent one is right on {:.1} %",
        shares.join(", "),
        { 100.0 * counts.iter().max().copied().unwrap_or(0) as f64 / all as f64 }
    );
    let severity = if is_absent {
        Severity::Warning
    } else {
        Severity::Note
    };
    let suggestion = "compare accuracy with the most frequent label, not with guessing; draw a balanced set if you can";
    Some(set.finding(
        Kind::ClassBalance,
        severity,
        Vec::new(),
        evidence,
        suggestion,
    ))
}
