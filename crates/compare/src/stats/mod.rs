//! The statistics, each a plain function of plain values. The page's notes explain each number to
//! the reader.
//!
//! Expected values in the tests come from scipy, statsmodels and scikit-learn:
//! `tests/reference.py`. Never here: records, files, text.

pub(crate) mod agreement;
pub(crate) mod calibration;
pub(crate) mod clusters;
pub(crate) mod components;
mod coverage;
pub(crate) mod distribution;
pub(crate) mod labels;
pub(crate) mod paired;
pub(crate) mod power;
pub(crate) mod proportion;
pub(crate) mod random;
pub(crate) mod ranking;
pub(crate) mod resample;

pub use components::VarianceComponents;
pub use paired::PairedP;
pub use power::detectable_change;

use serde::Serialize;

/// A number with its 95 % interval. Shares and accuracies are fractions of 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The number itself.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Estimate {
    /// The estimate of an empty sample.
    pub const UNDEFINED: Self = Self {
        value: f64::NAN,
        low: f64::NAN,
        high: f64::NAN,
    };

    /// Whether the whole interval lies above 0.
    pub fn rises(&self) -> bool {
        self.low > 0.0
    }

    /// Whether the whole interval lies below 0.
    pub fn falls(&self) -> bool {
        self.high < 0.0
    }
}

/// The arithmetic mean; NaN of nothing.
pub fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) = values
        .into_iter()
        .fold((0.0, 0_usize), |(sum, count), value| {
            (sum + value, count + 1)
        });
    sum / count as f64
}

/// Standard deviation of a sample (n - 1 below the line); `None` for fewer than two values.
pub fn standard_deviation(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let centre = mean(values.iter().copied());
    let squares: f64 = values.iter().map(|value| (value - centre).powi(2)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_spread() {
        assert!((mean([1.0, 2.0, 6.0]) - 3.0).abs() < 1e-15);
        assert_eq!(standard_deviation(&[4.0]), None);
        let spread = standard_deviation(&[2.0, 4.0, 9.0]).expect("three values"); // statistics.stdev
        assert!((spread - 3.605_551_275_463_989).abs() < 1e-12, "{spread}");
    }
}
