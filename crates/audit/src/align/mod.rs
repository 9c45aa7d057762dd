//! Which English item an item is the translation of.
//!
//! Test files list their items in the English order. Where items are missing or extra, the
//! alignment of lowest cost (Needleman and Wunsch 1970, with lengths as in Gale and Church 1993)
//! shows which. Never here: the costs (`lowest_cost`).

mod lowest_cost;
mod reference;

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::Arc,
};

use schema::{
    Finding,
    finding::{Kind, Severity},
};

use lowest_cost::{ItemComparison, Traits};
use reference::Reference;

use crate::{
    Role,
    language::Detector,
    robust::median,
    set::{AuditItem, AuditSet},
    text::{shorten, show_items},
};

/// With equal counts the diagonal is left only for a gain that single odd items do not give.
const GAIN: f64 = 15.0;
/// Items from which a comparison of pairs with others says something, the share of all that must
/// have a counterpart, others that each is compared with, and standard deviations that make it
/// sure.
const FEWEST: usize = 10;
const NEARLY_ALL: f64 = 0.9;
const OTHERS: usize = 50;
const SURE: f64 = 2.5;
/// Share of golds that must agree before a disagreement counts against a pair.
const AGREEING: f64 = 0.8;

/// Puts the English parts and golds beside the items of every test file; missing and extra
/// items become findings, and so does what could not be compared.
///
/// A task without an English file has its golds compared with those of the language that agrees
/// most with the others.
pub(crate) fn attach_english(
    sets: &mut [AuditSet<'_>],
    detector: &Detector,
    findings: &mut Vec<Finding>,
) {
    let mut foreign: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    let mut references: BTreeMap<&str, Reference> = BTreeMap::new();
    for set in sets.iter().filter(|set| is_compared(set)) {
        let task = set.source.task.name.as_str();
        if let Entry::Vacant(place) = references.entry(task) {
            let reference = Reference::of(task, sets);
            if let Reference::English(at) = reference {
                foreign.insert(at, detector.list_foreign(&sets[at]));
            }
            place.insert(reference);
        }
    }
    for at in 0..sets.len() {
        let set = &sets[at];
        if !is_compared(set) || set.is_english() || set.items.is_empty() || set.pulse.is_stopped() {
            continue;
        }
        let reference = &references[set.source.task.name.as_str()];
        findings.extend(reference.describe(at, sets));
        let (Reference::English(other) | Reference::Other(other)) = *reference else {
            continue;
        };
        if other == at {
            continue;
        }
        let alignment = align(set, &sets[other]);
        sets[at].reference =
            matches!(reference, Reference::Other(_)).then(|| sets[other].language());
        sets[at].is_parallel = alignment.is_parallel;
        findings.extend(describe_gaps(&sets[at], &sets[other], &alignment));
        let foreign = foreign.get(&other);
        let beside = |(item, counterpart): (&AuditItem, &Option<usize>)| match *counterpart {
            Some(index) => {
                let is_foreign = foreign.is_some_and(|items| items.contains(&index));
                with_english(item, &sets[other], index, is_foreign)
            }
            None => item.clone(),
        };
        let items = sets[at].items.iter().zip(&alignment.counterparts);
        sets[at].items = items.map(beside).collect();
    }
}

/// A test file whose items other languages have too.
fn is_compared(set: &AuditSet<'_>) -> bool {
    set.source.role == Role::Test && set.source.task.parallel
}

/// The item with the English one at `index` beside it; with its gold alone where that is in another
/// language.
fn with_english(
    item: &AuditItem,
    reference: &AuditSet<'_>,
    index: usize,
    is_foreign: bool,
) -> AuditItem {
    let other = &reference.items[index];
    let is_compared = reference.is_english() && !is_foreign;
    AuditItem {
        english: if is_compared {
            Arc::clone(&other.parts)
        } else {
            AuditItem::default().english
        },
        english_label: other.label,
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
    /// Lengths, numbers and names say that these are the same items.
    is_parallel: bool,
    /// The counts are too far apart for an alignment: the items are taken as they stand.
    is_by_position: bool,
}

fn align(set: &AuditSet<'_>, english: &AuditSet<'_>) -> Alignment {
    let (here, there) = (Traits::of_items(set), Traits::of_items(english));
    let mut comparison = ItemComparison {
        here: &here,
        there: &there,
        typical: typical_ratio(&here, &there),
        with_labels: false,
        pulse: set.pulse,
    };
    let diagonal: Vec<Option<usize>> = (0..here.len())
        .map(|at| (at < there.len()).then_some(at))
        .collect();
    if !comparison.is_feasible() {
        return Alignment {
            is_parallel: is_parallel(&comparison, &diagonal),
            missing: (here.len()..there.len()).collect(),
            extra: (there.len()..here.len()).collect(),
            counterparts: diagonal,
            is_by_position: true,
        };
    }
    let mut best = comparison.align();
    let by_texts = is_parallel(&comparison, &best);
    if do_labels_agree(&comparison, &best) {
        comparison.with_labels = true;
        best = comparison.align();
    }
    let is_by_position = false;
    if here.len() == there.len() && comparison.cost(&diagonal) < comparison.cost(&best) + GAIN {
        comparison.with_labels = false;
        return Alignment {
            is_parallel: is_parallel(&comparison, &diagonal),
            counterparts: diagonal,
            missing: Vec::new(),
            extra: Vec::new(),
            is_by_position,
        };
    }
    let (missing, extra) = comparison.list_gaps(&best);
    Alignment {
        counterparts: best,
        missing,
        extra,
        is_parallel: by_texts,
        is_by_position,
    }
}

/// The median of the logarithm of the lengths' ratio.
fn typical_ratio(here: &[Traits], there: &[Traits]) -> f64 {
    let ratios: Vec<f64> = here
        .iter()
        .zip(there)
        .filter(|(a, b)| a.length > 0.0 && b.length > 0.0)
        .map(|(a, b)| (a.length / b.length).ln())
        .collect();
    median(&ratios).unwrap_or(0.0)
}

/// Whether nearly all counterparts have the same label.
fn do_labels_agree(comparison: &ItemComparison<'_>, counterparts: &[Option<usize>]) -> bool {
    let labels: Vec<(usize, usize)> = counterparts
        .iter()
        .copied()
        .enumerate()
        .filter_map(|(i, j)| comparison.here[i].label.zip(comparison.there[j?].label))
        .collect();
    let agreeing = labels.iter().filter(|(a, b)| a == b).count();
    agreeing as f64 >= AGREEING * labels.len() as f64
}

/// Whether items are more like their counterparts than like others, labels aside: how often they
/// are, in standard deviations from the half that chance gives (the mean of as many ranks).
fn is_parallel(comparison: &ItemComparison<'_>, counterparts: &[Option<usize>]) -> bool {
    let pairs: Vec<(usize, usize)> = counterparts
        .iter()
        .enumerate()
        .filter_map(|(i, j)| Some((i, (*j)?)))
        .collect();
    let all = comparison.here.len().max(comparison.there.len());
    if pairs.len() < FEWEST || (pairs.len() as f64) < NEARLY_ALL * all as f64 {
        return false;
    }
    let step = pairs.len().div_ceil(OTHERS);
    let (mut wins, mut compared) = (0.0, 0.0);
    for (at, (i, j)) in pairs.iter().enumerate() {
        let own = comparison.pair_cost(*i, *j);
        for shift in (step..pairs.len()).step_by(step) {
            let (_, other) = pairs[(at + shift) % pairs.len()];
            wins += match own.total_cmp(&comparison.pair_cost(*i, other)) {
                Ordering::Less => 1.0,
                Ordering::Equal => 0.5,
                Ordering::Greater => 0.0,
            };
            compared += 1.0;
        }
    }
    (wins / compared - 0.5) * (12.0 * pairs.len() as f64).sqrt() > SURE
}

fn describe_gaps(
    set: &AuditSet<'_>,
    english: &AuditSet<'_>,
    alignment: &Alignment,
) -> Vec<Finding> {
    let matched = alignment.counterparts.iter().flatten().count();
    let name = set.reference_name();
    let missing = Gap {
        of: english,
        items: &alignment.missing,
        count: english.items.len() - matched,
        what: format!("{name} items have no counterpart here"),
        suggestion: "translate them, or remove them in every language: languages are compared item \
                     by item",
    };
    let extra = Gap {
        of: set,
        items: &alignment.extra,
        count: set.items.len() - matched,
        what: format!("items here have no {name} counterpart"),
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
    let how = match alignment.is_by_position {
        true => "by position, since the counts are too far apart for an alignment,",
        false => "by alignment",
    };
    [missing, extra]
        .iter()
        .filter_map(|gap| gap.describe(set, english, severity, how))
        .collect()
}

/// Items of one of two files without a counterpart in the other.
struct Gap<'a> {
    of: &'a AuditSet<'a>,
    /// Those that it may be.
    items: &'a [usize],
    /// How many there are.
    count: usize,
    what: String,
    suggestion: &'static str,
}

impl Gap<'_> {
    fn describe(
        &self,
        set: &AuditSet<'_>,
        english: &AuditSet<'_>,
        severity: Severity,
        how: &str,
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
            self.what.clone()
        };
        let evidence = format!(
            "{} items here, {} in {}; {how} {which}: {}",
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
