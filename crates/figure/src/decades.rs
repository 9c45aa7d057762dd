//! Ticks of a logarithmic axis.

/// Fewer are not told apart from nothing.
const LOWEST: f64 = 1e-6;

/// Powers of ten around a range, at most about five of them.
pub(crate) fn decade_ticks(low: f64, high: f64) -> Vec<(f64, String)> {
    let (first, last) = (
        low.max(LOWEST).log10().floor() as i32,
        high.max(LOWEST).log10().ceil() as i32,
    );
    let last = last.max(first + 1);
    let step = usize::max(1, ((last - first) as usize).div_ceil(5));
    // the last one is always there
    let mut exponents: Vec<i32> = (first..=last).rev().step_by(step).collect();
    exponents.reverse();
    if exponents[0] > first {
        exponents.insert(0, exponents[0] - step as i32);
    }
    let labels = exponents.iter().map(|exponent| decade_label(*exponent));
    exponents
        .iter()
        .map(|e| f64::from(*e))
        .zip(labels)
        .collect()
}

/// `0.01`, `10⁻⁴`.
fn decade_label(exponent: i32) -> String {
    match exponent {
        0 => "1".to_owned(),
        -3..=-1 => format!(
            "{:.*}",
            exponent.unsigned_abs() as usize,
            10_f64.powi(exponent)
        ),
        1..=3 => format!("{:.0}", 10_f64.powi(exponent)),
        _ => {
            let digits = exponent.unsigned_abs().to_string();
            let raised = digits
                .bytes()
                .map(|digit| RAISED[usize::from(digit - b'0')]);
            let sign = if exponent < 0 { "⁻" } else { "" };
            format!("10{sign}{}", raised.collect::<String>())
        }
    }
}

const RAISED: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_range_has_few_decades() {
        let ticks: Vec<String> = decade_ticks(2e-6, 0.5)
            .into_iter()
            .map(|tick| tick.1)
            .collect();
        assert_eq!(ticks, ["10⁻⁶", "10⁻⁴", "0.01", "1"]);
    }
}
