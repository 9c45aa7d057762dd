//! Area under the ROC curve: the chance that a right item's score is above a wrong item's, ties
//! counted half (Mann & Whitney 1947; Hanley & McNeil 1982). With three and more labels it is
//! the mean over pairs of labels (Hand & Till 2001), each pair by the odds of the two. It needs
//! no threshold, so no preference that all items share can move it.

use super::mean;

/// Items in falling order of their score.
struct Ranking {
    order: Vec<RankedItem>,
}

struct RankedItem {
    item: u32,
    positive: bool,
    /// Whether its score is below the score before it.
    starts_lower: bool,
}

impl Ranking {
    /// Of `items` alone.
    fn new(mut items: Vec<usize>, scores: &[f64], positive: &[bool]) -> Self {
        items.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        let mut order: Vec<RankedItem> = Vec::with_capacity(items.len());
        for item in items {
            let starts_lower = order
                .last()
                .is_none_or(|previous| scores[item] < scores[previous.item as usize]);
            order.push(RankedItem {
                item: item as u32,
                positive: positive[item],
                starts_lower,
            });
        }
        Self { order }
    }

    /// Item `i` counts `counts[i]` times. NaN if no positive or no negative item counts.
    fn area(&self, counts: &[u8]) -> f64 {
        let (mut positives, mut negatives, mut area) = (0.0, 0.0, 0.0);
        let (mut tied_positives, mut tied_negatives) = (0.0, 0.0);
        for ranked in &self.order {
            if ranked.starts_lower {
                area += tied_negatives * (positives + tied_positives / 2.0);
                positives += tied_positives;
                negatives += tied_negatives;
                (tied_positives, tied_negatives) = (0.0, 0.0);
            }
            let tied = if ranked.positive {
                &mut tied_positives
            } else {
                &mut tied_negatives
            };
            *tied += f64::from(counts[ranked.item as usize]);
        }
        area += tied_negatives * (positives + tied_positives / 2.0);
        area / ((positives + tied_positives) * (negatives + tied_negatives))
    }
}

/// The items with the gold label `a` or `b`, by the share of `a` in the two; `None` if one of the
/// labels is never gold.
fn rank_pair<S: AsRef<[f64]>>(shares: &[S], gold: &[usize], a: usize, b: usize) -> Option<Ranking> {
    if !gold.contains(&a) || !gold.contains(&b) {
        return None;
    }
    let items = (0..gold.len())
        .filter(|&item| gold[item] == a || gold[item] == b)
        .collect();
    let scores: Vec<f64> = shares
        .iter()
        .map(AsRef::as_ref)
        .map(|of_item| match of_item[a] + of_item[b] {
            sum if sum > 0.0 => of_item[a] / sum,
            _ => 0.5,
        })
        .collect();
    let positive: Vec<bool> = gold.iter().map(|&g| g == a).collect();
    Some(Ranking::new(items, &scores, &positive))
}

/// How well the labels' scores order the items of one language.
pub(crate) struct Separation(Vec<Ranking>);

impl Separation {
    /// `shares[item][label]`; `gold[item]` is a label. For each pair of labels that are both
    /// gold for some items, those items by the share of the first label in the two.
    pub(crate) fn new<S: AsRef<[f64]>>(shares: &[S], gold: &[usize], labels: usize) -> Self {
        let pairs = (0..labels).flat_map(|a| (a + 1..labels).map(move |b| (a, b)));
        Self(
            pairs
                .filter_map(|(a, b)| rank_pair(shares, gold, a, b))
                .collect(),
        )
    }

    /// The area, or the mean of the pairs' areas. NaN if undefined, as when all items have one
    /// gold label.
    pub(crate) fn area(&self, counts: &[u8]) -> f64 {
        mean(self.0.iter().map(|ranking| ranking.area(counts)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SHARES: [f64; 10] = [0.9, 0.8, 0.8, 0.7, 0.6, 0.55, 0.5, 0.5, 0.3, 0.1];
    const GOLD: [usize; 10] = [0, 0, 1, 0, 0, 1, 1, 0, 1, 1];

    fn binary(first: &[f64], gold: &[usize]) -> Separation {
        let shares: Vec<Vec<f64>> = first
            .iter()
            .map(|&share| vec![share, 1.0 - share])
            .collect();
        Separation::new(&shares, gold, 2)
    }

    #[test]
    fn equals_scikit_learn() {
        let separation = binary(&SHARES, &GOLD);
        assert!((separation.area(&[1; 10]) - 0.8).abs() < 1e-12);
        assert!((separation.area(&[2, 0, 1, 3, 1, 1, 0, 2, 1, 1]) - 0.75).abs() < 1e-12);
        let three = [
            [5, 3, 2],
            [4, 4, 2],
            [1, 8, 1],
            [3, 3, 4],
            [2, 2, 6],
            [6, 2, 2],
            [1, 5, 4],
            [3, 4, 3],
        ];
        let shares: Vec<Vec<f64>> = three
            .map(|row| row.map(|tenths| f64::from(tenths) / 10.0).to_vec())
            .to_vec();
        let area = Separation::new(&shares, &[0, 1, 1, 2, 2, 0, 0, 1], 3).area(&[1; 8]);
        assert!((area - 0.814_814_814_814_814_9).abs() < 1e-12, "{area}");
    }

    #[test]
    fn one_gold_label_has_no_area_and_all_ties_are_half() {
        assert!(binary(&SHARES, &[0; 10]).area(&[1; 10]).is_nan());
        assert!((binary(&[0.5; 10], &GOLD).area(&[1; 10]) - 0.5).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn a_moved_prior_leaves_it_alone(logits in prop::collection::vec((-30_i32..30, any::<bool>()), 2..40), by in -9_i32..9) {
            let gold: Vec<usize> = logits.iter().map(|(_, gold)| usize::from(*gold)).collect();
            prop_assume!(gold.contains(&0) && gold.contains(&1));
            let shares = |moved: i32| -> Vec<f64> {
                logits.iter().map(|(x, _)| 1.0 / (1.0 + (-f64::from(x + moved) / 8.0).exp())).collect()
            };
            let ones = vec![1; gold.len()];
            let (before, after) = (binary(&shares(0), &gold).area(&ones), binary(&shares(by), &gold).area(&ones));
            prop_assert!((before - after).abs() < 1e-12);
            let swapped: Vec<usize> = gold.iter().map(|g| 1 - g).collect();
            prop_assert!((before + binary(&shares(0), &swapped).area(&ones) - 1.0).abs() < 1e-12);
        }
    }

    proptest! {
        #[test]
        fn a_preference_that_all_items_share_leaves_three_labels_alone(
            rows in prop::collection::vec((prop::array::uniform3(1_u32..90), 0_usize..3), 3..40),
            by in prop::array::uniform3(0_u32..4),
        ) {
            let gold: Vec<usize> = rows.iter().map(|(_, gold)| *gold).collect();
            prop_assume!((0..3).filter(|label| gold.contains(label)).count() > 1);
            // powers of two lose nothing
            let scale = |row: &[u32; 3], by: [u32; 3]| -> Vec<f64> {
                row.iter().zip(by).map(|(score, by)| f64::from(*score) * f64::from(1_u32 << by)).collect()
            };
            let area = |by: [u32; 3]| {
                let scores: Vec<Vec<f64>> = rows.iter().map(|(row, _)| scale(row, by)).collect();
                Separation::new(&scores, &gold, 3).area(&vec![1; gold.len()])
            };
            prop_assert!((area([0; 3]) - area(by)).abs() < 1e-12);
        }
    }
}
