//! Percentile bootstrap over items (Efron & Tibshirani 1993), seeded. The languages' items are translations of each
//! other, so one draw of items serves all languages: what is hard in one language tends to be hard in the next, and an
//! interval for their mean must know it.

use super::{Estimate, mean};

/// Draws per interval.
pub(crate) const RESAMPLES: usize = 2000;
const SEED: u64 = 0x6c69_6e67_7561_6c69;

/// SplitMix64 (Steele, Lea & Flood 2014): a whole generator in four lines, equal on every machine.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in `0..bound`; its bias is below bound / 2^64.
    fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }
}

/// How the items of several languages are drawn.
pub(crate) struct Resampling {
    /// For each language, which of the drawn item sets is its own.
    set_of: Vec<usize>,
    /// Items in each distinct set.
    sizes: Vec<usize>,
}

impl Resampling {
    /// `items`: the item numbers of each language. Languages with the same numbers are drawn together, others apart.
    pub(crate) fn new(items: &[&[usize]]) -> Self {
        let mut distinct: Vec<&[usize]> = Vec::new();
        let set_of = items.iter().map(|set| match distinct.iter().position(|known| known == set) {
            Some(index) => index,
            None => {
                distinct.push(set);
                distinct.len() - 1
            }
        });
        let set_of = set_of.collect();
        Self { set_of, sizes: distinct.iter().map(|set| set.len()).collect() }
    }

    /// Whether one draw serves all languages.
    pub(crate) fn is_joint(&self) -> bool {
        self.sizes.len() <= 1
    }

    /// The mean of `statistic` over the languages of each group, with its interval. `statistic(language, counts)` gets
    /// how often each item of the language was drawn and is NaN where it is undefined; a draw in which a group has an
    /// undefined language is left out for that group. `None`: undefined on the data themselves, or in most draws.
    pub(crate) fn estimate(
        &self,
        groups: &[Vec<usize>],
        statistic: impl Fn(usize, &[u32]) -> f64,
    ) -> Vec<Option<Estimate>> {
        let once: Vec<Vec<u32>> = self.sizes.iter().map(|&size| vec![1; size]).collect();
        let wanted: Vec<bool> = (0..self.set_of.len()).map(|l| groups.iter().any(|group| group.contains(&l))).collect();
        let group_means = |counts: &[Vec<u32>]| -> Vec<f64> {
            let of = |(l, &set): (usize, &usize)| if wanted[l] { statistic(l, &counts[set]) } else { f64::NAN };
            let each: Vec<f64> = self.set_of.iter().enumerate().map(of).collect();
            groups.iter().map(|group| mean(group.iter().map(|&language| each[language]))).collect()
        };
        let values = group_means(&once);
        let mut draws = vec![Vec::with_capacity(RESAMPLES); groups.len()];
        let mut random = SplitMix64(SEED);
        for _ in 0..RESAMPLES {
            let counts = self.draw(&mut random);
            for (kept, value) in draws.iter_mut().zip(group_means(&counts)) {
                if !value.is_nan() {
                    kept.push(value);
                }
            }
        }
        values.into_iter().zip(draws).map(|(value, draws)| interval(value, draws)).collect()
    }

    fn draw(&self, random: &mut SplitMix64) -> Vec<Vec<u32>> {
        let draw_set = |&size: &usize| {
            let mut counts = vec![0; size];
            for _ in 0..size {
                counts[random.below(size)] += 1;
            }
            counts
        };
        self.sizes.iter().map(draw_set).collect()
    }
}

fn interval(value: f64, mut draws: Vec<f64>) -> Option<Estimate> {
    if value.is_nan() || draws.len() < RESAMPLES / 2 {
        return None;
    }
    draws.sort_by(f64::total_cmp);
    Some(Estimate { value, low: percentile(&draws, 0.025), high: percentile(&draws, 0.975) })
}

/// Linear between the two nearest ranks. `sorted` is not empty.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let rank = share * (sorted.len() - 1) as f64;
    let (below, above) = (rank.floor() as usize, rank.ceil() as usize);
    sorted[below] + (sorted[above] - sorted[below]) * (rank - below as f64)
}

/// Mean of `values`, item `i` counted `counts[i]` times.
pub(crate) fn counted_mean(values: &[i32], counts: &[u32]) -> f64 {
    let sum: i64 = values.iter().zip(counts).map(|(&value, &count)| i64::from(value) * i64::from(count)).sum();
    let total: u64 = counts.iter().map(|&count| u64::from(count)).sum();
    sum as f64 / total as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64, within: f64) -> bool {
        (found - expected).abs() <= within
    }

    #[test]
    fn percentiles_equal_numpy() {
        let sorted = [1.0, 2.0, 4.0, 8.0, 16.0];
        for (share, expected) in [(0.025, 1.1), (0.4, 3.2), (0.975, 15.2)] {
            assert!(near(percentile(&sorted, share), expected, 1e-12));
        }
    }

    #[test]
    fn interval_of_one_language_is_near_scipy() {
        let changes = [vec![1; 12], vec![-1; 4], vec![0; 24]].concat();
        let items: Vec<usize> = (0..40).collect();
        let found = Resampling::new(&[&items]).estimate(&[vec![0]], |_, counts| counted_mean(&changes, counts));
        let found = found[0].expect("defined");
        // 200 000 draws of scipy give 0.025 and 0.375; one item is 0.025
        assert!(near(found.value, 0.2, 1e-12) && near(found.low, 0.025, 0.0251) && near(found.high, 0.375, 0.0251));
        assert_ne!(found.low, found.value);
    }

    #[test]
    fn parallel_items_are_drawn_together_and_others_apart() {
        let changes = [vec![1; 12], vec![-1; 4], vec![0; 24]].concat();
        let (items, shifted): (Vec<usize>, Vec<usize>) = ((0..40).collect(), (1..41).collect());
        let width = |sets: &[&[usize]], signs: [f64; 2]| {
            let resampling = Resampling::new(sets);
            let found = resampling.estimate(&[vec![0, 1]], |l, counts| signs[l] * counted_mean(&changes, counts));
            found[0].map(|e| e.high - e.low).expect("defined")
        };
        // together: the mean of two equal languages varies as one, and opposite languages cancel; apart: sqrt(2) less
        assert!(near(width(&[&items, &items], [1.0, 1.0]), 0.35, 0.03));
        assert!(width(&[&items, &items], [1.0, -1.0]) < 1e-12);
        assert!(near(width(&[&items, &shifted], [1.0, 1.0]), 0.35 / 2_f64.sqrt(), 0.03));
    }

    #[test]
    fn undefined_is_none_and_seeded_is_equal() {
        let items: Vec<usize> = (0..10).collect();
        let resampling = Resampling::new(&[&items, &items]);
        let run =
            || resampling.estimate(&[vec![0], vec![0, 1]], |l, c| if l == 1 { f64::NAN } else { f64::from(c[0]) });
        assert!(run()[0].is_some() && run()[1].is_none());
        assert_eq!(run(), run());
    }
}
