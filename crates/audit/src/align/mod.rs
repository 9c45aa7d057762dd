//! Which English item an item is the translation of.
//!
//! Test files list their items in the English order. Where items are missing or extra, the
//! alignment of lowest cost (Needleman and Wunsch 1970, with lengths as in Gale and Church 1993)
//! shows which. Never here: the costs (`lowest_cost`).

mod lowest_cost;

use std::collections::{BTreeMap, BTreeSet};

use schema::{
    Finding,
    finding::{Kind, Severity},
};

use lowest_cost::{ItemComparison, Traits};

use crate::{
    Role,
    language::Detector,
    robust::median,
    set::{AuditItem, AuditSet},
    text::{shorten, show_items},
};

/// With equal counts the diagonal is left only for a gain that single odd items do not give.
const GAIN: f64 = 15.0;
/// Share of golds that must agree before a disagreement counts against a pair.
const AGREEING: f64 = 0.8;

/// Puts the English parts and golds beside the items of every test file; missing and extra
/// items become findings.
pub(crate) fn attach_english(
    sets: &mut [AuditSet<'_>],
    detector: &Detector,
    findings: &mut Vec<Finding>,
) {
    let mut foreign: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for set in sets.iter().filter(|set| is_test(set) && set.is_english()) {
        foreign.insert(&set.source.task.name, detector.list_foreign(set));
    }
    for at in 0..sets.len() {
        if !is_test(&sets[at]) || sets[at].is_english() || sets[at].items.is_empty() {
            continue;
        }
        let task = &sets[at].source.task.name;
        let english: Vec<&AuditSet<'_>> = sets
            .iter()
            .filter(|set| is_test(set) && set.is_english() && set.source.task.name == *task)
            .collect();
        let [english] = english.as_slice() else {
            continue;
        };
        let alignment = align(&sets[at], english);
        findings.extend(describe_gaps(&sets[at], english, &alignment));
        let foreign = foreign.get(task.as_str());
        sets[at].items = sets[at]
            .items
            .iter()
            .zip(&alignment.counterparts)
            .map(|(item, counterpart)| match *counterpart {
                Some(index) => {
                    let is_foreign = foreign.is_some_and(|items| items.contains(&index));
                    with_english(item, index, &english.items[index], is_foreign)
                }
                None => item.clone(),
            })
            .collect();
    }
}

fn is_test(set: &AuditSet<'_>) -> bool {
    set.source.role == Role::Test
}

/// The item with the English one at `index` beside it; with its gold alone where that is in another
/// language.
fn with_english(item: &AuditItem, index: usize, other: &AuditItem, is_foreign: bool) -> AuditItem {
    AuditItem {
        english: if is_foreign {
            Vec::new()
        } else {
            other.parts.clone()
        },
        english_gold: other.gold.clone().map(|gold| (index, gold)),
        is_foreign,
        ..item.clone()
    }
}

/// The English index of every item, and the items that may as well be those without a
/// counterpart.
struct Alignment {
    counterparts: Vec<Option<usize>>,
    /// Of the English file.
    missing: Vec<usize>,
    /// Of this file.
    extra: Vec<usize>,
}

fn align(set: &AuditSet<'_>, english: &AuditSet<'_>) -> Alignment {
    let (here, there) = (Traits::of_items(set), Traits::of_items(english));
    let ratios: Vec<f64> = here
        .iter()
        .zip(&there)
        .filter(|(a, b)| a.length > 0.0 && b.length > 0.0)
        .map(|(a, b)| (a.length / b.length).ln())
        .collect();
    let typical = median(&ratios).unwrap_or(0.0);
    let mut comparison = ItemComparison {
        here: &here,
        there: &there,
        typical,
        with_labels: false,
    };
    let mut best = comparison.align();
    let labels: Vec<(usize, usize)> = best
        .iter()
        .copied()
        .enumerate()
        .filter_map(|(i, j)| here[i].label.zip(there[j?].label))
        .collect();
    let agreeing = labels.iter().filter(|(a, b)| a == b).count();
    if agreeing as f64 >= AGREEING * labels.len() as f64 {
        comparison.with_labels = true;
        best = comparison.align();
    }
    if here.len() == there.len() {
        let diagonal: Vec<Option<usize>> = (0..here.len()).map(Some).collect();
        if comparison.cost(&diagonal) < comparison.cost(&best) + GAIN {
            return Alignment {
                counterparts: diagonal,
                missing: Vec::new(),
                extra: Vec::new(),
            };
        }
    }
    let (missing, extra) = comparison.list_gaps(&best);
    Alignment {
        counterparts: best,
        missing,
        extra,
    }
}

fn describe_gaps(
    set: &AuditSet<'_>,
    english: &AuditSet<'_>,
    alignment: &Alignment,
) -> Vec<Finding> {
    let matched = alignment.counterparts.iter().flatten().count();
    let missing = Gap {
        of: english,
        items: &alignment.missing,
        count: english.items.len() - matched,
        what: "English items have no counterpart here",
        suggestion: "translate them, or remove them in every language: languages are compared item \
                     by item",
    };
    let extra = Gap {
        of: set,
        items: &alignment.extra,
        count: set.items.len() - matched,
        what: "items here have no English counterpart",
        suggestion: "remove them, or add them in every language",
    };
    // An item at another position than in English makes statistics that pair items by position
    // wrong.
    let is_shifted = alignment
        .counterparts
        .iter()
        .enumerate()
        .any(|(i, j)| j.is_some_and(|j| j != i));
    let severity = if is_shifted {
        Severity::Error
    } else {
        Severity::Warning
    };
    [missing, extra]
        .iter()
        .filter_map(|gap| gap.describe(set, english, severity))
        .collect()
}

/// Items of one of two files without a counterpart in the other.
struct Gap<'a> {
    of: &'a AuditSet<'a>,
    /// Those that it may be.
    items: &'a [usize],
    /// How many there are.
    count: usize,
    what: &'static str,
    suggestion: &'static str,
}

impl Gap<'_> {
    fn describe(
        &self,
        set: &AuditSet<'_>,
        english: &AuditSet<'_>,
        severity: Severity,
    ) -> Option<Finding> {
        if self.items.is_empty() {
            return None;
        }
        let seen: Vec<(usize, String)> = self
            .items
            .iter()
            .map(|&item| (item, format!("`{}`", self.of.quote(&self.of.items[item]))))
            .collect();
        let which = if self.items.len() > self.count {
            format!("{}, {} of these", self.what, self.count)
        } else {
            self.what.to_owned()
        };
        let evidence = format!(
            "{} items here, {} in {}; by alignment {which}: {}",
            set.items.len(),
            english.items.len(),
            english.source.name,
            shorten(&show_items(&seen), 260)
        );
        let finding = set.finding(
            Kind::ItemCount,
            severity,
            self.items.to_vec(),
            evidence,
            self.suggestion,
        );
        Some(Finding {
            count: self.count,
            ..finding
        })
    }
}
