//! Which English item an item is the translation of.
//!
//! Test files stand item by item in the English order. Where items are missing or extra, the alignment with the lowest
//! cost (Needleman and Wunsch 1970, with lengths as in Gale and Church 1993) says which: what is compared needs no
//! dictionary - lengths, numbers, names that keep their letters, and labels once it is known that they agree.

use std::collections::{BTreeMap, BTreeSet};

use schema::{
    Finding, Language,
    finding::{Kind, Severity},
};

use crate::{
    Role,
    language::Detector,
    robust::median,
    set::{Item, Set},
    text::{digit, shorten, show_items, words},
};

/// Cost of leaving an item without a counterpart; a pair of unrelated items costs more than two of these.
const GAP: f64 = 2.0;
/// How far from the diagonal an alignment may go beyond the difference of the counts.
const BAND: usize = 40;
/// With equal counts the diagonal is left only for a gain that single odd items do not give.
const GAIN: f64 = 15.0;
/// Share of golds that must agree before a disagreement counts against a pair.
const AGREEING: f64 = 0.8;

/// Puts the English parts and golds beside the items of every test file; missing and extra items become findings.
pub(crate) fn attach_english(sets: &mut [Set<'_>], detector: &Detector, findings: &mut Vec<Finding>) {
    let is_test = |set: &Set<'_>| set.source.role == Role::Test;
    let mut foreign: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for set in sets.iter().filter(|set| is_test(set) && set.is_english()) {
        foreign.insert(&set.source.task.name, detector.list_foreign(set));
    }
    for at in 0..sets.len() {
        if !is_test(&sets[at]) || sets[at].language() == Language::En || sets[at].items.is_empty() {
            continue;
        }
        let same =
            |set: &&Set<'_>| is_test(set) && set.is_english() && set.source.task.name == sets[at].source.task.name;
        let english: Vec<&Set<'_>> = sets.iter().filter(same).collect();
        let [english] = english.as_slice() else { continue };
        let counterparts = align(&sets[at], english);
        findings.extend(describe_gaps(&sets[at], english, &counterparts));
        let attach = |(item, counterpart): (&Item, &Option<usize>)| {
            let Some(index) = *counterpart else { return item.clone() };
            let other = &english.items[index];
            let english_gold = other.gold.clone().map(|gold| (index, gold));
            let is_foreign = foreign.get(english.source.task.name.as_str()).is_some_and(|items| items.contains(&index));
            let english = if is_foreign { Vec::new() } else { other.parts.clone() };
            Item { english, english_gold, is_foreign, ..item.clone() }
        };
        sets[at].items = sets[at].items.iter().zip(&counterparts).map(attach).collect();
    }
}

/// The English index of every item.
fn align(set: &Set<'_>, english: &Set<'_>) -> Vec<Option<usize>> {
    let (here, there) = (list_traits(set), list_traits(english));
    let lengths = |(a, b): (&Traits, &Traits)| (a.length > 0.0 && b.length > 0.0).then(|| (a.length / b.length).ln());
    let typical = median(&here.iter().zip(&there).filter_map(lengths).collect::<Vec<_>>()).unwrap_or(0.0);
    let mut compare = Compare { here: &here, there: &there, typical, with_labels: false };
    let mut best = compare.align();
    let labelled = |(i, j): (usize, Option<usize>)| here[i].label.zip(there[j?].label);
    let labels: Vec<(usize, usize)> = best.iter().copied().enumerate().filter_map(labelled).collect();
    let agreeing = labels.iter().filter(|(a, b)| a == b).count();
    if agreeing as f64 >= AGREEING * labels.len() as f64 {
        compare.with_labels = true;
        best = compare.align();
    }
    if here.len() == there.len() {
        let diagonal: Vec<Option<usize>> = (0..here.len()).map(Some).collect();
        if compare.cost(&diagonal) < compare.cost(&best) + GAIN {
            return diagonal;
        }
    }
    best
}

/// What of an item survives translation.
struct Traits {
    length: f64,
    numbers: BTreeSet<String>,
    /// Words in Latin letters and digits, folded.
    latin: BTreeSet<String>,
    label: Option<usize>,
}

fn list_traits(set: &Set<'_>) -> Vec<Traits> {
    let read = |item: &Item| {
        let text = item.parts.join(" ");
        let digits: String =
            text.chars().map(|c| digit(c).and_then(|value| char::from_digit(value, 10)).unwrap_or(' ')).collect();
        let latin = words(&text).filter(|word| word.len() >= 4 && word.is_ascii());
        Traits {
            length: text.chars().count() as f64,
            numbers: digits.split_whitespace().map(str::to_owned).collect(),
            latin: latin.map(str::to_lowercase).collect(),
            label: item.gold.as_deref().and_then(|gold| set.label(gold)).map(|label| label.0),
        }
    };
    set.items.iter().map(read).collect()
}

struct Compare<'a> {
    here: &'a [Traits],
    there: &'a [Traits],
    /// Median of the logarithm of the lengths' ratio.
    typical: f64,
    with_labels: bool,
}

impl Compare<'_> {
    /// 0 for what looks like a translation, up to about 7.
    fn pair_cost(&self, i: usize, j: usize) -> f64 {
        let (here, there) = (&self.here[i], &self.there[j]);
        let length = match here.length > 0.0 && there.length > 0.0 {
            true => (((here.length / there.length).ln() - self.typical).abs() * there.length.sqrt() / 3.0).min(3.0),
            false => 1.0,
        };
        let numbers = 1.5 * (1.0 - share(&here.numbers, &there.numbers));
        let latin = if here.latin.is_empty() { 0.0 } else { 1.0 - share(&here.latin, &there.latin) };
        let label = match (self.with_labels, here.label, there.label) {
            (true, Some(a), Some(b)) if a != b => 2.0,
            _ => 0.0,
        };
        length + numbers + latin + label
    }

    /// Cost of a whole alignment.
    fn cost(&self, counterparts: &[Option<usize>]) -> f64 {
        let matched = counterparts.iter().flatten().count();
        let gaps = self.here.len() + self.there.len() - 2 * matched;
        let pairs = counterparts.iter().enumerate().filter_map(|(i, j)| Some(self.pair_cost(i, (*j)?)));
        pairs.sum::<f64>() + GAP * gaps as f64
    }

    /// The alignment with the lowest cost, within a band around the diagonal.
    fn align(&self) -> Vec<Option<usize>> {
        let (rows, columns) = (self.here.len(), self.there.len());
        let reach = rows.abs_diff(columns) + BAND;
        let center = |i: usize| i * columns / rows.max(1);
        let is_near = |i: usize, j: usize| center(i).abs_diff(j) <= reach;
        let mut costs = vec![vec![f64::INFINITY; columns + 1]; rows + 1];
        for i in 0..=rows {
            for j in (0..=columns).filter(|&j| is_near(i, j)) {
                let mut best = if i == 0 && j == 0 { 0.0 } else { f64::INFINITY };
                if i > 0 && j > 0 {
                    best = costs[i - 1][j - 1] + self.pair_cost(i - 1, j - 1);
                }
                if i > 0 {
                    best = best.min(costs[i - 1][j] + GAP);
                }
                if j > 0 {
                    best = best.min(costs[i][j - 1] + GAP);
                }
                costs[i][j] = best;
            }
        }
        self.trace_back(&costs)
    }

    fn trace_back(&self, costs: &[Vec<f64>]) -> Vec<Option<usize>> {
        let (mut i, mut j) = (self.here.len(), self.there.len());
        let mut counterparts = vec![None; i];
        while i > 0 && j > 0 {
            let cost = costs[i][j];
            if cost == costs[i - 1][j - 1] + self.pair_cost(i - 1, j - 1) {
                (i, j) = (i - 1, j - 1);
                counterparts[i] = Some(j);
            } else if cost == costs[i][j - 1] + GAP {
                j -= 1;
            } else {
                i -= 1;
            }
        }
        counterparts
    }
}

/// Shared among all; 1 where neither has any.
fn share(a: &BTreeSet<String>, b: &BTreeSet<String>) -> f64 {
    let all = a.union(b).count();
    if all == 0 { 1.0 } else { a.intersection(b).count() as f64 / all as f64 }
}

fn describe_gaps(set: &Set<'_>, english: &Set<'_>, counterparts: &[Option<usize>]) -> Vec<Finding> {
    let quote = |set: &Set<'_>, item: usize| (item, format!("`{}`", set.quote(&set.items[item])));
    let matched: BTreeSet<usize> = counterparts.iter().flatten().copied().collect();
    let missing: Vec<(usize, String)> =
        (0..english.items.len()).filter(|item| !matched.contains(item)).map(|item| quote(english, item)).collect();
    let extra: Vec<(usize, String)> =
        (0..set.items.len()).filter(|item| counterparts[*item].is_none()).map(|item| quote(set, item)).collect();
    let counts = format!("{} items here, {} in {}", set.items.len(), english.items.len(), english.source.name);
    // An item that stands at another place than in English: statistics that pair items by position are wrong.
    let is_shifted = counterparts.iter().enumerate().any(|(i, j)| j.is_some_and(|j| j != i));
    let severity = if is_shifted { Severity::Error } else { Severity::Warning };
    let describe = |seen: &[(usize, String)], what: &str, suggestion: &str| {
        (!seen.is_empty()).then(|| {
            let items = seen.iter().map(|(item, _)| *item).collect();
            let shown = shorten(&show_items(seen), 260);
            set.finding(Kind::ItemCount, severity, items, format!("{counts}; by alignment {what}: {shown}"), suggestion)
        })
    };
    let missing = describe(
        &missing,
        "these English items have no counterpart here",
        "translate them, or take them out in every language: languages are compared item by item",
    );
    let extra =
        describe(&extra, "these items have no English counterpart", "take them out, or add them in every language");
    missing.into_iter().chain(extra).collect()
}
