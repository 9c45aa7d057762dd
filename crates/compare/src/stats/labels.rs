//! Which labels are chosen, against which are right: confusion matrix, entropy, distance.

/// `confusion[gold][chosen]`: how many items.
pub(crate) fn confusion(gold: &[usize], chosen: &[usize], labels: usize) -> Vec<Vec<f64>> {
    let mut counts = vec![vec![0.0; labels]; labels];
    gold.iter()
        .zip(chosen)
        .for_each(|(&gold, &chosen)| counts[gold][chosen] += 1.0);
    counts
}

/// Shannon's entropy of shares, in bits: 0 if one label is always chosen, log2 of their number
/// if all equally often.
pub(crate) fn entropy(shares: &[f64]) -> f64 {
    -shares
        .iter()
        .filter(|share| **share > 0.0)
        .map(|share| share * share.log2())
        .sum::<f64>()
        + 0.0
}

/// Half the summed absolute difference: the share of answers that would have to change.
pub(crate) fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f64>() / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_scikit_learn_and_scipy() {
        let found = confusion(&[0, 0, 1, 2, 2, 2], &[0, 1, 1, 0, 2, 2], 3);
        assert_eq!(found, [[1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 2.0]]);
        assert!((entropy(&[0.5, 0.3, 0.2]) - 1.485_475_297_227_334).abs() < 1e-12);
        assert_eq!(entropy(&[1.0, 0.0]).to_string(), "0");
        assert!((distance(&[0.9, 0.1], &[0.5, 0.5]) - 0.4).abs() < 1e-12);
    }
}
