//! Components of the variance: seeds, exemplar sets, items and their interactions, all random and
//! fully crossed, one value per cell. Estimates by the analysis of variance (Searle, Casella &
//! McCulloch 1992): they can fall below 0, which means that the component is small. The interval
//! of the mean contains all of them (Satterthwaite 1946), and can be compared with that of the
//! hierarchical bootstrap (Owen 2007).

use serde::Serialize;

use super::{
    Estimate,
    distribution::t_critical,
    mean,
    random::SplitMix64,
    resample::{RESAMPLES, Stop, counted_mean, percentile},
};

/// Values by seed, exemplar set and item.
#[derive(Clone, Debug)]
pub(crate) struct CellGrid {
    /// Seeds, exemplar sets, items.
    sizes: [usize; 3],
    /// Items lie next to each other.
    values: Vec<f64>,
}

/// Factors are bits: seed 1, exemplar set 2, item 4.
const FACTORS: [usize; 3] = [1, 2, 4];
const ITEM: usize = 4;

/// Variances of one value, in squares of its unit; `None` where there is only one seed or set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct VarianceComponents {
    /// Between seeds.
    pub seed: Option<f64>,
    /// Between exemplar sets.
    pub exemplars: Option<f64>,
    /// Between items.
    pub items: f64,
    /// Interactions: what a seed or an exemplar set does to single items, and to each other.
    /// `None` with one of each.
    pub rest: Option<f64>,
}

/// Mean squares of the factor sets that vary, and their degrees of freedom.
struct MeanSquares {
    /// Bits of all factors with more than one level.
    present: usize,
    /// By bits.
    of: [f64; 8],
    degrees: [f64; 8],
}

impl CellGrid {
    /// `cells[seed][set]` are values by item; all of one length, at least one of each.
    pub(crate) fn new(cells: &[Vec<Vec<f64>>]) -> Self {
        let sets = cells.first().map_or(0, Vec::len);
        let items = cells
            .first()
            .and_then(|sets| sets.first())
            .map_or(0, Vec::len);
        Self {
            sizes: [cells.len(), sets, items],
            values: cells.iter().flatten().flatten().copied().collect(),
        }
    }

    /// Mean over everything.
    pub(crate) fn mean(&self) -> f64 {
        mean(self.values.iter().copied())
    }

    /// Levels of the factors in `bits`, multiplied.
    fn levels(&self, bits: usize) -> usize {
        FACTORS
            .iter()
            .zip(self.sizes)
            .filter(|(factor, _)| bits & **factor != 0)
            .map(|(_, size)| size)
            .product()
    }

    /// Which level of the factors in `bits` the cell `index` has, as one number.
    fn level(&self, index: usize, bits: usize) -> usize {
        let [_, sets, items] = self.sizes;
        let at = [index / (sets * items), index / items % sets, index % items];
        let used = (0..3).filter(|&factor| bits & FACTORS[factor] != 0);
        used.fold(0, |number, factor| number * self.sizes[factor] + at[factor])
    }

    /// Mean of each level of the factors in `bits`.
    fn means(&self, bits: usize) -> Vec<f64> {
        let mut sums = vec![0.0; self.levels(bits)];
        self.values
            .iter()
            .enumerate()
            .for_each(|(index, value)| sums[self.level(index, bits)] += value);
        let share = self.values.len() as f64 / sums.len() as f64;
        sums.into_iter().map(|sum| sum / share).collect()
    }

    fn mean_squares(&self) -> MeanSquares {
        let present: usize = FACTORS
            .iter()
            .zip(self.sizes)
            .filter(|(_, size)| *size > 1)
            .map(|(factor, _)| factor)
            .sum();
        let means: Vec<Vec<f64>> = (0..8).map(|bits| self.means(bits)).collect();
        let (mut of, mut degrees) = ([0.0; 8], [0.0; 8]);
        for bits in (1..8).filter(|bits| bits & present == *bits) {
            let sum: f64 = (0..self.values.len())
                .map(|index| self.effect(&means, index, bits).powi(2))
                .sum();
            let free = FACTORS
                .iter()
                .zip(self.sizes)
                .filter(|(factor, _)| bits & **factor != 0);
            degrees[bits] = free.map(|(_, size)| (size - 1) as f64).product();
            of[bits] = sum / degrees[bits];
        }
        MeanSquares {
            present,
            of,
            degrees,
        }
    }

    /// The effect of the factors in `bits` on the cell `index`: its mean over the other factors,
    /// less all effects of fewer factors. `means` are by bits.
    fn effect(&self, means: &[Vec<f64>], index: usize, bits: usize) -> f64 {
        (0..=bits)
            .filter(|part| part & bits == *part)
            .map(|part| sign(bits ^ part) * means[part][self.level(index, part)])
            .sum()
    }

    /// `None` with fewer than two items.
    pub(crate) fn components(&self) -> Option<VarianceComponents> {
        let squares = self.mean_squares();
        if squares.present & ITEM == 0 {
            return None;
        }
        let interactions: Vec<f64> = [3, 5, 6, 7]
            .into_iter()
            .filter_map(|bits| self.variance(&squares, bits))
            .collect();
        Some(VarianceComponents {
            seed: self.variance(&squares, 1),
            exemplars: self.variance(&squares, 2),
            items: self.variance(&squares, ITEM)?,
            rest: (!interactions.is_empty()).then(|| interactions.iter().sum()),
        })
    }

    /// The component of the factors in `bits`; `None` if one of them has only one level.
    fn variance(&self, squares: &MeanSquares, bits: usize) -> Option<f64> {
        if squares.present & bits != bits {
            return None;
        }
        let sum: f64 = (bits..8)
            .filter(|set| set & bits == bits && set & squares.present == *set)
            .map(|set| sign(set ^ bits) * squares.of[set])
            .sum();
        Some(sum / (self.values.len() / self.levels(bits)) as f64)
    }

    /// The mean with a 95 % interval for other seeds, exemplar sets and items of the same kind.
    /// Its variance is that of the main effects, each with the interactions in it: these count
    /// twice, so it is a little too wide rather than too narrow, and never narrower than for
    /// other items alone. `None` with fewer than two items.
    pub(crate) fn interval(&self) -> Option<Estimate> {
        let squares = self.mean_squares();
        if squares.present & ITEM == 0 {
            return None;
        }
        let (mut variance, mut spread) = (0.0, 0.0);
        for factor in FACTORS {
            if squares.present & factor != 0 {
                let part = squares.of[factor] / self.values.len() as f64;
                variance += part;
                spread += part.powi(2) / squares.degrees[factor];
            }
        }
        let half = if variance > 0.0 {
            t_critical(variance * variance / spread) * variance.sqrt()
        } else {
            0.0
        };
        let value = self.mean();
        Some(Estimate {
            value,
            low: value - half,
            high: value + half,
        })
    }

    /// Percentile interval of a bootstrap that draws seeds, exemplar sets and items; too narrow
    /// with few seeds or sets.
    pub(crate) fn bootstrap(&self, seed: u64, stop: Stop) -> Estimate {
        let mut random = SplitMix64::new(seed);
        let [seeds, sets, items] = self.sizes;
        let mut draws: Vec<f64> = (0..RESAMPLES)
            .map(|_| {
                if stop() {
                    return f64::NAN;
                }
                let counts = [seeds, sets, items].map(|size| random.resample(size));
                self.weighted_mean(&counts)
            })
            .collect();
        draws.sort_by(f64::total_cmp);
        Estimate {
            value: self.mean(),
            low: percentile(&draws, 0.025),
            high: percentile(&draws, 0.975),
        }
    }

    /// The mean with each seed, exemplar set and item counted as often as `counts` says.
    fn weighted_mean(&self, counts: &[Vec<u32>; 3]) -> f64 {
        let [seeds, sets, items] = self.sizes;
        let sum: f64 = self
            .values
            .chunks(items)
            .enumerate()
            .map(|(row, values)| {
                let weight = f64::from(counts[0][row / sets]) * f64::from(counts[1][row % sets]);
                (weight, values)
            })
            .filter(|(weight, _)| *weight > 0.0)
            .map(|(weight, values)| weight * counted_mean(values, &counts[2]))
            .sum();
        sum / (seeds * sets) as f64
    }
}

/// 1 for an even number of bits, -1 for an odd one.
fn sign(bits: usize) -> f64 {
    if bits.count_ones().is_multiple_of(2) {
        1.0
    } else {
        -1.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found} {expected}");
    }

    /// The same table as in reference.py.
    fn table(seeds: usize, sets: usize, items: usize) -> CellGrid {
        let value = |s: usize, e: usize, i: usize| {
            let noise = ((s * 7 + e * 11 + i * 5 + s * e * 3 + s * i * 2 + e * i * 9) % 13) as f64;
            noise / 10.0 + s as f64 * 0.3 - e as f64 * 0.2 + (i % 4) as f64 * 0.5
        };
        let of_items = |s, e| (0..items).map(|i| value(s, e, i)).collect();
        CellGrid::new(
            &(0..seeds)
                .map(|s| (0..sets).map(|e| of_items(s, e)).collect())
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn equal_the_mean_squares_of_statsmodels() {
        let found = table(3, 2, 6).components().expect("items");
        near(found.seed.expect("seeds"), REFERENCE_THREE_WAY[0]);
        near(found.exemplars.expect("sets"), REFERENCE_THREE_WAY[1]);
        near(found.items, REFERENCE_THREE_WAY[2]);
        near(found.rest.expect("rest"), REFERENCE_THREE_WAY[3]);
        let found = table(4, 1, 8).components().expect("items");
        near(found.seed.expect("seeds"), REFERENCE_TWO_WAY[0]);
        near(found.items, REFERENCE_TWO_WAY[1]);
        near(found.rest.expect("rest"), REFERENCE_TWO_WAY[2]);
        assert_eq!(found.exemplars, None);
        let interval = table(4, 1, 8).interval().expect("items");
        near(interval.low, REFERENCE_TWO_WAY[3]);
        near(interval.high, REFERENCE_TWO_WAY[4]);
        let interval = table(3, 2, 6).interval().expect("items");
        near(interval.low, REFERENCE_THREE_WAY[4]);
        near(interval.high, REFERENCE_THREE_WAY[5]);
    }

    const REFERENCE_THREE_WAY: [f64; 6] = [
        0.12,
        -0.003_388_888_888_888_915_2,
        0.154_444_444_444_444_36,
        0.177_555_555_555_555_6,
        0.675_049_290_440_821_3,
        2.074_950_709_559_179_3,
    ];
    const REFERENCE_TWO_WAY: [f64; 5] = [
        0.136_577_380_952_380_64,
        0.348_363_095_238_095,
        0.141_547_619_047_619_06,
        1.135_455_686_834_817_1,
        2.464_544_313_165_182_7,
    ];

    #[test]
    fn one_seed_and_set_leave_the_ordinary_interval() {
        let grid = CellGrid::new(&[vec![vec![2.0, 4.0, 9.0]]]);
        let (interval, parts) = (
            grid.interval().expect("three"),
            grid.components().expect("three"),
        );
        near(
            interval.high - interval.low,
            2.0 * t_critical(2.0) * 13_f64.sqrt() / 3_f64.sqrt(),
        );
        assert_eq!(
            (parts.seed, parts.exemplars, parts.rest),
            (None, None, None)
        );
        near(parts.items, 13.0);
        assert!(CellGrid::new(&[vec![vec![2.0]]]).interval().is_none());
    }

    proptest! {
        #[test]
        fn components_follow_shift_and_scale(by in -3.0..3.0_f64, scale in 0.1..4.0_f64) {
            let plain = table(3, 2, 5);
            let moved = CellGrid { values: plain.values.iter().map(|v| by + scale * v).collect(), ..plain.clone() };
            let (a, b) = (plain.components().expect("items"), moved.components().expect("items"));
            for (a, b) in [(a.seed, b.seed), (a.exemplars, b.exemplars), (Some(a.items), Some(b.items)), (a.rest, b.rest)] {
                prop_assert!((a.expect("there") * scale * scale - b.expect("there")).abs() < 1e-9);
            }
            let (a, b) = (plain.interval().expect("items"), moved.interval().expect("items"));
            prop_assert!((scale * (a.high - a.low) - (b.high - b.low)).abs() < 1e-9);
        }
    }

    /// Share of simulated experiments whose interval holds the truth: (random effects,
    /// bootstrap).
    fn coverage(runs: usize, sizes: [usize; 3], spread: [f64; 4]) -> (f64, f64) {
        let mut random = SplitMix64::new(11);
        let mut normal = || (0..12).map(|_| random.uniform()).sum::<f64>() - 6.0;
        let (mut hits, mut bootstrap_hits) = (0, 0);
        for run in 0..runs {
            let mut draw = |count: usize, spread: f64| {
                (0..count).map(|_| spread * normal()).collect::<Vec<f64>>()
            };
            let (of_seed, of_set) = (draw(sizes[0], spread[0]), draw(sizes[1], spread[1]));
            let (of_item, rest) = (
                draw(sizes[2], spread[2]),
                draw(sizes.iter().product(), spread[3]),
            );
            let items = |s: usize, e: usize| {
                let start = (s * sizes[1] + e) * sizes[2];
                (0..sizes[2])
                    .map(|i| of_seed[s] + of_set[e] + of_item[i] + rest[start + i])
                    .collect()
            };
            let cells: Vec<Vec<Vec<f64>>> = (0..sizes[0])
                .map(|s| (0..sizes[1]).map(|e| items(s, e)).collect())
                .collect();
            let grid = CellGrid::new(&cells);
            let holds =
                |interval: Estimate| usize::from(interval.low <= 0.0 && 0.0 <= interval.high);
            hits += holds(grid.interval().expect("items"));
            if run % 10 == 0 {
                bootstrap_hits += holds(grid.bootstrap(run as u64, &|| false));
            }
        }
        (
            hits as f64 / runs as f64,
            bootstrap_hits as f64 / runs.div_ceil(10) as f64,
        )
    }

    #[test]
    fn the_interval_covers_other_seeds_and_items() {
        // 2000 runs: the standard error of a coverage of 0.95 is 0.005
        let (covered, bootstrap) = coverage(2000, [3, 1, 60], [0.3, 0.0, 1.0, 0.8]);
        println!("2000 runs, three seeds that differ: {covered:.3}, bootstrap {bootstrap:.3}");
        assert!((0.93..=0.985).contains(&covered), "{covered}");
        assert!(
            bootstrap < covered,
            "three seeds are too few for the bootstrap: {bootstrap}"
        );
        let (covered, _) = coverage(2000, [3, 4, 40], [0.0, 0.4, 1.0, 0.8]);
        println!("2000 runs, four sets of exemplars that differ: {covered:.3}");
        assert!((0.93..=0.985).contains(&covered), "{covered}");
        // no variance between seeds: as over items alone
        let (covered, _) = coverage(2000, [3, 1, 60], [0.0, 0.0, 1.0, 0.8]);
        println!("2000 runs, three seeds that do not differ: {covered:.3}");
        assert!((0.935..=0.985).contains(&covered), "{covered}");
    }
}
