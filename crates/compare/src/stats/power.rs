//! The changes that a sample can show: power of McNemar's exact test, and the smallest change it finds in
//! four samples of five (Miettinen 1968; Connor 1987).

use super::distribution::{Z, binomial, binomial_up_to, coin, normal_quantile};

/// Of finding a change that is there.
pub(crate) const POWER: f64 = 0.8;
/// Two-sided.
const LEVEL: f64 = 0.05;
/// Above so many discordant items the normal formula, which then differs by less than 3 % of
/// the change.
const EXACT_UP_TO: f64 = 400.0;

/// Chance that McNemar's exact two-sided test at 0.05 finds a change of `effect` among `items`,
/// of which the share `discordance` changes from right to wrong or back. `effect` is at most
/// `discordance`.
pub(crate) fn mcnemar_power(items: usize, discordance: f64, effect: f64) -> f64 {
    if discordance <= 0.0 {
        return 0.0;
    }
    let items = items as u64;
    let gain = ((1.0 + effect / discordance) / 2.0).min(1.0);
    // beyond, the chance of so many is far below what is left out
    let most = (items as f64 * discordance + 30.0 * (items as f64 * discordance).sqrt() + 60.0)
        .ceil() as u64;
    (0..=items.min(most))
        .map(|discordant| (discordant, binomial(items, discordance, discordant)))
        .filter(|(_, chance)| *chance > 1e-10)
        .map(|(discordant, chance)| chance * power_given(discordant, gain))
        .sum()
}

/// Chance of a finding among so many `discordant` items, each of which becomes right with chance
/// `gain`.
fn power_given(discordant: u64, gain: f64) -> f64 {
    let tail = tail_length(discordant);
    if tail == 0 {
        return 0.0;
    }
    let few = binomial_up_to(discordant, gain, tail - 1);
    let many = binomial_up_to(discordant, 1.0 - gain, tail - 1);
    few + many
}

/// Number of the lowest counts among `discordant` tosses of a coin that the two-sided test rejects.
fn tail_length(discordant: u64) -> u64 {
    let mut below = 0.0;
    for hits in 0..=discordant / 2 {
        below += coin(discordant, hits);
        if 2.0 * below > LEVEL {
            return hits;
        }
    }
    discordant / 2 + 1
}

/// The smallest change that the exact test finds with power 0.8, a share of the items. `None`:
/// none at this discordance, even if all changed items changed in one direction.
pub fn detectable_change(items: usize, discordance: f64) -> Option<f64> {
    if items == 0 || discordance.is_nan() || discordance <= 0.0 {
        return None;
    }
    if items as f64 * discordance > EXACT_UP_TO {
        return Some(approximate_change(items as f64, discordance))
            .filter(|change| *change <= discordance);
    }
    if mcnemar_power(items, discordance, discordance) < POWER {
        return None;
    }
    let (mut low, mut high) = (0.0, discordance);
    while high - low > 1e-5 {
        let middle = (low + high) / 2.0;
        if mcnemar_power(items, discordance, middle) < POWER {
            low = middle
        } else {
            high = middle
        }
    }
    Some(high)
}

/// The change at which z(0.975) sqrt(discordance) + z(0.8) sqrt(discordance - change^2) =
/// change sqrt(items).
fn approximate_change(items: f64, discordance: f64) -> f64 {
    let (of_level, of_power) = (Z * Z * discordance, normal_quantile(POWER).powi(2));
    let root = (of_level * items - (items + of_power) * (of_level - of_power * discordance)).sqrt();
    ((of_level * items).sqrt() + root) / (items + of_power)
}

/// The smallest change that is found with power 0.8 where the change's standard error is
/// `error`; NaN where nothing varies: such a sample says nothing about others.
pub(crate) fn detectable_by_error(error: f64) -> f64 {
    if error <= 0.0 {
        return f64::NAN;
    }
    (Z + normal_quantile(POWER)) * error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{paired::sign_flip, random::SplitMix64};

    #[test]
    fn power_equals_scipys_sums() {
        for (items, discordance, effect, expected) in REFERENCE {
            let found = mcnemar_power(items, discordance, effect);
            assert!(
                (found - expected).abs() < 1e-7,
                "{items} {discordance} {effect}: {found}"
            );
        }
    }

    const REFERENCE: [(usize, f64, f64, f64); 3] = [
        (100, 0.2, 0.1, 0.544_445_427_9),
        (500, 0.1, 0.04, 0.785_447_249_5),
        (600, 0.3, 0.0, 0.042_019_779_9),
    ];

    #[test]
    fn the_two_formulas_meet() {
        for (items, discordance) in [(1300, 0.3), (3900, 0.1), (650, 0.6)] {
            let (exact, normal) = (
                detectable_change(items, discordance),
                approximate_change(items as f64, discordance),
            );
            let exact = exact.expect("found");
            assert!(
                (exact / normal - 1.0).abs() < 0.03,
                "{items} {discordance}: {exact} {normal}"
            );
        }
        assert_eq!(detectable_change(50, 0.05), None);
        assert_eq!(detectable_change(500, 0.0), None);
        assert!(detectable_by_error(0.0).is_nan());
        assert!((detectable_by_error(0.01) - 0.028_015_852_18).abs() < 1e-9);
    }

    #[test]
    fn a_detectable_change_is_found_four_times_in_five() {
        for (items, discordance) in [(200, 0.25), (500, 0.1)] {
            let change = detectable_change(items, discordance).expect("found");
            let gain = (discordance + change) / 2.0;
            let mut random = SplitMix64::new(5);
            let runs = 3000;
            let found = (0..runs).filter(|_| {
                let draw = |_| match random.uniform() {
                    at if at < gain => 1,
                    at if at < discordance => -1,
                    _ => 0,
                };
                let changes: Vec<i32> = (0..items).map(draw).collect();
                sign_flip(&changes).exact <= LEVEL
            });
            let power = found.count() as f64 / f64::from(runs);
            // standard error of a share of 0.8 in 3000 runs: 0.0073
            assert!(
                (power - POWER).abs() < 0.025,
                "{items} {discordance}: {power}"
            );
        }
    }
}
