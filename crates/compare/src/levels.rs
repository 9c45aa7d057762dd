//! One model's levels with intervals: accuracy, AUC, calibrated accuracy, each as a series over
//! the same draws of items.

use serde::Serialize;

use crate::{
    measure::Measured,
    stats::{
        Estimate,
        clusters::robust_mean,
        mean,
        proportion::wilson,
        resample::{Resampling, Series, counted_mean},
    },
};

/// A number before and after, and its paired change, each with its interval over items.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct BeforeAfter {
    /// Before.
    pub before: Estimate,
    /// After; the mean over seeds and exemplar sets.
    pub after: Estimate,
    /// `after - before`, paired.
    pub change: Estimate,
}

impl BeforeAfter {
    /// `None` where one of the three is undefined.
    pub(crate) fn of(before: &Series, after: &Series) -> Option<Self> {
        let change = after.minus(before).estimate()?;
        Some(Self {
            before: before.estimate()?,
            after: after.estimate()?,
            change,
        })
    }
}

/// What is measured of one language's answers, over cells: seeds and sets of exemplars.
pub(crate) struct LevelSeries {
    pub raw: Series,
    /// NaN where all items have one gold label.
    pub auc: Series,
    pub contextual: Option<Series>,
    pub batch: Option<Series>,
}

impl LevelSeries {
    pub(crate) fn new(resampling: &Resampling, language: usize, cells: &[&Measured]) -> Self {
        let optional = |pick: fn(&Measured) -> Option<&Vec<i32>>| {
            let columns: Option<Vec<&Vec<i32>>> = cells.iter().map(|cell| pick(cell)).collect();
            columns.map(|columns| accuracy_series(resampling, language, &columns))
        };
        let right: Vec<&Vec<i32>> = cells.iter().map(|cell| &cell.right).collect();
        Self {
            raw: accuracy_series(resampling, language, &right),
            auc: resampling.series(language, |counts| {
                mean(cells.iter().map(|cell| cell.separation.area(counts)))
            }),
            contextual: optional(|cell| cell.contextual.as_ref()),
            batch: optional(|cell| cell.batch.as_ref()),
        }
    }
}

/// Accuracy of one language, the mean of several columns of right (1) and wrong (0) items.
pub(crate) fn accuracy_series(
    resampling: &Resampling,
    language: usize,
    columns: &[&Vec<i32>],
) -> Series {
    let values = average(columns);
    resampling.series(language, |counts| counted_mean(&values, counts))
}

/// The mean of several columns, item by item.
fn average(columns: &[&Vec<i32>]) -> Vec<f64> {
    let items = columns.first().map_or(0, |column| column.len());
    (0..items)
        .map(|item| mean(columns.iter().map(|column| f64::from(column[item]))))
        .collect()
}

/// Accuracy of one language over cells with Wilson's interval; items that share a text count as
/// fewer: items over the design effect.
pub(crate) fn accuracy(resampling: &Resampling, language: usize, cells: &[&Measured]) -> Estimate {
    let right: Vec<&Vec<i32>> = cells.iter().map(|cell| &cell.right).collect();
    let values = average(&right);
    let clusters = resampling.clusters(language);
    let design = match robust_mean(&values, clusters).map(|robust| robust.design_effect) {
        Some(design) if clusters.share_texts() && design > 1.0 => design,
        _ => 1.0,
    };
    wilson(mean(values.iter().copied()), values.len() as f64 / design)
}
