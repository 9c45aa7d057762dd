//! A measure with what it is when each item is left out in turn, and intervals from that (the jackknife; Efron & Stein
//! 1981). A bootstrap would be wrong here: an item drawn twice is its own nearest rival, and is no pair of two items for a
//! U-statistic such as debiased CKA. Differences of two measures of the same items: MOVER (Zou 2007), so that an interval
//! keeps to the bounds of what it is of. Never here: what is measured.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// What may be said of a measure's error, beyond the jackknife.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    /// Between -1 and 1: the interval is made on Fisher's z and taken back.
    Correlation,
    /// A mean of zeros and ones: Wilson's interval for the number of items that would vary as much.
    Share,
    /// A squared length without its upward bias: given as a length, below 0 where the square is.
    Square,
    /// At most 1, adjusted so that 0 is expected of nothing: near 0 the jackknife sees too small a variance, so this much
    /// is added.
    Adjusted {
        /// The variance of the measure when there is nothing to find.
        least: f64,
    },
}

/// A measure of n items.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Estimate {
    raw: f64,
    /// (n), the measure without each item.
    without: Vec<f64>,
    scale: Scale,
}

impl Estimate {
    /// `None` where the measure is undefined, with all items or without one of them.
    pub(super) fn new(raw: f64, without: Vec<f64>, scale: Scale) -> Option<Self> {
        let defined = raw.is_finite() && without.iter().all(|value| value.is_finite());
        defined.then_some(Self { raw, without, scale })
    }

    /// The measure, as it is reported.
    pub(super) fn value(&self) -> f64 {
        self.reported(self.raw)
    }

    /// Its 95 % interval, which has the value in it.
    pub(super) fn interval(&self) -> (f64, f64) {
        let n = self.without.len() as f64;
        let (t, error) = (t_critical(n - 1.0), self.variance().sqrt());
        match self.scale {
            Scale::Correlation => {
                let room = 1.0 - self.raw * self.raw;
                if room <= f64::EPSILON {
                    return (self.raw, self.raw);
                }
                let (z, half) = (self.raw.atanh(), t * error / room);
                ((z - half).tanh(), (z + half).tanh())
            }
            Scale::Share => {
                let plain = self.raw * (1.0 - self.raw) / n;
                let effective = if plain > 0.0 { n / (self.variance() / plain).max(1.0) } else { n };
                wilson(self.raw, effective, t)
            }
            Scale::Square => (self.reported(self.raw - t * error), self.reported(self.raw + t * error)),
            Scale::Adjusted { least } => {
                let half = t * (self.variance() + least).sqrt();
                (self.raw - half, (self.raw + half).min(1.0))
            }
        }
    }

    fn reported(&self, raw: f64) -> f64 {
        if self.scale == Scale::Square { raw.abs().sqrt().copysign(raw) } else { raw }
    }

    /// The jackknife's.
    fn variance(&self) -> f64 {
        let n = self.without.len() as f64;
        let centre = mean(&self.without);
        (n - 1.0) / n * self.without.iter().map(|value| (value - centre).powi(2)).sum::<f64>()
    }
}

/// 95 % interval of `after` minus `before`, both of the same items: the distances to their own ends, and how far they vary
/// together.
pub(super) fn interval_of_change(before: &Estimate, after: &Estimate) -> (f64, f64) {
    let change = after.value() - before.value();
    let ((low_before, high_before), (low_after, high_after)) = (before.interval(), after.interval());
    let together = correlation(&before.without, &after.without).unwrap_or(0.0);
    let reach = |x: f64, y: f64| (x * x - 2.0 * together * x * y + y * y).max(0.0).sqrt();
    let below = reach(after.value() - low_after, high_before - before.value());
    let above = reach(high_after - after.value(), before.value() - low_before);
    (change - below, change + above)
}

/// Pearson's; `None` where one of them does not vary.
pub(super) fn correlation(x: &[f64], y: &[f64]) -> Option<f64> {
    let (centre_x, centre_y) = (mean(x), mean(y));
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, y) in x.iter().zip(y) {
        let (x, y) = (x - centre_x, y - centre_y);
        xx += x * x;
        yy += y * y;
        xy += x * y;
    }
    (xx > 0.0 && yy > 0.0).then(|| (xy / (xx * yy).sqrt()).clamp(-1.0, 1.0))
}

/// The arithmetic mean; NaN of nothing.
pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Wilson's interval of a share of `n`, with a quantile of t in the normal's place.
fn wilson(share: f64, n: f64, t: f64) -> (f64, f64) {
    let square = t * t / n;
    let centre = (share + square / 2.0) / (1.0 + square);
    let half = (square * (share * (1.0 - share) + square / 4.0)).sqrt() / (1.0 + square);
    // a share of 0 or 1 is an end of its interval, which rounding must not take it out of
    ((centre - half).clamp(0.0, share), (centre + half).clamp(share, 1.0))
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
    fn five(scale: Scale) -> Estimate {
        let values = [0.1, 0.4, 0.3, 0.8, 0.2];
        let without = values.map(|value| (1.8 - value) / 4.0);
        Estimate::new(0.36, without.to_vec(), scale).expect("finite")
    }

    #[test]
    fn interval_of_a_mean_is_students() {
        // scipy.stats.t.interval(0.95, 4, 0.36, scipy.stats.sem([0.1, 0.4, 0.3, 0.8, 0.2]))
        let (low, high) = five(Scale::Adjusted { least: 0.0 }).interval();
        assert!(near(low, 0.024_735_667_5) && near(high, 0.695_264_332_5), "{low} {high}");
    }

    #[test]
    fn intervals_keep_to_their_bounds() {
        // tanh(arctanh(0.36) -+ 2.7764451 * 0.1207477 / (1 - 0.36 ** 2))
        let (low, high) = five(Scale::Correlation).interval();
        assert!(near(low, -0.008_346_3) && near(high, 0.641_553_3), "{low} {high}");
        let sure = Estimate::new(1.0, vec![1.0; 5], Scale::Correlation).expect("finite");
        assert_eq!(sure.interval(), (1.0, 1.0));
        let (low, high) = Estimate::new(1.0, vec![1.0; 5], Scale::Share).expect("finite").interval();
        assert!(low > 0.3 && low < 0.5 && high == 1.0, "{low}");
        let square = Estimate::new(-0.04, vec![-0.04; 5], Scale::Square).expect("finite");
        assert!(near(square.value(), -0.2) && square.interval() == (square.value(), square.value()));
    }

    #[test]
    fn share_counts_the_items_that_vary_as_much() {
        // statsmodels' proportion_confint(8, 20, method="wilson") with t(19) = 2.0930241 for z
        let independent: Vec<f64> = (0..20).map(|item| (8.0 - f64::from(u8::from(item < 8))) / 19.0).collect();
        let (low, high) = Estimate::new(0.4, independent, Scale::Share).expect("finite").interval();
        assert!((low - 0.212_5).abs() < 0.005 && (high - 0.622).abs() < 0.005, "{low} {high}");
        // one item on which four others hang
        let hub: Vec<f64> = (0..20).map(|item| if item == 0 { 12.0 / 19.0 } else { 8.0 / 19.0 }).collect();
        let wider = Estimate::new(0.4, hub, Scale::Share).expect("finite").interval();
        assert!(wider.0 < low - 0.02 && wider.1 > high + 0.02, "{wider:?}");
    }

    #[test]
    fn a_change_of_what_varies_together_is_sure() {
        let shifted = Estimate { raw: 0.46, without: five(Scale::Adjusted { least: 0.0 }).without, scale: Scale::Adjusted { least: 0.0 } };
        let (low, high) = interval_of_change(&five(Scale::Adjusted { least: 0.0 }), &shifted);
        assert!(near(low, 0.1) && near(high, 0.1), "{low} {high}");
        let mut apart = shifted;
        apart.without.rotate_left(2);
        let (low, high) = interval_of_change(&five(Scale::Adjusted { least: 0.0 }), &apart);
        assert!(low < -0.2 && high > 0.4, "{low} {high}");
    }

    #[test]
    fn what_is_undefined_is_none() {
        assert_eq!(Estimate::new(f64::NAN, vec![0.0; 5], Scale::Correlation), None);
        assert_eq!(Estimate::new(0.0, vec![0.0, f64::INFINITY], Scale::Correlation), None);
        assert_eq!(correlation(&[1.0, 1.0], &[0.0, 2.0]), None);
    }
}
