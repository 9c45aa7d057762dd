//! Tests of a paired change: McNemar's exact test (McNemar 1947) and its mid-p form (Fagerland,
//! Lydersen & Laake 2013), their generalisation to several seeds and to clusters, and
//! adjustments for testing many languages: Holm 1979, Benjamini & Hochberg 1995.

use std::collections::BTreeMap;

use serde::Serialize;

use super::distribution::coin;

/// Two-sided p-values of one paired change.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PairedP {
    /// Exact; never too small.
    pub exact: f64,
    /// Less half the chance of what was observed: nearer to 0.05 on average, now and then a
    /// little too small.
    pub mid: f64,
}

/// Exact p-values that the signs of `changes` are tossed coins. A unit's change is the number
/// of seeds right after minus the number right before, summed over the cluster's items where
/// items share a text. With one seed and no clusters every change is -1, 0 or 1 and this is
/// McNemar's exact test.
pub(crate) fn sign_flip(changes: &[i32]) -> PairedP {
    let sizes: Vec<usize> = changes
        .iter()
        .filter(|c| **c != 0)
        .map(|c| c.unsigned_abs() as usize)
        .collect();
    if sizes.is_empty() {
        return PairedP {
            exact: 1.0,
            mid: 1.0,
        }; // nothing changed: nothing to test
    }
    let divisor = sizes
        .iter()
        .fold(0, |divisor, &size| greatest_common_divisor(divisor, size))
        .max(1);
    let sizes: Vec<usize> = sizes.iter().map(|size| size / divisor).collect();
    let observed = changes.iter().sum::<i32>().unsigned_abs() as usize / divisor;
    let reach: usize = sizes.iter().sum();
    if sizes.len().saturating_mul(reach) > ONE_BY_ONE {
        return sign_flip_of_many(&sizes, observed);
    }
    let chance = chances_of_sums(&sizes);
    let (mut at_least, mut equal) = (0.0, 0.0);
    for (sum, mass) in chance.iter().enumerate() {
        let distance = sum.abs_diff(reach);
        if distance >= observed {
            at_least += mass;
        }
        if distance == observed {
            equal += mass;
        }
    }
    let exact = f64::min(at_least, 1.0);
    // the observed sum and its mirror image are two points, or one at 0; the whole chance of
    // one is half of both
    PairedP {
        exact,
        mid: exact - equal / if observed == 0 { 1.0 } else { 2.0 },
    }
}

/// Above so many steps the signs are not tossed one by one.
const ONE_BY_ONE: usize = 100_000_000;
/// Sums further from 0 than so many standard deviations are left out; their chance is below
/// 2 exp(-60).
const REACH: f64 = 11.0;

/// As [`sign_flip`], for so many changes that equal ones are tossed together.
fn sign_flip_of_many(sizes: &[usize], observed: usize) -> PairedP {
    let mut counts: BTreeMap<usize, u64> = BTreeMap::new();
    sizes
        .iter()
        .for_each(|&size| *counts.entry(size).or_default() += 1);
    let variance: f64 = sizes.iter().map(|&size| (size * size) as f64).sum();
    let reach = (REACH * variance.sqrt()).ceil() as i64;
    let mut chance = vec![1.0]; // of the sums -half..=half
    for (&size, &count) in &counts {
        chance = add_tosses(&chance, size as i64, count, reach);
    }
    let half = chance.len() as i64 / 2;
    let observed = observed as i64;
    let upper = |from: i64| -> f64 {
        let first = usize::try_from(from + half).unwrap_or(0);
        chance.iter().skip(first).rev().sum()
    };
    if observed == 0 {
        let equal = chance.get(half as usize).copied().unwrap_or(0.0);
        return PairedP {
            exact: 1.0,
            mid: 1.0 - equal,
        };
    }
    let left_out = 2.0 * (-REACH * REACH / 2.0).exp();
    let exact = f64::min(2.0 * upper(observed) + left_out, 1.0);
    let beyond = 2.0 * upper(observed + 1) + left_out;
    PairedP {
        exact,
        mid: f64::min((exact + beyond) / 2.0, 1.0),
    }
}

/// The chance of each sum within `reach`, once `count` changes of `size` are tossed too.
fn add_tosses(chance: &[f64], size: i64, count: u64, reach: i64) -> Vec<f64> {
    let half = chance.len() as i64 / 2;
    let spread = (REACH * (count as f64).sqrt()).ceil() as i64;
    let spread = spread.min(count as i64);
    let new_half = (half + size * spread).min(reach);
    let mut sums = vec![0.0; 2 * new_half as usize + 1];
    // hits less misses have the parity of their number
    let first = -(spread - (spread - count as i64).rem_euclid(2));
    for balance in (first..=spread).step_by(2) {
        let hits = (count as i64 + balance) / 2;
        let of_balance = coin(count, hits as u64);
        for (at, &of_sum) in chance.iter().enumerate() {
            let sum = at as i64 - half + size * balance + new_half;
            if let Some(slot) = usize::try_from(sum).ok().and_then(|sum| sums.get_mut(sum)) {
                *slot += of_balance * of_sum;
            }
        }
    }
    sums
}

/// The chance of each sum of `sizes` with tossed signs, from the lowest sum to the highest.
fn chances_of_sums(sizes: &[usize]) -> Vec<f64> {
    let reach: usize = sizes.iter().sum();
    let mut chance = vec![0.0; 2 * reach + 1];
    chance[reach] = 1.0;
    let mut reached = 0;
    for &size in sizes {
        let previous = chance.clone();
        chance[reach - reached..=reach + reached].fill(0.0);
        for sum in reach - reached..=reach + reached {
            let half = previous[sum] / 2.0;
            if half > 0.0 {
                chance[sum - size] += half;
                chance[sum + size] += half;
            }
        }
        reached += size;
    }
    chance
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}

/// Holm's step-down adjustment, in the order given: the chance of any false finding stays below
/// 0.05.
pub(crate) fn holm(p_values: &[f64]) -> Vec<f64> {
    let order = rising(p_values);
    let mut adjusted = vec![0.0; p_values.len()];
    let mut largest: f64 = 0.0;
    for (rank, &index) in order.iter().enumerate() {
        largest = largest
            .max(p_values[index] * (p_values.len() - rank) as f64)
            .min(1.0);
        adjusted[index] = largest;
    }
    adjusted
}

/// Benjamini and Hochberg's step-up adjustment, in the order given: of the findings below 0.05,
/// at most 5 % are expected to be false.
pub(crate) fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let order = rising(p_values);
    let mut adjusted = vec![0.0; p_values.len()];
    let mut smallest: f64 = 1.0;
    for (rank, &index) in order.iter().enumerate().rev() {
        smallest = smallest.min(p_values[index] * p_values.len() as f64 / (rank + 1) as f64);
        adjusted[index] = smallest;
    }
    adjusted
}

fn rising(p_values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    order
}

#[cfg(test)]
mod tests {
    /// The chance by tossing one by one.
    fn one_by_one(sizes: &[usize], observed: usize) -> PairedP {
        let reach: usize = sizes.iter().sum();
        let (mut at_least, mut equal) = (0.0, 0.0);
        for (sum, mass) in chances_of_sums(sizes).iter().enumerate() {
            let distance = sum.abs_diff(reach);
            at_least += if distance >= observed { *mass } else { 0.0 };
            equal += if distance == observed { *mass } else { 0.0 };
        }
        let exact = f64::min(at_least, 1.0);
        PairedP {
            exact,
            mid: exact - equal / if observed == 0 { 1.0 } else { 2.0 },
        }
    }

    #[test]
    fn tosses_of_many_are_those_one_by_one() {
        let mixed: Vec<usize> = (0..300).map(|i| [1, 1, 2, 3][i % 4]).collect();
        for sizes in [vec![1; 500], vec![1; 501], mixed] {
            let reach: usize = sizes.iter().sum();
            for observed in [0, 1, 20, 60, 90] {
                let observed = observed + (observed + reach) % 2; // only such sums there are
                let (found, expected) = (
                    sign_flip_of_many(&sizes, observed),
                    one_by_one(&sizes, observed),
                );
                let near = |a: f64, b: f64| (a - b).abs() < 1e-9 * b + 1e-24;
                assert!(
                    near(found.exact, expected.exact) && near(found.mid, expected.mid),
                    "{observed}: {found:?} {expected:?}"
                );
            }
        }
        let many = sign_flip(&[vec![1; 400_500], vec![-1; 399_500]].concat());
        // 2 P(K >= 400500) of 800000 tosses, summed in Python
        assert!((many.exact - 0.264_030).abs() < 1e-5, "{many:?}");
        let sure = sign_flip(&[1; 900_000]);
        assert!(sure.exact > 0.0 && sure.exact < 1e-20, "{sure:?}");
    }

    use proptest::prelude::*;

    use super::*;

    fn one_seed(gained: usize, lost: usize) -> Vec<i32> {
        [vec![1; gained], vec![-1; lost], vec![0; 7]].concat()
    }

    #[test]
    fn one_seed_equals_mcnemar_of_statsmodels() {
        let cases = [
            (9, 2, 0.065_429_687_5, 0.038_574_218_75),
            (1, 8, 0.039_062_5, 0.021_484_375),
            (5, 5, 1.0, 0.753_906_25),
            (
                40,
                17,
                0.003_201_543_767_450_381_3,
                0.002_232_551_619_942_922,
            ),
            (0, 0, 1.0, 1.0),
        ];
        for (gained, lost, exact, mid) in cases {
            let found = sign_flip(&one_seed(gained, lost));
            assert!(
                (found.exact - exact).abs() < 1e-12,
                "{gained} gained, {lost} lost: {found:?}"
            );
            assert!(
                (found.mid - mid).abs() < 1e-12,
                "{gained} gained, {lost} lost: {found:?}"
            );
        }
    }

    #[test]
    fn two_seeds_equal_the_enumeration_of_all_signs() {
        let found = sign_flip(&[2, 2, 1, 1, 1, 2, -1, 2, -2, 1, 0, 0]);
        assert!(
            (found.exact - 0.109_375).abs() < 1e-12 && (found.mid - 0.075_195_312_5).abs() < 1e-12,
            "{found:?}"
        );
    }

    #[test]
    fn adjustments_equal_statsmodels_with_ties_too() {
        let check = |found: Vec<f64>, expected: &[f64]| {
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-12, "{found} {expected}");
            }
        };
        let p_values = [0.01, 0.04, 0.03, 0.005, 0.5];
        check(holm(&p_values), &[0.04, 0.09, 0.09, 0.025, 0.5]);
        check(
            benjamini_hochberg(&p_values),
            &[0.025, 0.05, 0.05, 0.025, 0.5],
        );
        let tied = [0.02, 0.02, 0.8, 0.02, 1.0, 0.8];
        check(
            benjamini_hochberg(&tied),
            &[0.04, 0.04, 0.96, 0.04, 1.0, 0.96],
        );
        check(holm(&tied), &[0.12, 0.12, 1.0, 0.12, 1.0, 1.0]);
        assert!(holm(&[]).is_empty() && benjamini_hochberg(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn direction_and_seed_copies_do_not_matter(gained in 0_usize..40, lost in 0_usize..40) {
            let p = sign_flip(&one_seed(gained, lost));
            let near = |other: PairedP| (p.exact - other.exact).abs() < 1e-12 && (p.mid - other.mid).abs() < 1e-12;
            prop_assert!(near(sign_flip(&one_seed(lost, gained))));
            let three_equal_seeds: Vec<i32> = one_seed(gained, lost).iter().map(|c| 3 * c).collect();
            prop_assert!(near(sign_flip(&three_equal_seeds)));
            prop_assert!(p.mid <= p.exact && p.mid >= 0.0);
        }

        #[test]
        fn adjustments_never_lower_and_keep_the_order(p_values in prop::collection::vec(0.0..=1.0_f64, 1..25)) {
            let (holm, hochberg) = (holm(&p_values), benjamini_hochberg(&p_values));
            for (i, &p) in p_values.iter().enumerate() {
                prop_assert!(hochberg[i] >= p - 1e-15 && holm[i] >= hochberg[i] - 1e-12 && holm[i] <= 1.0);
                for (j, &other) in p_values.iter().enumerate() {
                    prop_assert!(p > other || (holm[i] <= holm[j] && hochberg[i] <= hochberg[j]));
                }
            }
        }
    }
}
