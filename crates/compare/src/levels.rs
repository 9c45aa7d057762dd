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
        resample::{Resampling, Series, counted_mean, counted_mean_of_whole},
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

    /// `None` where one of the two is missing, too.
    pub(crate) fn of_both(before: Option<&Series>, after: Option<&Series>) -> Option<Self> {
        Self::of(before?, after?)
    }
}

/// A number before and after as series over the same draws.
pub(crate) struct ChangeSeries {
    pub before: Series,
    pub after: Series,
}

impl ChangeSeries {
    /// `after - before`, draw by draw.
    pub(crate) fn change(&self) -> Series {
        self.after.minus(&self.before)
    }

    /// `None` where one of the three is undefined.
    pub(crate) fn estimate(&self) -> Option<BeforeAfter> {
        BeforeAfter::of(&self.before, &self.after)
    }

    /// The mean of several, draw by draw. `None` of none.
    pub(crate) fn mean_of(all: &[Self]) -> Option<Self> {
        Some(Self {
            before: Series::mean_of(all.iter().map(|series| &series.before))?,
            after: Series::mean_of(all.iter().map(|series| &series.after))?,
        })
    }
}

/// The measures of one language's answers, over cells: seeds and sets of exemplars.
pub(crate) struct LevelSeries {
    pub raw: Series,
    /// NaN where all items have one gold label.
    pub auc: Series,
    pub contextual: Option<Series>,
    pub batch: Option<Series>,
}

impl LevelSeries {
    pub(crate) fn new(resampling: &Resampling, language: usize, cells: &[&Measured]) -> Self {
        let right = RightShare::new(cells.iter().map(|cell| &cell.right));
        let contextual = RightShare::of_all(cells.iter().map(|cell| cell.contextual.as_ref()));
        let batch = RightShare::of_all(cells.iter().map(|cell| cell.batch.as_ref()));
        let [raw, auc, of_contextual, of_batch] = resampling.series_of(language, |counts| {
            [
                right.of(counts),
                mean(cells.iter().map(|cell| cell.separation.area(counts))),
                contextual
                    .as_ref()
                    .map_or(f64::NAN, |share| share.of(counts)),
                batch.as_ref().map_or(f64::NAN, |share| share.of(counts)),
            ]
        });
        Self {
            raw,
            auc,
            contextual: contextual.is_some().then_some(of_contextual),
            batch: batch.is_some().then_some(of_batch),
        }
    }

    /// AUC; `None` where it is undefined.
    pub(crate) fn defined_auc(&self) -> Option<Series> {
        (!self.auc.value().is_nan()).then(|| self.auc.clone())
    }
}

/// The share of items that are right: the mean of several columns of right (1) and wrong (0)
/// items.
pub(crate) enum RightShare<'a> {
    /// One column.
    Whole(&'a [i8]),
    /// The mean of several, item by item.
    Mean(Vec<f64>),
}

impl<'a> RightShare<'a> {
    pub(crate) fn new(columns: impl Iterator<Item = &'a Vec<i8>>) -> Self {
        let columns: Vec<&Vec<i8>> = columns.collect();
        match columns.as_slice() {
            [only] => Self::Whole(only),
            several => Self::Mean(average(several)),
        }
    }

    /// `None` if one of the columns is missing.
    pub(crate) fn of_all(columns: impl Iterator<Item = Option<&'a Vec<i8>>>) -> Option<Self> {
        let columns: Vec<&Vec<i8>> = columns.collect::<Option<_>>()?;
        Some(Self::new(columns.into_iter()))
    }

    /// Item `i` counts `counts[i]` times.
    pub(crate) fn of(&self, counts: &[u8]) -> f64 {
        match self {
            Self::Whole(column) => counted_mean_of_whole(column, counts),
            Self::Mean(values) => counted_mean(values, counts),
        }
    }
}

/// The mean of several columns, item by item.
fn average(columns: &[&Vec<i8>]) -> Vec<f64> {
    let items = columns.first().map_or(0, |column| column.len());
    (0..items)
        .map(|item| mean(columns.iter().map(|column| f64::from(column[item]))))
        .collect()
}

/// Accuracy of one language over cells with Wilson's interval; items that share a text count as
/// fewer: items over the design effect.
pub(crate) fn accuracy(resampling: &Resampling, language: usize, cells: &[&Measured]) -> Estimate {
    let right: Vec<&Vec<i8>> = cells.iter().map(|cell| &cell.right).collect();
    let values = average(&right);
    let clusters = resampling.clusters(language);
    let design = match robust_mean(&values, clusters).map(|robust| robust.design_effect) {
        Some(design) if clusters.share_texts() && design > 1.0 => design,
        _ => 1.0,
    };
    wilson(mean(values.iter().copied()), values.len() as f64 / design)
}
