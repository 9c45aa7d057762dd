//! Statistics that a few odd values do not move: the median, and the spread around it from the
//! median of absolute deviations (MAD; Huber, Robust Statistics, 1981).

/// Of an ordinary distribution's deviations: the factor from their median to their standard
/// deviation.
const MAD_TO_DEVIATION: f64 = 1.4826;

/// The middle value; the mean of the two middle ones of an even number. `None` of nothing.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

/// Median and robust standard deviation. `None` of nothing.
pub(crate) fn center_and_spread(values: &[f64]) -> Option<(f64, f64)> {
    let center = median(values)?;
    let deviations: Vec<f64> = values.iter().map(|value| (value - center).abs()).collect();
    Some((center, MAD_TO_DEVIATION * median(&deviations)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_values_do_not_move_it() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[1.0, 4.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
        let (center, spread) = center_and_spread(&[1.0, 2.0, 3.0, 4.0, 1000.0]).expect("not empty");
        assert_eq!((center, spread), (3.0, 1.4826));
    }
}
