//! How far a change can be trusted: items that share a text, other seeds and exemplars, and the
//! smallest change that the sample can show.

use serde::Serialize;

use crate::{
    measure::Measured,
    paired_cells::PairedCells,
    stats::{
        Estimate,
        clusters::{Clusters, robust_mean},
        components::{CellGrid, VarianceComponents},
        mean,
        power::{detectable_by_error, detectable_change},
        resample::Stop,
    },
};

/// Seed of the hierarchical bootstrap.
const SEED: u64 = 0x6578_656d_706c_6172;

/// The reliability of one language's change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LanguageReliability {
    /// Clusters of items that share a text; as many as items where none does.
    pub clusters: usize,
    /// Change with a cluster-robust standard error and Student's t, beside the bootstrap's
    /// interval.
    pub robust: Option<Estimate>,
    /// Variance of the change over that of as many independent items.
    pub design_effect: f64,
    /// Share of items that became right, and that became wrong; means over seeds and exemplar
    /// sets.
    pub discordant: (f64, f64),
    /// The smallest change that these items show with power 0.8 at this discordance, as a
    /// fraction of 1; `None`: none.
    pub detectable: Option<f64>,
    /// Variance of the change; `None` with one seed and one exemplar set.
    pub components: Option<VarianceComponents>,
    /// Change with an interval for other seeds, exemplar sets and items; `None` with one of
    /// each.
    pub wide: Option<Estimate>,
}

/// The reliability of the mean over languages.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MeanReliability {
    /// Seeds.
    pub seeds: usize,
    /// Sets of exemplars.
    pub exemplar_sets: usize,
    /// Variance of the change of an item's mean over the languages.
    pub change: VarianceComponents,
    /// Variance of the level after.
    pub after: VarianceComponents,
    /// Change of the mean with an interval for other seeds, exemplar sets and items.
    pub wide: Estimate,
    /// The same by a hierarchical bootstrap, which is too narrow with few seeds.
    pub bootstrap: Estimate,
}

/// Measures one language.
pub(crate) fn language_reliability(pair: &PairedCells, clusters: &Clusters) -> LanguageReliability {
    let cells = change_cells(pair);
    let count = cells.iter().flatten().count() as f64;
    let change: Vec<f64> = pair
        .changes
        .iter()
        .map(|&change| f64::from(change) / count)
        .collect();
    let robust = robust_mean(&change, clusters);
    let discordant = (
        mean_share(&cells, |change| change > 0.0),
        mean_share(&cells, |change| change < 0.0),
    );
    let design_effect = robust.map_or(f64::NAN, |robust| robust.design_effect);
    let effective = change.len() as f64
        / if design_effect.is_nan() {
            1.0
        } else {
            design_effect.max(1.0)
        };
    let detectable = if count > 1.0 {
        robust
            .map(|robust| detectable_by_error(robust.standard_error))
            .filter(|change| *change > 0.0)
    } else {
        detectable_change(effective.round() as usize, discordant.0 + discordant.1)
    };
    let has_cells = count > 1.0;
    LanguageReliability {
        clusters: clusters.count(),
        robust: robust.map(|robust| robust.interval()),
        design_effect,
        discordant,
        detectable,
        components: has_cells
            .then(|| CellGrid::new(&cells).components())
            .flatten(),
        wide: has_cells
            .then(|| CellGrid::new(&by_cluster(&cells, clusters)).interval())
            .flatten(),
    }
}

/// Measures the mean over languages with the same items; `None` with one seed and one exemplar set.
pub(crate) fn mean_reliability(
    pairs: &[PairedCells],
    clusters: &Clusters,
    stop: Stop,
) -> Option<MeanReliability> {
    let (seeds, sets) = (pairs[0].after.len(), pairs[0].before.len());
    if seeds * sets < 2 {
        return None;
    }
    let of_change: Vec<_> = pairs.iter().map(change_cells).collect();
    let change = over_languages(&of_change);
    let of_after: Vec<_> = pairs.iter().map(after_cells).collect();
    let clustered = CellGrid::new(&by_cluster(&change, clusters));
    Some(MeanReliability {
        seeds,
        exemplar_sets: sets,
        change: CellGrid::new(&change).components()?,
        after: CellGrid::new(&over_languages(&of_after)).components()?,
        wide: clustered.interval()?,
        bootstrap: clustered.bootstrap(SEED, stop),
    })
}

/// Values by seed, exemplar set and item.
type Cells = Vec<Vec<Vec<f64>>>;

/// The share of items whose value satisfies `is`, the mean over cells.
fn mean_share(cells: &[Vec<Vec<f64>>], is: fn(f64) -> bool) -> f64 {
    let shares = cells
        .iter()
        .flatten()
        .map(|cell| mean(cell.iter().map(|&value| f64::from(u8::from(is(value))))));
    mean(shares)
}

fn change_cells(pair: &PairedCells) -> Cells {
    pair.after
        .iter()
        .map(|sets| {
            sets.iter()
                .zip(&pair.before)
                .map(|(after, before)| item_changes(before, after))
                .collect()
        })
        .collect()
}

fn item_changes(before: &Measured, after: &Measured) -> Vec<f64> {
    after
        .right
        .iter()
        .zip(&before.right)
        .map(|(after, before)| f64::from(after - before))
        .collect()
}

fn after_cells(pair: &PairedCells) -> Cells {
    pair.after
        .iter()
        .map(|sets| sets.iter().map(|cell| item_levels(cell)).collect())
        .collect()
}

fn item_levels(cell: &Measured) -> Vec<f64> {
    cell.right.iter().map(|&right| f64::from(right)).collect()
}

/// The mean over languages, item by item.
fn over_languages(languages: &[Cells]) -> Cells {
    let mut means = languages[0].clone();
    for (seed, sets) in means.iter_mut().enumerate() {
        for (set, items) in sets.iter_mut().enumerate() {
            for (item, value) in items.iter_mut().enumerate() {
                *value = mean(languages.iter().map(|cells| cells[seed][set][item]));
            }
        }
    }
    means
}

/// One value per cluster in place of one per item, in every cell.
fn by_cluster(cells: &[Vec<Vec<f64>>], clusters: &Clusters) -> Cells {
    cells
        .iter()
        .map(|sets| {
            sets.iter()
                .map(|values| cluster_values(values, clusters))
                .collect()
        })
        .collect()
}

/// The cell's mean and the cluster's summed deviations from it, scaled so that the mean over
/// clusters is the mean over items and their variance is the cluster-robust one.
fn cluster_values(values: &[f64], clusters: &Clusters) -> Vec<f64> {
    let centre = mean(values.iter().copied());
    let deviations: Vec<f64> = values.iter().map(|value| value - centre).collect();
    let scale = clusters.count() as f64 / values.len() as f64;
    clusters
        .sums(&deviations)
        .into_iter()
        .map(|sum| centre + scale * sum)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_by_cluster_have_the_items_mean_and_the_robust_error() {
        let values = vec![1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0];
        let groups: Vec<Option<u64>> = [0, 0, 0, 3, 3, 5, 5, 5, 8, 8, 10, 10].map(Some).to_vec();
        let clusters = Clusters::new(12, &[&groups]);
        let robust = robust_mean(&values, &clusters).expect("five");
        let found = CellGrid::new(&by_cluster(&[vec![values]], &clusters))
            .interval()
            .expect("five");
        let expected = robust.interval();
        assert!((found.value - robust.mean).abs() < 1e-12);
        assert!(
            (found.low - expected.low).abs() < 1e-9 && (found.high - expected.high).abs() < 1e-9
        );
    }
}
