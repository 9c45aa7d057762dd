//! Removing a label preference from the scores: contextual calibration (arXiv 2102.09690)
//! divides by the scores of a content-free question, batch calibration (arXiv 2309.17249) by the
//! mean over the test items themselves.

/// The label with the highest score after division by its prior. Of equal ones `preferred` if
/// it is among them, else the first. `None` if a prior is not above 0.
pub(crate) fn choose_calibrated(scores: &[f64], prior: &[f64], preferred: usize) -> Option<usize> {
    if prior.len() != scores.len() || !prior.iter().all(|p| *p > 0.0) {
        return None;
    }
    let ratios: Vec<f64> = scores.iter().zip(prior).map(|(s, p)| s / p).collect();
    let mut best = preferred;
    for label in 0..ratios.len() {
        if ratios[label] > ratios[best] {
            best = label;
        }
    }
    Some(best)
}

/// Scores as shares of their sum; equal shares where all scores are 0.
pub(crate) fn normalise(scores: &[f64]) -> Vec<f64> {
    let sum: f64 = scores.iter().sum();
    if sum > 0.0 {
        scores.iter().map(|score| score / sum).collect()
    } else {
        vec![1.0 / scores.len() as f64; scores.len()]
    }
}

/// The mean share of each label over the items: batch calibration's prior.
/// `shares[item][label]`.
pub(crate) fn batch_prior<S: AsRef<[f64]>>(shares: &[S], labels: usize) -> Vec<f64> {
    (0..labels)
        .map(|label| super::mean(shares.iter().map(|of_item| of_item.as_ref()[label])))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_prior_is_divided_out() {
        // 0.6 / 0.8 = 0.75 against 0.3 / 0.2 = 1.5
        assert_eq!(choose_calibrated(&[0.6, 0.3], &[0.8, 0.2], 0), Some(1));
        assert_eq!(choose_calibrated(&[0.6, 0.3], &[0.5, 0.5], 0), Some(0));
        assert_eq!(choose_calibrated(&[0.5, 0.25], &[0.5, 0.25], 1), Some(1)); // a tie
        assert_eq!(choose_calibrated(&[0.6, 0.3], &[0.8, 0.0], 0), None);
        assert_eq!(choose_calibrated(&[0.6, 0.3], &[], 0), None);
    }

    #[test]
    fn shares_sum_to_one() {
        assert_eq!(normalise(&[0.25, 0.125, 0.125]), [0.5, 0.25, 0.25]);
        assert_eq!(normalise(&[0.0, 0.0]), [0.5, 0.5]);
    }

    #[test]
    fn batch_calibration_equals_numpy() {
        let scores = [
            [0.6, 0.3, 0.1],
            [0.5, 0.4, 0.1],
            [0.45, 0.35, 0.2],
            [0.7, 0.1, 0.2],
            [0.5, 0.2, 0.3],
        ];
        let shares: Vec<Vec<f64>> = scores.iter().map(|of| normalise(of)).collect();
        let prior = batch_prior(&shares, 3);
        assert!(
            prior
                .iter()
                .zip([0.55, 0.27, 0.18])
                .all(|(found, expected)| (found - expected).abs() < 1e-12)
        );
        let chosen: Vec<_> = shares
            .iter()
            .map(|of| choose_calibrated(of, &prior, 0))
            .collect();
        assert_eq!(chosen, [1, 1, 1, 0, 2].map(Some));
    }

    proptest! {
        #[test]
        fn batch_calibration_undoes_a_prior_that_all_items_share(
            rows in prop::collection::vec((0.05..0.95_f64, any::<bool>()), 2..30), tilt in 0.2..5.0_f64
        ) {
            // with mirrored items the untilted prior is even, and tilting scores, not shares,
            // must not change an answer
            let scores: Vec<[f64; 2]> = rows.iter().flat_map(|(p, _)| [[*p, 1.0 - p], [1.0 - p, *p]]).collect();
            let tilted: Vec<[f64; 2]> = scores.iter().map(|[a, b]| [a * tilt, *b]).collect();
            let choose = |rows: &[[f64; 2]]| -> Vec<usize> {
                let prior: Vec<f64> = (0..2).map(|l| rows.iter().map(|r| r[l]).sum::<f64>()).collect();
                rows.iter().filter_map(|row| choose_calibrated(row, &prior, 0)).collect()
            };
            prop_assert_eq!(choose(&scores), choose(&tilted));
        }
    }
}
