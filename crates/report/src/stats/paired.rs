//! Tests of a paired change: McNemar's exact test (McNemar 1947), its form for several seeds, and Holm's adjustment
//! for testing many languages (Holm 1979).

/// Two-sided exact p-value that the signs of `changes` are tossed coins. An item's change is the number of seeds right
/// after minus the number right before. With one seed every change is -1, 0 or 1 and this is McNemar's exact test.
pub(crate) fn sign_flip_p(changes: &[i32]) -> f64 {
    let sizes: Vec<usize> = changes.iter().filter(|c| **c != 0).map(|c| c.unsigned_abs() as usize).collect();
    let observed = changes.iter().sum::<i32>().unsigned_abs() as usize;
    let reach: usize = sizes.iter().sum();
    let mut chance = vec![0.0; 2 * reach + 1]; // of each sum, from -reach to reach
    chance[reach] = 1.0;
    for size in sizes {
        let previous = std::mem::replace(&mut chance, vec![0.0; 2 * reach + 1]);
        for (sum, mass) in previous.into_iter().enumerate().filter(|(_, mass)| *mass > 0.0) {
            chance[sum - size] += mass / 2.0;
            chance[sum + size] += mass / 2.0;
        }
    }
    let extreme = chance.iter().enumerate().filter(|(sum, _)| sum.abs_diff(reach) >= observed);
    extreme.map(|(_, mass)| mass).sum::<f64>().min(1.0)
}

/// Holm's step-down adjustment, in the order given.
pub(crate) fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut largest: f64 = 0.0;
    for (rank, &index) in order.iter().enumerate() {
        largest = largest.max(p_values[index] * (p_values.len() - rank) as f64).min(1.0);
        adjusted[index] = largest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one_seed(gained: usize, lost: usize) -> Vec<i32> {
        [vec![1; gained], vec![-1; lost], vec![0; 7]].concat()
    }

    #[test]
    fn one_seed_equals_mcnemar_of_statsmodels() {
        let cases = [
            (9, 2, 0.065_429_687_5),
            (1, 8, 0.039_062_5),
            (5, 5, 1.0),
            (40, 17, 0.003_201_543_767_450_381_3),
            (0, 0, 1.0),
        ];
        for (gained, lost, p) in cases {
            let found = sign_flip_p(&one_seed(gained, lost));
            assert!((found - p).abs() < 1e-12, "{gained} gained, {lost} lost: {found}");
        }
    }

    #[test]
    fn two_seeds_equal_the_enumeration_of_all_signs() {
        let found = sign_flip_p(&[2, 2, 1, 1, 1, 2, -1, 2, -2, 1, 0, 0]);
        assert!((found - 0.109_375).abs() < 1e-12, "{found}");
    }

    #[test]
    fn holm_equals_statsmodels() {
        let found = holm(&[0.01, 0.04, 0.03, 0.005, 0.5]);
        for (found, expected) in found.iter().zip([0.04, 0.09, 0.09, 0.025, 0.5]) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
        assert!(holm(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn direction_and_seed_copies_do_not_matter(gained in 0_usize..40, lost in 0_usize..40) {
            let p = sign_flip_p(&one_seed(gained, lost));
            prop_assert!((p - sign_flip_p(&one_seed(lost, gained))).abs() < 1e-12);
            let three_equal_seeds: Vec<i32> = one_seed(gained, lost).iter().map(|c| 3 * c).collect();
            prop_assert!((p - sign_flip_p(&three_equal_seeds)).abs() < 1e-12);
        }

        #[test]
        fn holm_never_lowers_and_keeps_the_order(p_values in prop::collection::vec(0.0..=1.0_f64, 1..25)) {
            let adjusted = holm(&p_values);
            for (i, &p) in p_values.iter().enumerate() {
                prop_assert!(adjusted[i] >= p && adjusted[i] <= 1.0);
                for (j, &other) in p_values.iter().enumerate() {
                    prop_assert!(p > other || adjusted[i] <= adjusted[j]);
                }
            }
        }
    }
}
