//! Seeded bootstrap over items, or over clusters of items that share a text (Efron & Tibshirani
//! 1993; Field & Welsh 2007). The languages' items are translations of each other, so one draw
//! serves all languages: what is hard in one language tends to be hard in the next, and an
//! interval for their mean must know it. Intervals are expanded percentiles (Hesterberg 2015):
//! the tails are taken so far out that the width is that of Student's t.

use rayon::prelude::*;

use super::{
    Estimate,
    clusters::Clusters,
    distribution::{normal_below, t_critical},
    mean,
    random::SplitMix64,
};
use crate::error::CompareError;

/// Draws per interval.
pub(crate) const RESAMPLES: usize = 2000;
const SEED: u64 = 0x6c69_6e67_7561_6c69;
/// Draws of so many bytes are kept; larger ones are drawn again for each statistic.
const KEPT_BYTES: usize = 1 << 27;

/// Whether to stop: once true, it stays so. What is computed meanwhile is NaN, and of no use.
pub(crate) type Stop<'a> = &'a (dyn Fn() -> bool + Sync);

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

/// The text that each item of a language shares with others, by number.
type Groups<'a> = &'a [Option<u64>];

/// How the items of several languages are drawn.
pub(crate) struct Resampling<'a> {
    /// For each language, which of the drawn item sets is its own.
    set_of: Vec<usize>,
    sets: Vec<ItemSet>,
    stop: Stop<'a>,
}

/// Items that are drawn together.
struct ItemSet {
    clusters: Clusters,
    /// The generator before the first draw.
    random: SplitMix64,
    /// How often each item counts, draw by draw; none where they are too many to be kept.
    draws: Vec<Vec<u8>>,
}

impl ItemSet {
    fn new(clusters: Clusters, random: SplitMix64, stop: Stop) -> Self {
        let mut set = Self {
            clusters,
            random,
            draws: Vec::new(),
        };
        if set.clusters.of_items().len() <= KEPT_BYTES / RESAMPLES {
            let draws = (0..RESAMPLES).into_par_iter().map(|number| {
                let mut counts = DrawnCounts::default();
                if !stop() {
                    set.draw(number, &mut counts);
                }
                counts.of_items
            });
            set.draws = draws.collect();
        }
        set
    }

    /// Counts how often each item comes up in the draw with this number. A count fits into a
    /// byte: that one of n things comes up 256 times in n draws has a chance below 1 / 256!.
    fn draw(&self, number: usize, counts: &mut DrawnCounts) {
        let (clusters, of_items) = (self.clusters.count(), self.clusters.of_items());
        let mut random = self.random.after(number * clusters);
        let drawn = if clusters == of_items.len() {
            &mut counts.of_items
        } else {
            &mut counts.of_clusters
        };
        drawn.clear();
        drawn.resize(clusters, 0);
        for _ in 0..clusters {
            let count = &mut drawn[random.below(clusters)];
            *count = count.saturating_add(1);
        }
        if clusters < of_items.len() {
            let DrawnCounts {
                of_items: counts,
                of_clusters,
            } = counts;
            counts.clear();
            counts.extend(of_items.iter().map(|&cluster| of_clusters[cluster]));
        }
    }
}

/// How often each cluster and each item counts in one draw.
#[derive(Default)]
struct DrawnCounts {
    of_items: Vec<u8>,
    of_clusters: Vec<u8>,
}

impl<'a> Resampling<'a> {
    /// `items`: the item numbers of each language, and with which other items each shares a
    /// text. Languages with the same numbers are drawn together, others apart.
    pub(crate) fn new(items: &[(&[usize], &[Option<u64>])], stop: Stop<'a>) -> Self {
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
        let mut sets = Vec::with_capacity(distinct.len());
        for (numbers, groups) in distinct {
            let clusters = Clusters::new(numbers.len(), &groups);
            let after = random.after(RESAMPLES * clusters.count());
            sets.push(ItemSet::new(clusters, random, stop));
            random = after;
        }
        Self { set_of, sets, stop }
    }

    /// Whether to stop; see [`Stop`].
    fn is_stopped(&self) -> bool {
        (self.stop)()
    }

    /// What was computed, unless it was stopped meanwhile and is of no use.
    pub(crate) fn unless_stopped<T>(&self, computed: T) -> Result<T, CompareError> {
        match self.is_stopped() {
            true => Err(CompareError::Stopped),
            false => Ok(computed),
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

    /// The clusters of a language's items.
    pub(crate) fn clusters(&self, language: usize) -> &Clusters {
        &self.sets[self.set_of[language]].clusters
    }

    /// `statistic` gets how often each item of the language counts; NaN where it is undefined.
    pub(crate) fn series(
        &self,
        language: usize,
        statistic: impl Fn(&[u8]) -> f64 + Sync,
    ) -> Series {
        let [series] = self.series_of(language, |counts| [statistic(counts)]);
        series
    }

    /// As [`Resampling::series`], several statistics of the same draws at once.
    pub(crate) fn series_of<const N: usize>(
        &self,
        language: usize,
        statistics: impl Fn(&[u8]) -> [f64; N] + Sync,
    ) -> [Series; N] {
        let set = &self.sets[self.set_of[language]];
        let of_counts = |counts: &[u8]| match self.is_stopped() {
            true => [f64::NAN; N],
            false => statistics(counts),
        };
        let draws: Vec<[f64; N]> = match set.draws.is_empty() {
            false => set
                .draws
                .par_iter()
                .map(|counts| of_counts(counts))
                .collect(),
            true => (0..RESAMPLES)
                .into_par_iter()
                .map_init(DrawnCounts::default, |counts, number| {
                    if !self.is_stopped() {
                        set.draw(number, counts);
                    }
                    of_counts(&counts.of_items)
                })
                .collect(),
        };
        let values = of_counts(&vec![1; set.clusters.of_items().len()]);
        std::array::from_fn(|at| Series {
            value: values[at],
            draws: draws.iter().map(|draw| draw[at]).collect(),
            units: set.clusters.count(),
        })
    }
}

/// Mean of `values`, item `i` counted `counts[i]` times.
pub(crate) fn counted_mean<T: Copy + Into<f64>, C: Copy + Into<u32>>(
    values: &[T],
    counts: &[C],
) -> f64 {
    let sum: f64 = values
        .iter()
        .zip(counts)
        .map(|(&value, &count)| value.into() * f64::from(count.into()))
        .sum();
    sum / count_all(counts)
}

/// As [`counted_mean`], to the bit, of small whole numbers, whose sum is exact in any order.
pub(crate) fn counted_mean_of_whole(values: &[i8], counts: &[u8]) -> f64 {
    const AT_ONCE: usize = 1 << 16; // such a sum stays below 2^31
    let pairs = values.chunks(AT_ONCE).zip(counts.chunks(AT_ONCE));
    let sum: i64 = pairs
        .map(|(values, counts)| {
            let products = values.iter().zip(counts);
            let sum: i32 = products.map(|(&v, &c)| i32::from(v) * i32::from(c)).sum();
            i64::from(sum)
        })
        .sum();
    sum as f64 / count_all(counts)
}

fn count_all<C: Copy + Into<u32>>(counts: &[C]) -> f64 {
    let total: u64 = counts.iter().map(|&count| u64::from(count.into())).sum();
    total as f64
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
        let resampling = Resampling::new(&[(&items, &[None; 40])], &|| false);
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
            let resampling = Resampling::new(&[(sets[0], &none), (sets[1], &none)], &|| false);
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
    fn draws_that_are_not_kept_are_the_same() {
        let items: Vec<usize> = (0..40).collect();
        let pairs: Vec<Option<u64>> = (0..40).map(|item| Some(item / 3)).collect();
        for groups in [vec![None; 40], pairs] {
            let shifted: Vec<usize> = (1..41).collect();
            let sets: [(&[usize], Groups); 2] = [(&items, &groups), (&shifted, &groups)];
            let kept = Resampling::new(&sets, &|| false);
            let mut again = Resampling::new(&sets, &|| false);
            again.sets.iter_mut().for_each(|set| set.draws.clear());
            let weighted = |counts: &[u8]| -> f64 {
                (0..)
                    .zip(counts)
                    .map(|(i, c)| f64::from(i) * f64::from(*c))
                    .sum()
            };
            for language in [0, 1] {
                let of = |resampling: &Resampling| resampling.series(language, weighted);
                assert_eq!(of(&kept), of(&again));
            }
            // the first set's draws are those of the generator from its beginning
            let mut random = SplitMix64::new(SEED);
            let counts = random.resample(kept.sets[0].clusters.count());
            let expected = |&cluster: &usize| counts[cluster] as u8;
            let of_items = kept.sets[0].clusters.of_items();
            assert!(
                of_items
                    .iter()
                    .map(expected)
                    .eq(kept.sets[0].draws[0].iter().copied())
            );
        }
    }

    #[test]
    fn means_of_whole_numbers_are_the_same_to_the_bit() {
        let values: Vec<i8> = (0..70_000_u32).map(|i| (i % 3) as i8 - 1).collect();
        let counts: Vec<u8> = (0..70_000_u32).map(|i| (i * 7 % 5) as u8).collect();
        assert_eq!(
            counted_mean_of_whole(&values, &counts),
            counted_mean(&values, &counts)
        );
    }

    #[test]
    fn a_stopped_series_is_undefined() {
        let items: Vec<usize> = (0..10).collect();
        let resampling = Resampling::new(&[(&items, &[None; 10])], &|| true);
        let series = resampling.series(0, |_| 1.0);
        assert!(series.estimate().is_none() && series.value().is_nan());
    }

    #[test]
    fn clusters_are_drawn_whole() {
        let changes: Vec<i32> = changes();
        let items: Vec<usize> = (0..40).collect();
        let pairs: Vec<Option<u64>> = (0..40).map(|item| Some(item / 2)).collect();
        let resampling = Resampling::new(&[(&items, &pairs)], &|| false);
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
            let resampling =
                Resampling::new(&[(&items, &[None; 10]), (&items, &[None; 10])], &|| false);
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
