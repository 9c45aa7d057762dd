//! Seeded bootstrap of a mean over items (Efron & Tibshirani 1993), with the tails of the
//! report's intervals: expanded percentiles (Hesterberg 2015), as wide as Student's t. Never
//! here: what the values are.

use rand::RngExt;
use rayon::prelude::*;
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use crate::random::{Purpose, generator};

/// Draws of the same items with replacement; one serves every mean over these items.
#[derive(Clone, Debug)]
pub(crate) struct ItemBootstrap {
    items: usize,
    /// How often each item is drawn: (resamples, items).
    counts: Vec<u32>,
    /// Share of draws outside each end of an interval.
    tail: f64,
}

impl ItemBootstrap {
    /// `resamples` draws of `items` items, two or more: one item has no interval.
    pub(crate) fn new(items: usize, resamples: usize, seed: u64) -> Self {
        let mut counts = vec![0; items * resamples];
        counts
            .par_chunks_mut(items)
            .enumerate()
            .for_each(|(draw, counts)| {
                let mut generator = generator(seed, Purpose::Items, draw as u64);
                (0..items).for_each(|_| counts[generator.random_range(0..items)] += 1);
            });
        Self {
            items,
            counts,
            tail: tail_of(items),
        }
    }

    /// 95 % interval of the mean of `values`, one per item.
    pub(crate) fn interval(&self, values: &[f64]) -> (f64, f64) {
        let mut means: Vec<f64> = self
            .counts
            .par_chunks(self.items)
            .map(|counts| {
                let drawn = values.iter().zip(counts);
                let sum: f64 = drawn.map(|(value, &count)| value * f64::from(count)).sum();
                sum / self.items as f64
            })
            .collect();
        means.sort_unstable_by(f64::total_cmp);
        (
            percentile(&means, self.tail),
            percentile(&means, 1.0 - self.tail),
        )
    }
}

/// 0.025, less with few items: a plain percentile interval divides by n where t divides by n -
/// 1, and has the normal's tails.
fn tail_of(items: usize) -> f64 {
    let n = items as f64;
    let t = StudentsT::new(0.0, 1.0, n - 1.0).map_or(f64::NAN, |t| t.inverse_cdf(0.975));
    Normal::standard().cdf(-(n / (n - 1.0)).sqrt() * t)
}

/// Linear between the two nearest ranks of `sorted`; NaN where it is empty.
pub(crate) fn percentile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let rank = share * last as f64;
    let (below, above) = (rank.floor() as usize, rank.ceil() as usize);
    sorted[below] + (sorted[above] - sorted[below]) * (rank - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy: norm.cdf(-sqrt(n / (n - 1)) * t.ppf(0.975, n - 1)).
    #[test]
    fn tails_equal_scipy() {
        for (items, expected) in [
            (8, 0.005_737_520_517),
            (10, 0.008_550_639_024),
            (500, 0.024_609_072_307),
        ] {
            assert!(
                (tail_of(items) - expected).abs() < 1e-6,
                "{items}: {}",
                tail_of(items)
            );
        }
        assert!(
            tail_of(2) < 1e-6,
            "of two items the ends are the smallest and the largest mean"
        );
    }

    #[test]
    fn percentiles_equal_numpy() {
        let sorted = [1.0, 2.0, 4.0, 8.0, 16.0];
        for (share, expected) in [(0.025, 1.1), (0.4, 3.2), (0.975, 15.2)] {
            assert!((percentile(&sorted, share) - expected).abs() < 1e-12);
        }
        assert!(percentile(&[], 0.5).is_nan());
    }

    #[test]
    fn an_interval_is_near_numpy_and_its_seed_decides() {
        let values = [vec![1.0; 12], vec![-1.0; 4], vec![0.0; 24]].concat();
        let found = ItemBootstrap::new(40, 4000, 3).interval(&values);
        // 200 000 draws of numpy at the same tails give 0.0 and 0.4; one item is 0.025.
        assert!(
            found.0.abs() < 0.0251 && (found.1 - 0.4).abs() < 0.0251,
            "{found:?}"
        );
        assert_eq!(ItemBootstrap::new(40, 4000, 3).interval(&values), found);
        let values: Vec<f64> = (0..40).map(|at| f64::from(at).sqrt()).collect();
        let of = |seed| ItemBootstrap::new(40, 100, seed).interval(&values);
        assert_ne!(of(3), of(4));
    }

    /// Intervals of means of 15 normal values hold their mean in 95 % of 2000 runs, within
    /// three standard errors.
    #[test]
    fn intervals_cover() {
        let resampling = ItemBootstrap::new(15, 400, 1);
        let mut generator = generator(2, Purpose::Direction, 0);
        let standard = Normal::standard();
        let runs = 2000;
        let hits = (0..runs)
            .filter(|_| {
                let values: Vec<f64> = (0..15)
                    .map(|_| standard.inverse_cdf(generator.random()))
                    .collect();
                let (low, high) = resampling.interval(&values);
                low <= 0.0 && 0.0 <= high
            })
            .count();
        let covered = hits as f64 / f64::from(runs);
        assert!((covered - 0.95).abs() < 0.02, "{covered}");
    }
}
