//! Accuracy (paper, Eq. 4) as a proportion, and Wilson's interval for it (Wilson 1927).

use super::{Estimate, distribution::Z};

/// Wilson's 95 % interval around `share` of `n` items; `n` may be a fraction: an effective
/// number. Several seeds over the same items count as one set of items: they tell nothing of
/// other items.
pub(crate) fn wilson(share: f64, n: f64) -> Estimate {
    let z2 = Z * Z;
    let centre = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z / (1.0 + z2 / n) * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    Estimate {
        value: share,
        low: (centre - half).clamp(0.0, share),
        high: (centre + half).clamp(share, 1.0),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equals_statsmodels() {
        let cases = [
            (0, 10, 0.0, 0.277_532_799_862_889_26),
            (37, 40, 0.801_357_664_756_894_6, 0.974_163_974_225_412_1),
            (446, 500, 0.861_745_326_715_193_4, 0.916_277_190_362_949_7),
            (10, 10, 0.722_467_200_137_110_6, 1.0),
        ];
        for (right, count, low, high) in cases {
            let found = wilson(f64::from(right) / f64::from(count), f64::from(count));
            assert!(
                (found.low - low).abs() < 1e-12 && (found.high - high).abs() < 1e-12,
                "{right}/{count}: {found:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn holds_its_share_and_narrows_with_more_items(right in 0_usize..=50, times in 2_usize..20) {
            let share = right as f64 / 50.0;
            let (few, many) = (wilson(share, 50.0), wilson(share, 50.0 * times as f64));
            prop_assert!(few.low <= share && share <= few.high && few.low >= 0.0 && few.high <= 1.0);
            prop_assert!(many.high - many.low < few.high - few.low);
        }
    }
}
