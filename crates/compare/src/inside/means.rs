//! Means over items and over pairs of languages, with their intervals.

use schema::inside::{Measure, Pooling};

use super::view::ModelView;
use crate::stats::{Estimate, distribution::t_critical, mean, standard_deviation};

/// The mean of items' changes with Student's interval; `None` for fewer than two.
pub fn mean_change(changes: &[f64]) -> Option<Estimate> {
    let spread = standard_deviation(changes)?;
    let value = mean(changes.iter().copied());
    let count = changes.len() as f64;
    let reach = t_critical(count - 1.0) * spread / count.sqrt();
    Some(Estimate {
        value,
        low: value - reach,
        high: value + reach,
    })
}

/// The mean of several numbers with the mean of their intervals' ends, which is at least as
/// wide as the mean's own: its standard error is at most the mean of theirs, reached where they
/// move together.
pub fn mean_estimate(all: impl IntoIterator<Item = Estimate>) -> Option<Estimate> {
    let all: Vec<Estimate> = all.into_iter().collect();
    let of = |part: fn(&Estimate) -> f64| mean(all.iter().map(part));
    (!all.is_empty()).then(|| Estimate {
        value: of(|e| e.value),
        low: of(|e| e.low),
        high: of(|e| e.high),
    })
}

/// The mean over pairs of a change, with the mean of their intervals' ends.
pub fn mean_pair_change(
    view: &ModelView,
    pooling: Pooling,
    measure: Measure,
    layer: usize,
) -> Option<Estimate> {
    let [_, after] = view.both()?;
    let changes = after.changes.get(&pooling)?.at(measure, layer)?;
    mean_estimate(changes.values().map(|record| Estimate {
        value: record.after - record.before,
        low: record.low,
        high: record.high,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_change_has_students_interval() {
        // scipy.stats.t.interval(0.95, 3, loc=0.05, scale=scipy.stats.sem([0.1, -0.1, 0.05,
        // 0.15]))
        let change = mean_change(&[0.1, -0.1, 0.05, 0.15]).expect("four");
        assert!((change.value - 0.05).abs() < 1e-15);
        assert!(
            (change.low - -0.121_871_744_092_91).abs() < 1e-12,
            "{change:?}"
        );
        assert_eq!(mean_change(&[0.1]), None);
    }

    #[test]
    fn the_mean_of_pairs_has_the_mean_of_their_ends() {
        let of = |value, low, high| Estimate { value, low, high };
        let mean = mean_estimate([of(0.2, 0.0, 0.5), of(0.4, 0.2, 0.7)]).expect("two");
        for (found, expected) in [(mean.value, 0.3), (mean.low, 0.1), (mean.high, 0.6)] {
            assert!((found - expected).abs() < 1e-15, "{mean:?}");
        }
        assert_eq!(mean_estimate([]), None);
    }
}
