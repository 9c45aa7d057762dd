//! Golds that disagree with the English ones at the same item.
//!
//! A disagreement is explained, where that is possible, by relabellings of stretches of the file:
//! the cheapest path (Viterbi) through all exchanges and permutations of labels, where an
//! unexplained item costs 1 and a change of the relabelling [`CHANGE_COST`]. Never here: words that
//! are no label (`labels`).

use std::collections::{BTreeMap, BTreeSet};

use schema::{
    Finding, Label,
    finding::{Kind, Severity},
};

use crate::set::{AuditItem, AuditSet};

/// Unexplained items that are worth a further relabelling.
const CHANGE_COST: usize = 6;
/// Unexplained items that are worth taking the file to be relabelled from its first item on.
const START_COST: usize = 2;
/// Labels up to which every permutation is tried; beyond, exchanges of two.
const PERMUTED: usize = 4;
/// Above this share of unexplained items the file is not in the order of the English
/// one.
const UNRELATED: f64 = 0.25;

/// One item's labels, here and in English.
struct GoldPair {
    item: usize,
    here: usize,
    english: usize,
}

impl GoldPair {
    fn of(meanings: &BTreeMap<&str, Label>, index: usize, item: &AuditItem) -> Option<Self> {
        let word = item.gold.as_deref()?;
        let here = item.label.or_else(|| meanings.get(word).copied())?.0;
        Some(Self {
            item: index,
            here,
            english: item.english_label?.0,
        })
    }

    fn describe(&self, set: &AuditSet<'_>) -> String {
        format!(
            "{} {}, here `{}`",
            set.reference_name(),
            set.source.task.labels[self.english],
            set.answers[self.here]
        )
    }
}

/// `meanings`: what words that are no label seem to mean.
pub(crate) fn check(set: &AuditSet<'_>, meanings: &BTreeMap<&str, Label>) -> Vec<Finding> {
    let items = set.numbered();
    let pairs: Vec<GoldPair> = items
        .filter_map(|(index, item)| GoldPair::of(meanings, index, item))
        .collect();
    if set.is_english() || pairs.iter().all(|pair| pair.here == pair.english) {
        return Vec::new();
    }
    let relabellings = list_relabellings(&pairs, set.source.task.labels.len());
    let Some(path) = explain(set, &pairs, &relabellings) else {
        return Vec::new(); // stopped
    };
    let unexplained: Vec<&GoldPair> = pairs
        .iter()
        .zip(&path)
        .filter(|(p, at)| relabellings[**at][p.english] != p.here)
        .map(|(p, _)| p)
        .collect();
    if unexplained.len() as f64 > UNRELATED * pairs.len() as f64 {
        return vec![describe_unrelated(set, &pairs)];
    }
    let mut findings: Vec<Finding> = (1..relabellings.len())
        .filter_map(|at| describe_relabelling(set, &pairs, &path, at, &relabellings[at]))
        .collect();
    // An item that agrees as it is may lie on a relabelled stretch of the path: no fault of its own.
    let wrong = unexplained.iter().filter(|pair| pair.here != pair.english);
    findings.extend(describe_single(set, wrong.copied()));
    findings
}

/// Label in English to label here: the identity first, then permutations, then the most
/// frequent label here of each.
fn list_relabellings(pairs: &[GoldPair], labels: usize) -> Vec<Vec<usize>> {
    let identity: Vec<usize> = (0..labels).collect();
    let mut all = Vec::new();
    if labels <= PERMUTED {
        permute(&identity, &mut Vec::new(), &mut all);
    } else {
        for one in 0..labels {
            for other in one + 1..labels {
                let mut exchanged = identity.clone();
                exchanged.swap(one, other);
                all.push(exchanged);
            }
        }
    }
    all.push(most_frequent(pairs, labels));
    let seen: BTreeSet<(usize, usize)> = pairs
        .iter()
        .filter(|pair| pair.here != pair.english)
        .map(|pair| (pair.english, pair.here))
        .collect();
    let mut distinct: Vec<Vec<usize>> = vec![identity];
    for relabelling in all {
        // One that explains no item is on no cheapest path.
        let explains = seen
            .iter()
            .any(|(english, here)| relabelling[*english] == *here);
        if explains && !distinct.contains(&relabelling) {
            distinct.push(relabelling);
        }
    }
    distinct
}

/// For each English label the most frequent one here.
fn most_frequent(pairs: &[GoldPair], labels: usize) -> Vec<usize> {
    let mut counts = vec![vec![0_usize; labels]; labels];
    for pair in pairs {
        counts[pair.english][pair.here] += 1;
    }
    counts
        .iter()
        .enumerate()
        .map(|(english, counts)| {
            (0..labels)
                .max_by_key(|&here| (counts[here], here == english))
                .unwrap_or(english)
        })
        .collect()
}

fn permute(rest: &[usize], chosen: &mut Vec<usize>, all: &mut Vec<Vec<usize>>) {
    if rest.is_empty() {
        all.push(chosen.clone());
    }
    for (at, &label) in rest.iter().enumerate() {
        let others: Vec<usize> = rest[..at].iter().chain(&rest[at + 1..]).copied().collect();
        chosen.push(label);
        permute(&others, chosen, all);
        chosen.pop();
    }
}

/// The relabelling of every item on the cheapest path; the identity wins where costs are equal.
/// `None` where the audit is to stop.
fn explain(
    set: &AuditSet<'_>,
    pairs: &[GoldPair],
    relabellings: &[Vec<usize>],
) -> Option<Vec<usize>> {
    let mut costs: Vec<usize> = (0..relabellings.len())
        .map(|at| if at == 0 { 0 } else { START_COST })
        .collect();
    let mut came_from: Vec<Vec<usize>> = Vec::with_capacity(pairs.len());
    for pair in pairs {
        if set.pulse.is_stopped() {
            return None;
        }
        let best = (0..costs.len()).min_by_key(|&at| costs[at]).unwrap_or(0);
        let from: Vec<usize> = (0..costs.len())
            .map(|at| {
                if costs[at] <= costs[best] + CHANGE_COST {
                    at
                } else {
                    best
                }
            })
            .collect();
        costs = (0..relabellings.len())
            .map(|at| {
                let change = if from[at] == at { 0 } else { CHANGE_COST };
                costs[from[at]] + change + usize::from(relabellings[at][pair.english] != pair.here)
            })
            .collect();
        came_from.push(from);
    }
    let mut at = (0..costs.len()).min_by_key(|&at| costs[at]).unwrap_or(0);
    let mut path = vec![0; pairs.len()];
    for index in (0..pairs.len()).rev() {
        path[index] = at;
        at = came_from[index][at];
    }
    Some(path)
}

/// What to do about golds in another order.
fn advise(set: &AuditSet<'_>) -> String {
    let repair = match set.is_form() || set.reference.is_some() {
        true => "",
        false => ", or evaluate with the protocol that repairs them",
    };
    format!(
        "put the golds in the order of the {} file{repair}; accuracy against these golds measures something else",
        set.reference_name()
    )
}

fn describe_relabelling(
    set: &AuditSet<'_>,
    pairs: &[GoldPair],
    path: &[usize],
    at: usize,
    relabelling: &[usize],
) -> Option<Finding> {
    let stretch: Vec<&GoldPair> = pairs
        .iter()
        .zip(path)
        .filter(|(_, state)| **state == at)
        .map(|(pair, _)| pair)
        .collect();
    let (first, last) = (stretch.first()?.item, stretch.last()?.item);
    let explained: Vec<&GoldPair> = stretch
        .iter()
        .filter(|pair| relabelling[pair.english] == pair.here && pair.here != pair.english)
        .copied()
        .collect();
    let example = explained.first()?;
    let place = if stretch.len() == pairs.len() {
        String::new()
    } else {
        format!(" between items {first} and {last}")
    };
    let evidence = format!(
        "{}; {}{place}, which explains {} items, such as item {}: {}",
        count_agreeing(set, pairs),
        name_relabelling(set, relabelling),
        explained.len(),
        example.item,
        example.describe(set),
    );
    let items = explained.iter().map(|pair| pair.item).collect();
    Some(set.finding(
        Kind::LabelOrder,
        Severity::Error,
        items,
        evidence,
        &advise(set),
    ))
}

fn name_relabelling(set: &AuditSet<'_>, relabelling: &[usize]) -> String {
    let words = &set.answers;
    let moved: Vec<usize> = (0..relabelling.len())
        .filter(|&label| relabelling[label] != label)
        .collect();
    if let [one, other] = moved.as_slice()
        && relabelling[*one] == *other
        && relabelling[*other] == *one
    {
        return format!("`{}` and `{}` are exchanged", words[*one], words[*other]);
    }
    let names = moved.iter().map(|&label| {
        let name = &set.source.task.labels[label];
        format!("{name} is `{}`", words[relabelling[label]])
    });
    names.collect::<Vec<_>>().join(", ")
}

fn count_agreeing(set: &AuditSet<'_>, pairs: &[GoldPair]) -> String {
    let agree = pairs.iter().filter(|pair| pair.here == pair.english);
    format!(
        "golds agree with the {} ones on {} of {} items",
        set.reference_name(),
        agree.count(),
        pairs.len()
    )
}

fn describe_single<'a>(
    set: &AuditSet<'_>,
    pairs: impl Iterator<Item = &'a GoldPair>,
) -> Option<Finding> {
    let seen: Vec<(usize, String)> = pairs.map(|pair| (pair.item, pair.describe(set))).collect();
    let what = &format!(
        "golds disagree with the {} ones without a pattern",
        set.reference_name()
    );
    let suggestion = "one of the two golds is wrong: compare the items";
    set.finding_of(Kind::LabelOrder, Severity::Error, &seen, what, suggestion)
}

fn describe_unrelated(set: &AuditSet<'_>, pairs: &[GoldPair]) -> Finding {
    let (english, agreeing) = (set.reference_name(), count_agreeing(set, pairs));
    let (severity, evidence, suggestion) = if set.is_parallel {
        let evidence = format!(
            "{agreeing}, and no relabelling explains the rest, though by their lengths, numbers and names the items are the same \
             in the same order"
        );
        let suggestion = format!(
            "compare the golds with the {english} ones item by item: accuracy against these golds measures something else"
        );
        (Severity::Error, evidence, suggestion)
    } else {
        let evidence = format!(
            "{agreeing}, and no relabelling explains the rest: the items are others, or in another order"
        );
        let suggestion = format!(
            "put the items in the order of the {english} file: statistics over languages pair items by position"
        );
        (Severity::Warning, evidence, suggestion)
    };
    let items = pairs
        .iter()
        .filter(|pair| pair.here != pair.english)
        .map(|pair| pair.item)
        .collect();
    set.finding(Kind::LabelOrder, severity, items, evidence, &suggestion)
}
