//! Gold words outside the task's vocabulary, and golds that disagree with the English ones at
//! the same item.
//!
//! What an unknown word means is read off the English golds beside it. A disagreement is
//! explained, where that is possible, by relabellings of stretches of the file: the cheapest
//! path (Viterbi) through all exchanges and permutations of labels, where an unexplained item
//! costs 1 and a change of the relabelling [`CHANGE_COST`].

use std::collections::BTreeMap;

use schema::{
    Finding, Label,
    finding::{Kind, Severity},
};

use crate::{
    Role,
    set::{AuditItem, AuditSet},
    text::quote_words,
};

/// Unexplained items that are worth a further relabelling.
const CHANGE_COST: usize = 6;
/// Unexplained items that are worth taking the file to be relabelled from its first item on.
const START_COST: usize = 2;
/// Labels up to which every permutation is tried; beyond, exchanges of two.
const PERMUTED: usize = 4;
/// Above this share of unexplained items the file does not stand in the order of the English
/// one.
const UNRELATED: f64 = 0.25;
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
    findings.extend(check_order(set, &meanings));
    findings
}

/// Where an unknown gold word stands.
#[derive(Default)]
struct UnknownWord {
    items: Vec<usize>,
    /// How often each label is the English gold there.
    english: Vec<usize>,
}

fn unknown_words<'a>(set: &'a AuditSet<'_>) -> BTreeMap<&'a str, UnknownWord> {
    let mut unknown: BTreeMap<&str, UnknownWord> = BTreeMap::new();
    for (index, item) in set.items.iter().enumerate() {
        let Some(word) = item
            .gold
            .as_deref()
            .filter(|word| set.label(word).is_none())
        else {
            continue;
        };
        let seen = unknown.entry(word).or_default();
        seen.items.push(index);
        seen.english.resize(set.source.task.labels.len(), 0);
        if let Some(label) = set.english_label(item) {
            seen.english[label.0] += 1;
        }
    }
    unknown
}

impl UnknownWord {
    /// The label that nearly all English golds have, on how many of how many.
    fn meaning(&self, set: &AuditSet<'_>) -> Option<(Label, usize, usize)> {
        let all: usize = self.english.iter().sum();
        let (label, &count) = self
            .english
            .iter()
            .enumerate()
            .max_by_key(|(_, count)| **count)?;
        let is_certain =
            all > 0 && count as f64 >= CERTAIN * all as f64 && label < set.label_words().len();
        is_certain.then_some((Label(label), count, all))
    }

    fn describe(&self, set: &AuditSet<'_>, word: &str) -> Finding {
        let (count, all) = (self.items.len(), set.items.len());
        let known = set.label_words();
        let mut evidence = format!(
            "`{word}` on {count} of {all} items is none of the words that the scorer knows, {}",
            quote_words(known)
        );
        let near = known.iter().find(|known| fold(known) == fold(word));
        let meaning = self.meaning(set).map(|(label, times, of)| {
            let name = set.source.task.label_name(label);
            evidence += &format!(
                "; the English gold is {name} on {times} of {of} of them, whose word is `{}`",
                known[label.0]
            );
            known[label.0].clone()
        });
        let meaning = meaning.or_else(|| {
            let near = near?.clone();
            evidence += &format!("; it is `{near}` but for case, spaces or invisible characters");
            Some(near)
        });
        let suggestion = match &meaning {
            Some(word) => {
                format!("write `{word}`; as they stand these items can never be answered right")
            }
            None => {
                format!(
                    "write one of {}; as they stand these items can never be answered right",
                    quote_words(known)
                )
            }
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

/// One item's labels, here and in English.
struct GoldPair {
    item: usize,
    here: usize,
    english: usize,
}

fn check_order(set: &AuditSet<'_>, meanings: &BTreeMap<&str, Label>) -> Vec<Finding> {
    let pair = |(index, item): (usize, &AuditItem)| {
        let word = item.gold.as_deref()?;
        let here = set.label(word).or_else(|| meanings.get(word).copied())?.0;
        Some(GoldPair {
            item: index,
            here,
            english: set.english_label(item)?.0,
        })
    };
    let pairs: Vec<GoldPair> = set.items.iter().enumerate().filter_map(pair).collect();
    if set.is_english() || pairs.iter().all(|pair| pair.here == pair.english) {
        return Vec::new();
    }
    let relabellings = list_relabellings(&pairs, set.source.task.labels.len());
    let path = explain(&pairs, &relabellings);
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
    findings.extend(describe_single(set, &unexplained));
    findings
}

/// Label in English to label here: the identity first, then permutations, then the most
/// frequent label here of each.
fn list_relabellings(pairs: &[GoldPair], labels: usize) -> Vec<Vec<usize>> {
    let identity: Vec<usize> = (0..labels).collect();
    let mut all = vec![identity.clone()];
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
    let most_frequent = |english: usize| {
        let count = |here: usize| {
            pairs
                .iter()
                .filter(|p| p.english == english && p.here == here)
                .count()
        };
        (0..labels)
            .max_by_key(|&here| (count(here), here == english))
            .unwrap_or(english)
    };
    all.push(
        identity
            .iter()
            .map(|&english| most_frequent(english))
            .collect(),
    );
    let mut distinct: Vec<Vec<usize>> = Vec::new();
    for relabelling in all {
        if !distinct.contains(&relabelling) {
            distinct.push(relabelling);
        }
    }
    distinct
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
fn explain(pairs: &[GoldPair], relabellings: &[Vec<usize>]) -> Vec<usize> {
    let mut costs: Vec<usize> = (0..relabellings.len())
        .map(|at| if at == 0 { 0 } else { START_COST })
        .collect();
    let mut came_from: Vec<Vec<usize>> = Vec::with_capacity(pairs.len());
    for pair in pairs {
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
        let step = |at: usize| {
            let change = if from[at] == at { 0 } else { CHANGE_COST };
            costs[from[at]] + change + usize::from(relabellings[at][pair.english] != pair.here)
        };
        costs = (0..relabellings.len()).map(step).collect();
        came_from.push(from);
    }
    let mut at = (0..costs.len()).min_by_key(|&at| costs[at]).unwrap_or(0);
    let mut path = vec![0; pairs.len()];
    for index in (0..pairs.len()).rev() {
        path[index] = at;
        at = came_from[index][at];
    }
    path
}

const ORDER: &str = "put the golds in the order of the English file, or evaluate with the protocol that repairs them; \
                     accuracy against these golds measures something else";

fn describe_relabelling(
    set: &AuditSet<'_>,
    pairs: &[GoldPair],
    path: &[usize],
    at: usize,
    relabelling: &[usize],
) -> Option<Finding> {
    let (words, labels) = (set.label_words(), &set.source.task.labels);
    let here = |pairs: &mut dyn Iterator<Item = &GoldPair>| {
        pairs.map(|pair| pair.item).collect::<Vec<_>>()
    };
    let mut stretch = pairs
        .iter()
        .zip(path)
        .filter(|(_, state)| **state == at)
        .map(|(pair, _)| pair);
    let all = here(&mut stretch);
    let (first, last) = (all.first()?, all.last()?);
    let explained =
        |pair: &&GoldPair| relabelling[pair.english] == pair.here && pair.here != pair.english;
    let mut differing = pairs
        .iter()
        .zip(path)
        .filter(|(_, state)| **state == at)
        .map(|(p, _)| p)
        .filter(explained);
    let items = here(&mut differing);
    let moved: Vec<usize> = (0..relabelling.len())
        .filter(|&label| relabelling[label] != label)
        .collect();
    let how = match moved.as_slice() {
        [one, other] if relabelling[*one] == *other && relabelling[*other] == *one => {
            format!("`{}` and `{}` are exchanged", words[*one], words[*other])
        }
        _ => {
            let say =
                |&label: &usize| format!("{} is `{}`", labels[label], words[relabelling[label]]);
            moved.iter().map(say).collect::<Vec<_>>().join(", ")
        }
    };
    let agree = pairs
        .iter()
        .filter(|pair| pair.here == pair.english)
        .count();
    let example = pairs
        .iter()
        .find(|pair| Some(&pair.item) == items.first())?;
    let place = if all.len() == pairs.len() {
        String::new()
    } else {
        format!(" between items {first} and {last}")
    };
    let evidence = format!(
        "golds agree with the English ones on {agree} of {} items; {how}{place}, which explains {} items, such as item {}: \
         English {}, here `{}`",
        pairs.len(),
        items.len(),
        example.item,
        labels[example.english],
        words[example.here],
    );
    Some(set.finding(Kind::LabelOrder, Severity::Error, items, evidence, ORDER))
}

fn describe_single(set: &AuditSet<'_>, pairs: &[&GoldPair]) -> Option<Finding> {
    let (words, labels) = (set.label_words(), &set.source.task.labels);
    let say = |pair: &&GoldPair| {
        (
            pair.item,
            format!(
                "English {}, here `{}`",
                labels[pair.english], words[pair.here]
            ),
        )
    };
    let seen: Vec<(usize, String)> = pairs.iter().map(say).collect();
    let what = "golds disagree with the English ones without a pattern";
    let suggestion = "one of the two golds is wrong: compare the items";
    set.finding_of(Kind::LabelOrder, Severity::Error, &seen, what, suggestion)
}

fn describe_unrelated(set: &AuditSet<'_>, pairs: &[GoldPair]) -> Finding {
    let agree = pairs
        .iter()
        .filter(|pair| pair.here == pair.english)
        .count();
    let evidence = format!(
        "golds agree with the English ones on {agree} of {} items, and no relabelling explains the rest: the items stand in \
         another order, or are others",
        pairs.len()
    );
    let items = pairs
        .iter()
        .filter(|pair| pair.here != pair.english)
        .map(|pair| pair.item)
        .collect();
    let suggestion = "put the items in the order of the English file: statistics over languages pair items by position";
    set.finding(
        Kind::LabelOrder,
        Severity::Warning,
        items,
        evidence,
        suggestion,
    )
}
