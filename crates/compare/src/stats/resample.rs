//! Seeded bootstrap over items, or over clusters of items that share a text (Efron & Tibshirani
//! 1993; Field & Welsh 2007). The languages' items are translations of each other, so one draw
//! serves all languages: what is hard in one language tends to be hard in the next, and an
//! interval for their mean must know it. Intervals are expanded percentiles (Hesterberg 2015):
//! the tails are taken so far out that the width is that of Student's t.

use super::{
    Estimate,
    clusters::Clusters,
    distribution::{normal_below, t_critical},
    mean,
};

/// Draws per interval.
pub(crate) const RESAMPLES: usize = 2000;
const SEED: u64 = 0x6c69_6e67_7561_6c69;

/// SplitMix64 (Steele, Lea & Flood 2014): a whole generator in four lines, equal on every
/// machine.
pub(crate) struct SplitMix64(u64);

impl SplitMix64 {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in `0..bound`; its bias is below bound / 2^64.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// In 0..1.
    #[cfg(test)]
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// How often each of `count` things comes up in as many draws.
    pub(crate) fn resample(&mut self, count: usize) -> Vec<u32> {
        let mut counts = vec![0; count];
        for _ in 0..count {
            counts[self.below(count)] += 1;
        }
        counts
    }
}

/// A statistic on the data themselves and on every draw of them. Sums and differences of two of
/// one resampling are draw by draw, so that what they share cancels.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Series {
    value: f64,
    draws: Vec<f64>,
    /// Things drawn: items, or clusters of items.
    units: usize,
}

impl Series {
    /// On the data themselves.
    pub(crate) fn value(&self) -> f64 {
        self.value
    }

    /// On every draw.
    #[cfg(test)]
    pub(crate) fn draws(&self) -> &[f64] {
        &self.draws
    }

    /// `self - other`, draw by draw.
    pub(crate) fn minus(&self, other: &Self) -> Self {
        let draws = self
            .draws
            .iter()
            .zip(&other.draws)
            .map(|(a, b)| a - b)
            .collect();
        Self {
            value: self.value - other.value,
            draws,
            units: self.units.min(other.units),
        }
    }

    /// The mean of several, draw by draw. `None` of none.
    pub(crate) fn mean_of<'a>(all: impl IntoIterator<Item = &'a Self>) -> Option<Self> {
        let all: Vec<&Self> = all.into_iter().collect();
        let first = all.first()?;
        let draws =
            (0..first.draws.len()).map(|draw| mean(all.iter().map(|series| series.draws[draw])));
        Some(Self {
            value: mean(all.iter().map(|series| series.value)),
            draws: draws.collect(),
            units: all.iter().map(|series| series.units).min().unwrap_or(0),
        })
    }

    /// With its 95 % interval; draws in which the statistic is undefined are left out. `None`:
    /// undefined on the data themselves, or in most draws.
    pub(crate) fn estimate(&self) -> Option<Estimate> {
        let mut draws: Vec<f64> = self
            .draws
            .iter()
            .copied()
            .filter(|draw| !draw.is_nan())
            .collect();
        if self.value.is_nan() || draws.len() < self.draws.len().div_ceil(2) {
            return None;
        }
        draws.sort_by(f64::total_cmp);
        let tail = tail_of(self.units);
        Some(Estimate {
            value: self.value,
            low: percentile(&draws, tail),
            high: percentile(&draws, 1.0 - tail),
        })
    }

    /// Standard deviation over the draws; NaN where the statistic is undefined in any.
    pub(crate) fn standard_error(&self) -> f64 {
        super::standard_deviation(&self.draws).unwrap_or(f64::NAN)
    }
}

/// The share of draws outside each end: 0.025, less with few units. A plain percentile interval
/// is too narrow twice over: it divides by n where t divides by n - 1, and has the normal's
/// tails. NaN for fewer than two units.
fn tail_of(units: usize) -> f64 {
    let n = units as f64;
    normal_below(-(n / (n - 1.0)).sqrt() * t_critical(n - 1.0))
}

/// Linear between the two nearest ranks; NaN for a share that is NaN. `sorted` is not empty.
pub(crate) fn percentile(sorted: &[f64], share: f64) -> f64 {
    if share.is_nan() {
        return f64::NAN;
    }
    let rank = share * (sorted.len() - 1) as f64;
    let (below, above) = (rank.floor() as usize, rank.ceil() as usize);
    sorted[below] + (sorted[above] - sorted[below]) * (rank - below as f64)
}

/// Which text each item of a language shares with others.
type Groups<'a> = &'a [Option<u64>];

/// How the items of several languages are drawn.
pub(crate) struct Resampling {
    /// For each language, which of the drawn item sets is its own.
    set_of: Vec<usize>,
    sets: Vec<ItemSet>,
}

/// Items that are drawn together.
struct ItemSet {
    clusters: Clusters,
    /// How often each item counts, draw by draw.
    draws: Vec<Vec<u32>>,
}

impl Resampling {
    /// `items`: the item numbers of each language, and with which other items each shares a
    /// text. Languages with the same numbers are drawn together, others apart.
    pub(crate) fn new(items: &[(&[usize], &[Option<u64>])]) -> Self {
        let mut distinct: Vec<(&[usize], Vec<Groups>)> = Vec::new();
        let mut set_of = Vec::new();
        for &(numbers, groups) in items {
            let known = distinct.iter().position(|(known, _)| *known == numbers);
            let index = known.unwrap_or_else(|| {
                distinct.push((numbers, Vec::new()));
                distinct.len() - 1
            });
            distinct[index].1.push(groups);
            set_of.push(index);
        }
        let mut random = SplitMix64::new(SEED);
        let sets = distinct.iter().map(|(numbers, groups)| {
            let clusters = Clusters::new(numbers.len(), groups);
            let draws = (0..RESAMPLES).map(|_| {
                let counts = random.resample(clusters.count());
                clusters
                    .of_items()
                    .iter()
                    .map(|&cluster| counts[cluster])
                    .collect()
            });
            let draws = draws.collect();
            ItemSet { clusters, draws }
        });
        Self {
            set_of,
            sets: sets.collect(),
        }
    }

    /// Whether one draw serves all languages.
    pub(crate) fn is_joint(&self) -> bool {
        self.sets.len() <= 1
    }

    /// Whether two languages have the same items.
    pub(crate) fn is_joint_for(&self, a: usize, b: usize) -> bool {
        self.set_of[a] == self.set_of[b]
    }

    /// How the items of a language hang together.
    pub(crate) fn clusters(&self, language: usize) -> &Clusters {
        &self.sets[self.set_of[language]].clusters
    }

    /// `statistic` gets how often each item of the language counts; NaN where it is undefined.
    pub(crate) fn series(&self, language: usize, statistic: impl Fn(&[u32]) -> f64) -> Series {
        let set = &self.sets[self.set_of[language]];
        let once = vec![1; set.clusters.of_items().len()];
        Series {
            value: statistic(&once),
            draws: set.draws.iter().map(|counts| statistic(counts)).collect(),
            units: set.clusters.count(),
        }
    }
}

/// Mean of `values`, item `i` counted `counts[i]` times.
pub(crate) fn counted_mean<T: Copy + Into<f64>>(values: &[T], counts: &[u32]) -> f64 {
    let sum: f64 = values
        .iter()
        .zip(counts)
        .map(|(&value, &count)| value.into() * f64::from(count))
        .sum();
    let total: u64 = counts.iter().map(|&count| u64::from(count)).sum();
    sum / total as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64, within: f64) -> bool {
        (found - expected).abs() <= within
    }

    /// Forty items, 12 better and 4 worse.
    fn changes() -> Vec<i32> {
        [vec![1; 12], vec![-1; 4], vec![0; 24]].concat()
    }

    #[test]
    fn percentiles_equal_numpy() {
        let sorted = [1.0, 2.0, 4.0, 8.0, 16.0];
        for (share, expected) in [(0.025, 1.1), (0.4, 3.2), (0.975, 15.2)] {
            assert!(near(percentile(&sorted, share), expected, 1e-12));
        }
    }

    #[test]
    fn tails_equal_scipy() {
        for (units, expected) in [
            (8, 0.005_737_520_517),
            (10, 0.008_550_639_024),
            (500, 0.024_609_072_307),
        ] {
            assert!(
                near(tail_of(units), expected, 1e-9),
                "{units}: {}",
                tail_of(units)
            );
        }
        assert!(tail_of(1).is_nan());
    }

    #[test]
    fn interval_of_one_language_is_near_numpy() {
        let (changes, items): (_, Vec<usize>) = (changes(), (0..40).collect());
        let resampling = Resampling::new(&[(&items, &[None; 40])]);
        let found = resampling
            .series(0, |counts| counted_mean(&changes, counts))
            .estimate()
            .expect("defined");
        // 200 000 draws of numpy at the same tails give 0.0 and 0.4; one item is 0.025
        assert!(
            near(found.value, 0.2, 1e-12)
                && near(found.low, 0.0, 0.0251)
                && near(found.high, 0.4, 0.0251)
        );
        assert_ne!(found.low, found.value);
    }

    #[test]
    fn parallel_items_are_drawn_together_and_others_apart() {
        let (changes, none) = (changes(), [None; 40]);
        let (items, shifted): (Vec<usize>, Vec<usize>) = ((0..40).collect(), (1..41).collect());
        let error = |sets: [&[usize]; 2], signs: [f64; 2]| {
            let resampling = Resampling::new(&[(sets[0], &none), (sets[1], &none)]);
            let each = [0, 1]
                .map(|l| resampling.series(l, |counts| signs[l] * counted_mean(&changes, counts)));
            Series::mean_of(&each).expect("two").standard_error()
        };
        // together: the mean of two equal languages varies as one, and opposite languages
        // cancel; apart: sqrt(2) less
        let alone = (0.36_f64 / 40.0).sqrt();
        assert!(near(error([&items, &items], [1.0, 1.0]), alone, 0.004));
        assert!(error([&items, &items], [1.0, -1.0]) < 1e-12);
        assert!(near(
            error([&items, &shifted], [1.0, 1.0]),
            alone / 2_f64.sqrt(),
            0.004
        ));
    }

    #[test]
    fn clusters_are_drawn_whole() {
        let changes: Vec<i32> = changes();
        let items: Vec<usize> = (0..40).collect();
        let pairs: Vec<Option<u64>> = (0..40).map(|item| Some(item / 2)).collect();
        let resampling = Resampling::new(&[(&items, &pairs)]);
        let found = resampling.series(0, |counts| counted_mean(&changes, counts));
        // equal items in pairs: the error of 20 items, not of 40
        assert!(
            near(found.standard_error(), (0.36_f64 / 20.0).sqrt(), 0.006),
            "{}",
            found.standard_error()
        );
        assert_eq!(resampling.clusters(0).count(), 20);
    }

    #[test]
    fn undefined_is_none_and_seeded_is_equal() {
        let items: Vec<usize> = (0..10).collect();
        let run = |language| {
            let resampling = Resampling::new(&[(&items, &[None; 10]), (&items, &[None; 10])]);
            resampling.series(language, |c| {
                if language == 1 {
                    f64::NAN
                } else {
                    f64::from(c[0])
                }
            })
        };
        assert!(run(0).estimate().is_some() && run(1).estimate().is_none());
        assert!(
            Series::mean_of(&[run(0), run(1)])
                .expect("two")
                .estimate()
                .is_none()
        );
        assert_eq!(run(0), run(0));
    }
}
