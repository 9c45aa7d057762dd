//! Whether two languages get the same answers: agreement, agreement by chance, and RankC (Qi,
//! Fernandez & Bisazza 2023, arXiv 2310.10378): how alike whole rankings of the labels are.

use std::collections::BTreeMap;

use super::mean;

/// Weights of the first 1, 2, ... `labels` places: a softmax over `labels`, `labels` - 1, ...,
/// 1, as in the paper.
fn place_weights(labels: usize) -> Vec<f64> {
    let exponentials: Vec<f64> = (0..labels).map(|place| (-(place as f64)).exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials.iter().map(|e| e / sum).collect()
}

/// RankC of one item: the weighted mean, over j, of the share of labels that the first j places
/// of both rankings have in common. A ranking has every label once, the best first. 1: the same
/// ranking.
pub(crate) fn rank_consistency<T: PartialEq>(a: &[T], b: &[T]) -> f64 {
    let weights = place_weights(a.len());
    weights
        .iter()
        .enumerate()
        .map(|(place, weight)| weight * shared_share(&a[..=place], &b[..=place]))
        .sum()
}

/// The share of labels that two lists of one length have in common.
fn shared_share<T: PartialEq>(a: &[T], b: &[T]) -> f64 {
    a.iter().filter(|label| b.contains(label)).count() as f64 / a.len() as f64
}

/// Mean RankC of an item in one language with an item drawn at random in the other: the value
/// that these rankings have by chance.
pub(crate) fn chance_rank_consistency<'a, T: Ord + 'a>(
    a: impl Iterator<Item = &'a [T]>,
    b: impl Iterator<Item = &'a [T]>,
) -> f64 {
    let (of_a, of_b) = (count(a), count(b));
    let items = |counts: &BTreeMap<&[T], usize>| counts.values().sum::<usize>();
    let all = items(&of_a) * items(&of_b);
    let pairs = of_a.iter().flat_map(|(x, in_a)| {
        of_b.iter()
            .map(move |(y, in_b)| (x, y, (in_a * in_b) as f64))
    });
    let sum: f64 = pairs
        .map(|(x, y, times)| times * rank_consistency(x, y))
        .sum();
    sum / all as f64
}

fn count<'a, T: Ord>(rankings: impl Iterator<Item = &'a [T]>) -> BTreeMap<&'a [T], usize> {
    let mut counts = BTreeMap::new();
    rankings.for_each(|ranking| *counts.entry(ranking).or_insert(0) += 1);
    counts
}

/// Share of items answered alike in all languages if each language drew its answers from its
/// own label shares: `shares[language][label]`.
pub(crate) fn chance_alike(shares: &[&[f64]]) -> f64 {
    let labels = shares.first().map_or(0, |shares| shares.len());
    (0..labels)
        .map(|label| shares.iter().map(|of| of[label]).product::<f64>())
        .sum()
}

/// Of each item, the share of pairs of languages that agree: `answers[language][item]`.
pub(crate) fn pairs_alike(answers: &[&[usize]], labels: usize) -> Vec<f64> {
    let items = answers.first().map_or(0, |answers| answers.len());
    let pairs = (answers.len() * (answers.len().saturating_sub(1))) as f64;
    (0..items)
        .map(|item| {
            let agreeing: usize = (0..labels)
                .map(|label| answers.iter().filter(|of| of[item] == label).count())
                .map(|votes| votes * votes.saturating_sub(1))
                .sum();
            agreeing as f64 / pairs
        })
        .collect()
}

/// Fleiss' kappa (1971): agreement of pairs above what the languages' pooled label shares give,
/// 1 if perfect. NaN where one label is always chosen.
pub(crate) fn fleiss_kappa(pairs_alike: &[f64], shares: &[&[f64]]) -> f64 {
    let labels = shares.first().map_or(0, |shares| shares.len());
    let chance: f64 = (0..labels)
        .map(|label| mean(shares.iter().map(|of| of[label])).powi(2))
        .sum();
    if chance >= 1.0 {
        f64::NAN
    } else {
        (mean(pairs_alike.iter().copied()) - chance) / (1.0 - chance)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rank_consistency_of_constructed_rankings() {
        let near = |found: f64, expected: f64| {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}")
        };
        near(rank_consistency(&[2, 0, 1], &[2, 0, 1]), 1.0);
        // two labels: the first place has weight e^2 / (e^2 + e), the second always agrees
        near(rank_consistency(&[0, 1], &[1, 0]), 0.268_941_421_369_995_1);
        near(rank_consistency(&[0, 1, 2], &[1, 0, 2]), REFERENCE[0]);
        near(rank_consistency(&[0, 1, 2], &[2, 1, 0]), REFERENCE[1]);
        near(rank_consistency(&[0, 1, 2, 3], &[3, 1, 0, 2]), REFERENCE[2]);
        let (a, b) = (
            vec![vec![0, 1], vec![0, 1], vec![1, 0]],
            vec![vec![0, 1], vec![1, 0], vec![1, 0]],
        );
        near(
            chance_rank_consistency(a.iter().map(Vec::as_slice), b.iter().map(Vec::as_slice)),
            4.0 / 9.0 + 5.0 / 9.0 * 0.268_941_421_369_995_1,
        );
    }

    const REFERENCE: [f64; 3] = [
        0.334_759_044_225_178_1,
        0.212_394_808_697_779_27,
        0.208_596_224_819_728_45,
    ];

    #[test]
    fn kappa_equals_statsmodels() {
        let answers: [&[usize]; 3] = [
            &[0, 1, 2, 1, 0, 2],
            &[0, 1, 1, 1, 2, 2],
            &[0, 0, 2, 1, 0, 1],
        ];
        let share = |of: &[usize]| {
            [0, 1, 2].map(|label| of.iter().filter(|l| **l == label).count() as f64 / 6.0)
        };
        let shares = answers.map(share);
        let shares: Vec<&[f64]> = shares.iter().map(|of| of.as_slice()).collect();
        let alike = pairs_alike(&answers, 3);
        let found = fleiss_kappa(&alike, &shares);
        assert!((found - 0.327_102_803_738_317_8).abs() < 1e-9, "{found}");
        assert!(fleiss_kappa(&[1.0], &[&[1.0, 0.0], &[1.0, 0.0]]).is_nan());
        assert!((chance_alike(&[&[0.5, 0.5], &[0.9, 0.1]]) - 0.5).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn rank_consistency_is_symmetric_and_takes_names_as_they_come(seed in 0_usize..5040, other in 0_usize..5040, turn in 0_usize..7) {
            let permute = |mut seed: usize| {
                let mut left: Vec<usize> = (0..7).collect();
                (1..=7).rev().map(|n| { let at = seed % n; seed /= n; left.remove(at) }).collect::<Vec<usize>>()
            };
            let (a, b) = (permute(seed), permute(other));
            let found = rank_consistency(&a, &b);
            prop_assert!((found - rank_consistency(&b, &a)).abs() < 1e-12 && found > 0.0 && found <= 1.0 + 1e-12);
            let rename = |ranking: &[usize]| ranking.iter().map(|l| (l + turn) % 7).collect::<Vec<_>>();
            prop_assert!((found - rank_consistency(&rename(&a), &rename(&b))).abs() < 1e-12);
        }
    }
}
