//! The alignment of lowest cost between the items of two files. What is compared needs no
//! dictionary: lengths, numbers, names that keep their letters, and labels once it is known that
//! they agree. Never here: findings.

use std::collections::BTreeSet;

use crate::{
    set::{AuditItem, AuditSet},
    text::{digit, words},
};

/// Cost of leaving an item without a counterpart; a pair of unrelated items costs more than two
/// of these.
const GAP: f64 = 2.0;
/// How far from the diagonal an alignment may go beyond the difference of the counts.
const BAND: usize = 40;
/// How much more an alignment may cost for its gaps to be said too.
const DOUBT: f64 = 1.5;
/// Candidates beyond the number of gaps that are worth saying.
const DOUBTED: usize = 4;

/// Properties of an item that survive translation.
pub(super) struct Traits {
    pub(super) length: f64,
    numbers: BTreeSet<String>,
    /// Words in Latin letters and digits, folded.
    latin: BTreeSet<String>,
    pub(super) label: Option<usize>,
}

impl Traits {
    pub(super) fn of_items(set: &AuditSet<'_>) -> Vec<Self> {
        set.items.iter().map(|item| Self::of(item, set)).collect()
    }

    fn of(item: &AuditItem, set: &AuditSet<'_>) -> Self {
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
            numbers: digits.split_whitespace().map(str::to_owned).collect(),
            latin: latin.map(str::to_lowercase).collect(),
            label: item
                .gold
                .as_deref()
                .and_then(|gold| set.label(gold))
                .map(|label| label.0),
        }
    }
}

/// Two files' items, and how they are compared.
pub(super) struct ItemComparison<'a> {
    pub(super) here: &'a [Traits],
    pub(super) there: &'a [Traits],
    /// Median of the logarithm of the lengths' ratio.
    pub(super) typical: f64,
    pub(super) with_labels: bool,
}

impl ItemComparison<'_> {
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
        let limit = forward[rows][columns] + DOUBT;
        let matched: BTreeSet<usize> = best.iter().flatten().copied().collect();
        let missing = (0..columns)
            .filter(|j| !matched.contains(j))
            .collect::<Vec<_>>();
        let extra: Vec<usize> = (0..rows).filter(|i| best[*i].is_none()).collect();
        let maybe_missing = (0..columns)
            .filter(|&j| (0..=rows).any(|i| forward[i][j] + GAP + backward[i][j + 1] <= limit));
        let maybe_extra = (0..rows)
            .filter(|&i| (0..=columns).any(|j| forward[i][j] + GAP + backward[i + 1][j] <= limit));
        let maybe_missing: Vec<usize> = maybe_missing.collect();
        (
            widen(missing, maybe_missing),
            widen(extra, maybe_extra.collect()),
        )
    }

    /// Whether an alignment may pass here: within a band around the diagonal.
    fn is_near(&self, i: usize, j: usize) -> bool {
        let (rows, columns) = (self.here.len(), self.there.len());
        let reach = rows.abs_diff(columns) + BAND;
        (i * columns / rows.max(1)).abs_diff(j) <= reach
    }

    /// The lowest cost from the beginnings to every pair of places, within a band around the
    /// diagonal.
    fn costs(&self) -> Vec<Vec<f64>> {
        let (rows, columns) = (self.here.len(), self.there.len());
        let mut costs = vec![vec![f64::INFINITY; columns + 1]; rows + 1];
        for i in 0..=rows {
            for j in (0..=columns).filter(|&j| self.is_near(i, j)) {
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
        let mut costs = vec![vec![f64::INFINITY; columns + 2]; rows + 2];
        costs[rows][columns] = 0.0;
        for i in (0..=rows).rev() {
            for j in (0..=columns)
                .rev()
                .filter(|&j| self.is_near(i, j) && (i, j) != (rows, columns))
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

/// `maybe` in place of `best`, where it is not many more.
fn widen(best: Vec<usize>, maybe: Vec<usize>) -> Vec<usize> {
    if !best.is_empty() && maybe.len() <= best.len() + DOUBTED {
        maybe
    } else {
        best
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
