//! Contextual calibration (arXiv 2102.09690): scores divided by what a content-free question gets.

/// The label with the highest score after division by its prior. Of equal ones `preferred` if it is among them, else
/// the first. `None` if a prior is not above 0.
pub(crate) fn choose_calibrated(scores: &[f64], prior: &[f64], preferred: usize) -> Option<usize> {
    if prior.len() != scores.len() || !prior.iter().all(|p| *p > 0.0) {
        return None;
    }
    let ratio = |label: usize| scores[label] / prior[label];
    let better = |best: usize, label: usize| if ratio(label) > ratio(best) { label } else { best };
    Some((0..scores.len()).fold(preferred, better))
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

#[cfg(test)]
mod tests {
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
}
