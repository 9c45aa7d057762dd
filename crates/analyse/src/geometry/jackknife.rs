//! A measure with its values when each item is left out in turn, and intervals from these (the
//! jackknife; Efron & Stein 1981). A bootstrap would be wrong here: an item drawn twice is its own
//! nearest rival, and does not make a pair of two items for a U-statistic such as debiased CKA. A
//! difference of two measures of the same items is a measure too: both are without the same item.
//! Never here: what is measured.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::vector::mean;

/// Properties of a measure that its interval uses beyond the jackknife.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    /// Between -1 and 1: the interval is made on Fisher's z and taken back.
    Correlation,
    /// A mean of zeros and ones: Wilson's interval (Wilson 1927).
    Share,
    /// A squared length without its upward bias: given as a length, below 0 where the square
    /// is.
    Square,
    /// At most 1, adjusted so that 0 is expected of nothing: near 0 the jackknife sees too
    /// small a variance, so this much is added.
    Adjusted {
        /// The variance of the measure when there is nothing to find.
        least: f64,
    },
}

/// A measure of n items.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct JackknifeEstimate {
    raw: f64,
    /// (n), the measure without each item.
    without: Vec<f64>,
    scale: Scale,
}

impl JackknifeEstimate {
    /// `None` where the measure is undefined, with all items or without one of them.
    pub(super) fn new(raw: f64, without: Vec<f64>, scale: Scale) -> Option<Self> {
        let defined = raw.is_finite() && without.iter().all(|value| value.is_finite());
        defined.then_some(Self {
            raw,
            without,
            scale,
        })
    }

    /// The measure, as it is reported.
    pub(super) fn value(&self) -> f64 {
        self.reported(self.raw)
    }

    /// Its 95 % interval, which has the value in it.
    pub(super) fn interval(&self) -> (f64, f64) {
        let n = self.without.len() as f64;
        let (t, error) = (t_critical(n - 1.0), variance(&self.without).sqrt());
        match self.scale {
            Scale::Correlation => {
                let room = 1.0 - self.raw * self.raw;
                if room <= f64::EPSILON {
                    return (self.raw, self.raw);
                }
                let (z, half) = (self.raw.atanh(), t * error / room);
                ((z - half).tanh(), (z + half).tanh())
            }
            Scale::Share => wilson(self.raw, n, t),
            Scale::Square => (
                self.reported(self.raw - t * error),
                self.reported(self.raw + t * error),
            ),
            Scale::Adjusted { least } => {
                let half = t * (variance(&self.without) + least).sqrt();
                (self.raw - half, (self.raw + half).min(1.0))
            }
        }
    }

    fn reported(&self, raw: f64) -> f64 {
        if self.scale == Scale::Square {
            raw.abs().sqrt().copysign(raw)
        } else {
            raw
        }
    }
}

/// 95 % interval of `after` minus `before`, both of the same items and one scale. Of shares one
/// item more is taken to have changed (Agresti & Min 2005), for a jackknife sees no error in
/// two shares of 0.
pub(super) fn interval_of_change(
    before: &JackknifeEstimate,
    after: &JackknifeEstimate,
) -> (f64, f64) {
    let change = after.value() - before.value();
    let each = before
        .without
        .iter()
        .zip(&after.without)
        .map(|(b, a)| after.reported(*a) - before.reported(*b));
    let each: Vec<f64> = each.collect();
    let n = each.len() as f64;
    let least = match before.scale {
        Scale::Share => 1.0 / (n * n),
        Scale::Adjusted { least } => least,
        Scale::Correlation | Scale::Square => 0.0,
    };
    let half = t_critical(n - 1.0) * (variance(&each) + least).sqrt();
    (change - half, change + half)
}

/// The jackknife's variance of a measure that is `without` (n) each item.
fn variance(without: &[f64]) -> f64 {
    let (n, centre) = (without.len() as f64, mean(without));
    (n - 1.0) / n
        * without
            .iter()
            .map(|value| (value - centre).powi(2))
            .sum::<f64>()
}

/// Wilson's interval of a share of `n`, with a quantile of t in the normal's place.
fn wilson(share: f64, n: f64, t: f64) -> (f64, f64) {
    let square = t * t / n;
    let centre = (share + square / 2.0) / (1.0 + square);
    let half = (square * (share * (1.0 - share) + square / 4.0)).sqrt() / (1.0 + square);
    // a share of 0 or 1 is an end of its interval, which rounding must not take it out of
    (
        (centre - half).clamp(0.0, share),
        (centre + half).clamp(share, 1.0),
    )
}

/// The 97.5 % point of Student's t; NaN without degrees of freedom.
fn t_critical(degrees: f64) -> f64 {
    StudentsT::new(0.0, 1.0, degrees).map_or(f64::NAN, |t| t.inverse_cdf(0.975))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64) -> bool {
        (found - expected).abs() < 1e-6
    }

    /// The mean of five numbers, and of each four.
    fn five(scale: Scale) -> JackknifeEstimate {
        let values = [0.1, 0.4, 0.3, 0.8, 0.2];
        let without = values.map(|value| (1.8 - value) / 4.0);
        JackknifeEstimate::new(0.36, without.to_vec(), scale).expect("finite")
    }

    #[test]
    fn interval_of_a_mean_is_students() {
        // scipy.stats.t.interval(0.95, 4, 0.36, scipy.stats.sem([0.1, 0.4, 0.3, 0.8, 0.2]))
        let (low, high) = five(Scale::Adjusted { least: 0.0 }).interval();
        assert!(
            near(low, 0.024_520_861_5) && near(high, 0.695_479_138_5),
            "{low} {high}"
        );
    }

    #[test]
    fn intervals_keep_to_their_bounds() {
        // tanh(arctanh(0.36) -+ 2.7764451 * 0.1208305 / (1 - 0.36 ** 2))
        let (low, high) = five(Scale::Correlation).interval();
        assert!(
            near(low, -0.008_544_886) && near(high, 0.642_439_634),
            "{low} {high}"
        );
        let sure = JackknifeEstimate::new(1.0, vec![1.0; 5], Scale::Correlation).expect("finite");
        assert_eq!(sure.interval(), (1.0, 1.0));
        let (low, high) = JackknifeEstimate::new(1.0, vec![1.0; 5], Scale::Share)
            .expect("finite")
            .interval();
        assert!(low > 0.3 && low < 0.5 && high == 1.0, "{low}");
        let square = JackknifeEstimate::new(-0.04, vec![-0.04; 5], Scale::Square).expect("finite");
        assert!(
            near(square.value(), -0.2) && square.interval() == (square.value(), square.value())
        );
    }

    #[test]
    fn interval_of_a_share_is_wilsons() {
        let without: Vec<f64> = (0..20)
            .map(|item| (8.0 - f64::from(u8::from(item < 8))) / 19.0)
            .collect();
        let (low, high) = JackknifeEstimate::new(0.4, without, Scale::Share)
            .expect("finite")
            .interval();
        // numpy.roots([1 + t * t / 20, -0.8 - t * t / 20, 0.16]) with t =
        // scipy.stats.t.ppf(0.975, 19)
        assert!(
            near(low, 0.209_530_51) && near(high, 0.626_405_62),
            "{low} {high}"
        );
    }

    #[test]
    fn a_change_of_what_varies_together_is_sure() {
        let before = five(Scale::Correlation);
        let shifted = JackknifeEstimate::new(
            0.46,
            before.without.iter().map(|value| value + 0.1).collect(),
            Scale::Correlation,
        );
        let shifted = shifted.expect("finite");
        let (low, high) = interval_of_change(&before, &shifted);
        assert!(near(low, 0.1) && near(high, 0.1), "{low} {high}");
        let mut apart = shifted;
        apart.without.rotate_left(2);
        // scipy.stats.ttest_rel([0.3, 0.8, 0.2, 0.1, 0.4], [0.1, 0.4, 0.3, 0.8,
        // 0.2]).confidence_interval() + 0.1
        let (low, high) = interval_of_change(&before, &apart);
        assert!(
            near(low, -0.434_059_879) && near(high, 0.634_059_879),
            "{low} {high}"
        );
    }

    #[test]
    fn a_change_is_of_what_is_reported() {
        let [before, after] = [[0.04, 0.09], [0.25, 0.36]].map(|[value, other]| {
            JackknifeEstimate::new(
                value,
                vec![value, other, value, value, value],
                Scale::Square,
            )
            .expect("finite")
        });
        // lengths of 0.2 and 0.5, without the second item of 0.3 and 0.6: the change is 0.3
        // either way
        let (low, high) = interval_of_change(&before, &after);
        assert!(near(low, 0.3) && near(high, 0.3), "{low} {high}");
        let nothing = JackknifeEstimate::new(0.0, vec![0.0; 20], Scale::Share).expect("finite");
        let (low, high) = interval_of_change(&nothing, &nothing);
        assert!(
            near(low, -0.104_651_2) && near(high, 0.104_651_2),
            "{low} {high}"
        );
        let nothing = JackknifeEstimate::new(0.0, vec![0.0; 20], Scale::Adjusted { least: 0.01 })
            .expect("finite");
        assert!(near(interval_of_change(&nothing, &nothing).1, 0.209_302_4));
    }

    #[test]
    fn what_is_undefined_is_none() {
        assert_eq!(
            JackknifeEstimate::new(f64::NAN, vec![0.0; 5], Scale::Correlation),
            None
        );
        assert_eq!(
            JackknifeEstimate::new(0.0, vec![0.0, f64::INFINITY], Scale::Correlation),
            None
        );
    }
}
