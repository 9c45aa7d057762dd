//! Which English item an item is the translation of.
//!
//! Test files stand item by item in the English order. Where items are missing or extra, the
//! alignment with the lowest cost (Needleman and Wunsch 1970, with lengths as in Gale and
//! Church 1993) says which: what is compared needs no dictionary - lengths, numbers, names that
//! keep their letters, and labels once it is known that they agree.

use std::collections::{BTreeMap, BTreeSet};

use schema::{
    Finding, Language,
    finding::{Kind, Severity},
};

use crate::{
    Role,
    language::Detector,
    robust::median,
    set::{AuditItem, AuditSet},
    text::{digit, shorten, show_items, words},
};

/// Cost of leaving an item without a counterpart; a pair of unrelated items costs more than two
/// of these.
const GAP: f64 = 2.0;
/// How far from the diagonal an alignment may go beyond the difference of the counts.
const BAND: usize = 40;
/// With equal counts the diagonal is left only for a gain that single odd items do not give.
const GAIN: f64 = 15.0;
/// How much more an alignment may cost for its gaps to be said too.
const DOUBT: f64 = 1.5;
/// Candidates beyond the number of gaps that are worth saying.
const DOUBTED: usize = 4;
/// Share of golds that must agree before a disagreement counts against a pair.
const AGREEING: f64 = 0.8;

/// Puts the English parts and golds beside the items of every test file; missing and extra
/// items become findings.
pub(crate) fn attach_english(
    sets: &mut [AuditSet<'_>],
    detector: &Detector,
    findings: &mut Vec<Finding>,
) {
    let is_test = |set: &AuditSet<'_>| set.source.role == Role::Test;
    let mut foreign: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for set in sets.iter().filter(|set| is_test(set) && set.is_english()) {
        foreign.insert(&set.source.task.name, detector.list_foreign(set));
    }
    for at in 0..sets.len() {
        if !is_test(&sets[at]) || sets[at].language() == Language::En || sets[at].items.is_empty() {
            continue;
        }
        let same = |set: &&AuditSet<'_>| {
            is_test(set) && set.is_english() && set.source.task.name == sets[at].source.task.name
        };
        let english: Vec<&AuditSet<'_>> = sets.iter().filter(same).collect();
        let [english] = english.as_slice() else {
            continue;
        };
        let alignment = align(&sets[at], english);
        findings.extend(describe_gaps(&sets[at], english, &alignment));
        let attach = |(item, counterpart): (&AuditItem, &Option<usize>)| {
            let Some(index) = *counterpart else {
                return item.clone();
            };
            let other = &english.items[index];
            let english_gold = other.gold.clone().map(|gold| (index, gold));
            let is_foreign = foreign
                .get(english.source.task.name.as_str())
                .is_some_and(|items| items.contains(&index));
            let english = if is_foreign {
                Vec::new()
            } else {
                other.parts.clone()
            };
            AuditItem {
                english,
                english_gold,
                is_foreign,
                ..item.clone()
            }
        };
        sets[at].items = sets[at]
            .items
            .iter()
            .zip(&alignment.counterparts)
            .map(attach)
            .collect();
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
    let (here, there) = (list_traits(set), list_traits(english));
    let lengths = |(a, b): (&Traits, &Traits)| {
        (a.length > 0.0 && b.length > 0.0).then(|| (a.length / b.length).ln())
    };
    let typical = median(
        &here
            .iter()
            .zip(&there)
            .filter_map(lengths)
            .collect::<Vec<_>>(),
    )
    .unwrap_or(0.0);
    let mut compare = Compare {
        here: &here,
        there: &there,
        typical,
        with_labels: false,
    };
    let mut best = compare.align();
    let labelled = |(i, j): (usize, Option<usize>)| here[i].label.zip(there[j?].label);
    let labels: Vec<(usize, usize)> = best
        .iter()
        .copied()
        .enumerate()
        .filter_map(labelled)
        .collect();
    let agreeing = labels.iter().filter(|(a, b)| a == b).count();
    if agreeing as f64 >= AGREEING * labels.len() as f64 {
        compare.with_labels = true;
        best = compare.align();
    }
    if here.len() == there.len() {
        let diagonal: Vec<Option<usize>> = (0..here.len()).map(Some).collect();
        if compare.cost(&diagonal) < compare.cost(&best) + GAIN {
            return Alignment {
                counterparts: diagonal,
                missing: Vec::new(),
                extra: Vec::new(),
            };
        }
    }
    let (missing, extra) = compare.list_gaps(&best);
    Alignment {
        counterparts: best,
        missing,
        extra,
    }
}

/// What of an item survives translation.
struct Traits {
    length: f64,
    numbers: BTreeSet<String>,
    /// Words in Latin letters and digits, folded.
    latin: BTreeSet<String>,
    label: Option<usize>,
}

fn list_traits(set: &AuditSet<'_>) -> Vec<Traits> {
    let read = |item: &AuditItem| {
        let text = item.parts.join(" ");
        let digits: String = text
            .chars()
            .map(|c| {
                digit(c)
                    .and_then(|value| char::from_digit(value, 10))
                    .unwrap_or(' ')
            })
            .collect();
        let latin = words(&text).filter(|word| word.len() >= 4 && word.is_ascii());
        Traits {
            length: text.chars().count() as f64,
            numbers: digits.split_whitespace().map(str::to_owned).collect(),
            latin: latin.map(str::to_lowercase).collect(),
            label: item
                .gold
                .as_deref()
                .and_then(|gold| set.label(gold))
                .map(|label| label.0),
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
            true => (((here.length / there.length).ln() - self.typical).abs()
                * there.length.sqrt()
                / 3.0)
                .min(3.0),
            false => 1.0,
        };
        let numbers = 1.5 * (1.0 - share(&here.numbers, &there.numbers));
        let latin = if here.latin.is_empty() {
            0.0
        } else {
            1.0 - share(&here.latin, &there.latin)
        };
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
        let pairs = counterparts
            .iter()
            .enumerate()
            .filter_map(|(i, j)| Some(self.pair_cost(i, (*j)?)));
        pairs.sum::<f64>() + GAP * gaps as f64
    }

    /// The alignment with the lowest cost.
    fn align(&self) -> Vec<Option<usize>> {
        self.trace_back(&self.costs())
    }

    /// English items and items here that are without a counterpart in the best alignment, or in
    /// one that costs hardly more: neighbours of equal length cannot always be told apart.
    fn list_gaps(&self, best: &[Option<usize>]) -> (Vec<usize>, Vec<usize>) {
        let (rows, columns) = (self.here.len(), self.there.len());
        let forward = self.costs();
        let backward = self.costs_to_end();
        let limit = forward[rows][columns] + DOUBT;
        let is_missing =
            |&j: &usize| (0..=rows).any(|i| forward[i][j] + GAP + backward[i][j + 1] <= limit);
        let is_extra =
            |&i: &usize| (0..=columns).any(|j| forward[i][j] + GAP + backward[i + 1][j] <= limit);
        let matched: BTreeSet<usize> = best.iter().flatten().copied().collect();
        let missing = (0..columns)
            .filter(|j| !matched.contains(j))
            .collect::<Vec<_>>();
        let extra: Vec<usize> = (0..rows).filter(|i| best[*i].is_none()).collect();
        let widen = |best: Vec<usize>, maybe: Vec<usize>| match maybe.len() <= best.len() + DOUBTED
        {
            true if !best.is_empty() => maybe,
            _ => best,
        };
        (
            widen(missing, (0..columns).filter(is_missing).collect()),
            widen(extra, (0..rows).filter(is_extra).collect()),
        )
    }

    /// The lowest cost from the beginnings to every pair of places, within a band around the
    /// diagonal.
    fn costs(&self) -> Vec<Vec<f64>> {
        let (rows, columns) = (self.here.len(), self.there.len());
        let reach = rows.abs_diff(columns) + BAND;
        let is_near = |i: usize, j: usize| (i * columns / rows.max(1)).abs_diff(j) <= reach;
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
        costs
    }

    /// The lowest cost from every pair of places to the ends, within the same band.
    fn costs_to_end(&self) -> Vec<Vec<f64>> {
        let (rows, columns) = (self.here.len(), self.there.len());
        let reach = rows.abs_diff(columns) + BAND;
        let is_near = |i: usize, j: usize| (i * columns / rows.max(1)).abs_diff(j) <= reach;
        let mut costs = vec![vec![f64::INFINITY; columns + 2]; rows + 2];
        costs[rows][columns] = 0.0;
        for i in (0..=rows).rev() {
            for j in (0..=columns)
                .rev()
                .filter(|&j| is_near(i, j) && (i, j) != (rows, columns))
            {
                let both = if i < rows && j < columns {
                    costs[i + 1][j + 1] + self.pair_cost(i, j)
                } else {
                    f64::INFINITY
                };
                costs[i][j] = both.min(costs[i + 1][j] + GAP).min(costs[i][j + 1] + GAP);
            }
        }
        costs
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
    if all == 0 {
        1.0
    } else {
        a.intersection(b).count() as f64 / all as f64
    }
}

fn describe_gaps(
    set: &AuditSet<'_>,
    english: &AuditSet<'_>,
    alignment: &Alignment,
) -> Vec<Finding> {
    let Alignment {
        counterparts,
        missing,
        extra,
    } = alignment;
    let matched = counterparts.iter().flatten().count();
    let counts = format!(
        "{} items here, {} in {}",
        set.items.len(),
        english.items.len(),
        english.source.name
    );
    // An item that stands at another place than in English: statistics that pair items by
    // position are wrong.
    let is_shifted = counterparts
        .iter()
        .enumerate()
        .any(|(i, j)| j.is_some_and(|j| j != i));
    let severity = if is_shifted {
        Severity::Error
    } else {
        Severity::Warning
    };
    let describe =
        |of: &AuditSet<'_>, items: &[usize], count: usize, what: &str, suggestion: &str| {
            let seen: Vec<(usize, String)> = items
                .iter()
                .map(|&item| (item, format!("`{}`", of.quote(&of.items[item]))))
                .collect();
            let which = if items.len() > count {
                format!("{what}, which are {count} of these")
            } else {
                what.to_owned()
            };
            let evidence = format!(
                "{counts}; by alignment {which}: {}",
                shorten(&show_items(&seen), 260)
            );
            let finding = set.finding(
                Kind::ItemCount,
                severity,
                items.to_vec(),
                evidence,
                suggestion,
            );
            (!items.is_empty()).then_some(Finding { count, ..finding })
        };
    let missing = describe(
        english,
        missing,
        english.items.len() - matched,
        "English items have no counterpart here",
        "translate them, or take them out in every language: languages are compared item by item",
    );
    let extra = describe(
        set,
        extra,
        set.items.len() - matched,
        "items here have no English counterpart",
        "take them out, or add them in every language",
    );
    missing.into_iter().chain(extra).collect()
}
