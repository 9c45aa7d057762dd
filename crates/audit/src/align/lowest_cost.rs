//! The alignment of lowest cost between the items of two files. What is compared needs no
//! dictionary: lengths, numbers, names that keep their letters, and labels once it is known that
//! they agree. Only a band around the diagonal is kept, so that memory and time grow with the
//! items, not with their square. Never here: findings.

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher},
    ops::RangeInclusive,
};

use crate::{
    pulse::Pulse,
    set::{AuditItem, AuditSet},
    text::{digit, words},
};

/// Cost of leaving an item without a counterpart; a pair of unrelated items costs more than two
/// of these.
const GAP: f64 = 2.0;
/// How far from the diagonal an alignment may go beyond the difference of the counts.
const BAND: usize = 40;
/// Places of a band that are kept: 160 MB of costs.
const PLACES: usize = 20_000_000;
/// How much more an alignment may cost for its gaps to be said too.
const DOUBT: f64 = 1.5;
/// Candidates beyond the number of gaps that are worth saying.
const DOUBTED: usize = 4;

/// Properties of an item that survive translation.
pub(super) struct Traits {
    pub(super) length: f64,
    numbers: Vec<u64>,
    /// Words in Latin letters and digits, folded.
    latin: Vec<u64>,
    pub(super) label: Option<usize>,
}

impl Traits {
    pub(super) fn of_items(set: &AuditSet<'_>) -> Vec<Self> {
        set.numbered().map(|(_, item)| Self::of(item)).collect()
    }

    fn of(item: &AuditItem) -> Self {
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
        Self {
            length: text.chars().count() as f64,
            numbers: distinct(digits.split_whitespace()),
            latin: distinct(latin.map(str::to_lowercase)),
            label: item.label.map(|label| label.0),
        }
    }
}

/// Words as numbers, in rising order: two lists are then compared without their letters.
fn distinct(words: impl Iterator<Item: Hash>) -> Vec<u64> {
    let mut numbers: Vec<u64> = words
        .map(|word| {
            let mut hasher = DefaultHasher::new();
            word.hash(&mut hasher);
            hasher.finish()
        })
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// Two files' items, and how they are compared.
pub(super) struct ItemComparison<'a> {
    pub(super) here: &'a [Traits],
    pub(super) there: &'a [Traits],
    /// Median of the logarithm of the lengths' ratio.
    pub(super) typical: f64,
    pub(super) with_labels: bool,
    pub(super) pulse: &'a Pulse,
}

impl ItemComparison<'_> {
    /// 0 for what looks like a translation, up to about 7.
    pub(super) fn pair_cost(&self, i: usize, j: usize) -> f64 {
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

    /// Whether the counts are so near that a band between them can be kept.
    pub(super) fn is_feasible(&self) -> bool {
        (self.here.len() + 1).saturating_mul(2 * self.reach() + 1) <= PLACES
    }

    /// Cost of a whole alignment.
    pub(super) fn cost(&self, counterparts: &[Option<usize>]) -> f64 {
        let matched = counterparts.iter().flatten().count();
        let gaps = self.here.len() + self.there.len() - 2 * matched;
        let pairs = counterparts
            .iter()
            .enumerate()
            .filter_map(|(i, j)| Some(self.pair_cost(i, (*j)?)));
        pairs.sum::<f64>() + GAP * gaps as f64
    }

    /// The alignment with the lowest cost.
    pub(super) fn align(&self) -> Vec<Option<usize>> {
        self.trace_back(&self.costs())
    }

    /// English items and items here that are without a counterpart in the best alignment, or in
    /// one that costs hardly more: neighbours of equal length cannot always be distinguished.
    pub(super) fn list_gaps(&self, best: &[Option<usize>]) -> (Vec<usize>, Vec<usize>) {
        let (rows, columns) = (self.here.len(), self.there.len());
        let forward = self.costs();
        let backward = self.costs_to_end();
        let limit = forward.get(rows, columns) + DOUBT;
        let matched: BTreeSet<usize> = best.iter().flatten().copied().collect();
        let missing = (0..columns).filter(|j| !matched.contains(j)).collect();
        let extra = (0..rows).filter(|i| best[*i].is_none()).collect();
        let (mut maybe_missing, mut maybe_extra) = (BTreeSet::new(), BTreeSet::new());
        for i in 0..=rows {
            for j in self.near(i) {
                let cost = forward.get(i, j) + GAP;
                if j < columns && cost + backward.get(i, j + 1) <= limit {
                    maybe_missing.insert(j);
                }
                if i < rows && cost + backward.get(i + 1, j) <= limit {
                    maybe_extra.insert(i);
                }
            }
        }
        (widen(missing, maybe_missing), widen(extra, maybe_extra))
    }

    fn reach(&self) -> usize {
        self.here.len().abs_diff(self.there.len()) + BAND
    }

    /// Where an alignment may pass in a row: within a band around the diagonal.
    fn near(&self, i: usize) -> RangeInclusive<usize> {
        let (rows, columns) = (self.here.len(), self.there.len());
        let center = i * columns / rows.max(1);
        center.saturating_sub(self.reach())..=(center + self.reach()).min(columns)
    }

    fn band(&self) -> Band {
        let (rows, width) = (self.here.len() + 1, 2 * self.reach() + 1);
        Band {
            starts: (0..rows).map(|i| *self.near(i).start()).collect(),
            width,
            values: vec![f64::INFINITY; rows * width],
        }
    }

    /// The lowest cost from the beginnings to every pair of places, within a band around the
    /// diagonal.
    fn costs(&self) -> Band {
        let mut costs = self.band();
        for i in 0..=self.here.len() {
            if self.pulse.is_stopped() {
                break;
            }
            for j in self.near(i) {
                let mut best = if i == 0 && j == 0 { 0.0 } else { f64::INFINITY };
                if i > 0 && j > 0 {
                    best = costs.get(i - 1, j - 1) + self.pair_cost(i - 1, j - 1);
                }
                if i > 0 {
                    best = best.min(costs.get(i - 1, j) + GAP);
                }
                if j > 0 {
                    best = best.min(costs.get(i, j - 1) + GAP);
                }
                costs.set(i, j, best);
            }
        }
        costs
    }

    /// The lowest cost from every pair of places to the ends, within the same band.
    fn costs_to_end(&self) -> Band {
        let (rows, columns) = (self.here.len(), self.there.len());
        let mut costs = self.band();
        costs.set(rows, columns, 0.0);
        for i in (0..=rows).rev() {
            if self.pulse.is_stopped() {
                break;
            }
            for j in self.near(i).rev().filter(|&j| (i, j) != (rows, columns)) {
                let both = if i < rows && j < columns {
                    costs.get(i + 1, j + 1) + self.pair_cost(i, j)
                } else {
                    f64::INFINITY
                };
                let best = both
                    .min(costs.get(i + 1, j) + GAP)
                    .min(costs.get(i, j + 1) + GAP);
                costs.set(i, j, best);
            }
        }
        costs
    }

    fn trace_back(&self, costs: &Band) -> Vec<Option<usize>> {
        let (mut i, mut j) = (self.here.len(), self.there.len());
        let mut counterparts = vec![None; i];
        while i > 0 && j > 0 {
            let cost = costs.get(i, j);
            if cost == costs.get(i - 1, j - 1) + self.pair_cost(i - 1, j - 1) {
                (i, j) = (i - 1, j - 1);
                counterparts[i] = Some(j);
            } else if cost == costs.get(i, j - 1) + GAP {
                j -= 1;
            } else {
                i -= 1;
            }
        }
        counterparts
    }
}

/// Costs within a band around the diagonal; endless outside.
struct Band {
    /// By row, the first column that is kept.
    starts: Vec<usize>,
    width: usize,
    values: Vec<f64>,
}

impl Band {
    fn place(&self, i: usize, j: usize) -> Option<usize> {
        let at = j.checked_sub(*self.starts.get(i)?)?;
        (at < self.width).then_some(i * self.width + at)
    }

    fn get(&self, i: usize, j: usize) -> f64 {
        self.place(i, j)
            .map_or(f64::INFINITY, |place| self.values[place])
    }

    fn set(&mut self, i: usize, j: usize, cost: f64) {
        if let Some(place) = self.place(i, j) {
            self.values[place] = cost;
        }
    }
}

/// `maybe` in place of `best`, where it is not many more.
fn widen(best: Vec<usize>, maybe: BTreeSet<usize>) -> Vec<usize> {
    if !best.is_empty() && maybe.len() <= best.len() + DOUBTED {
        maybe.into_iter().collect()
    } else {
        best
    }
}

/// Shared among all; 1 where neither has any.
fn share(a: &[u64], b: &[u64]) -> f64 {
    let both = data::overlap::count_shared(a, b);
    let all = a.len() + b.len() - both;
    if all == 0 {
        1.0
    } else {
        both as f64 / all as f64
    }
}
