//! Means over groups of languages, before, after and their change.

use serde::Serialize;

use crate::{
    levels::{BeforeAfter, ChangeSeries, LevelSeries},
    stats::{Estimate, power::detectable_by_error, resample::Series},
    verdict::{Attribution, judge},
};

/// Means over a group of languages (Eq. 5), each language counted once; bootstrap intervals
/// over items.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MeanChange {
    /// Languages in the group.
    pub languages: usize,
    /// Mean accuracy before.
    pub before: Estimate,
    /// Mean accuracy after.
    pub after: Estimate,
    /// Its change.
    pub change: Estimate,
    /// Mean AUC of the languages that have one.
    pub auc: Option<BeforeAfter>,
    /// Mean accuracy after contextual calibration of the languages that have one.
    pub calibrated: Option<BeforeAfter>,
    /// Mean accuracy after batch calibration.
    pub batch: Option<BeforeAfter>,
    /// Discrimination, label prior, or both.
    pub attribution: Attribution,
    /// The smallest change that these items show with power 0.8, as a fraction of 1; NaN where
    /// nothing varies, as with one item.
    pub detectable: f64,
}

/// A language's measures before and after, over the same draws.
pub(crate) struct PairedSeries {
    pub before: LevelSeries,
    pub after: LevelSeries,
}

/// The means of a group of languages, given by their positions; of an empty group they are NaN.
pub(crate) fn measure_mean(series: &[PairedSeries], group: &[usize]) -> MeanChange {
    let raw = mean_series(series, group, |level| Some(level.raw.clone()));
    let auc = mean_series(series, group, LevelSeries::defined_auc);
    let contextual = mean_series(series, group, |level| level.contextual.clone());
    let batch = mean_series(series, group, |level| level.batch.clone());
    let all_have_batch = group
        .iter()
        .all(|&l| series[l].before.batch.is_some() && series[l].after.batch.is_some());
    let change = raw.as_ref().map(ChangeSeries::change);
    let prior_part = change
        .as_ref()
        .zip(batch.as_ref())
        .filter(|_| all_have_batch)
        .and_then(|(raw, batch)| raw.minus(&batch.change()).estimate());
    let auc = auc.and_then(|auc| auc.estimate());
    MeanChange {
        languages: group.len(),
        before: estimate_or_undefined(raw.as_ref().map(|raw| &raw.before)),
        after: estimate_or_undefined(raw.as_ref().map(|raw| &raw.after)),
        change: estimate_or_undefined(change.as_ref()),
        auc,
        calibrated: contextual.and_then(|contextual| contextual.estimate()),
        batch: batch.and_then(|batch| batch.estimate()),
        attribution: Attribution {
            prior_part,
            verdict: judge(auc.as_ref().map(|auc| &auc.change), prior_part.as_ref()),
        },
        detectable: change.map_or(f64::NAN, |c| detectable_by_error(c.standard_error())),
    }
}

/// The mean of a measure over those languages of a group that have it before and after.
fn mean_series(
    series: &[PairedSeries],
    group: &[usize],
    pick: fn(&LevelSeries) -> Option<Series>,
) -> Option<ChangeSeries> {
    let all: Vec<ChangeSeries> = group
        .iter()
        .filter_map(|&l| {
            Some(ChangeSeries {
                before: pick(&series[l].before)?,
                after: pick(&series[l].after)?,
            })
        })
        .collect();
    ChangeSeries::mean_of(&all)
}

fn estimate_or_undefined(series: Option<&Series>) -> Estimate {
    series
        .and_then(Series::estimate)
        .unwrap_or(Estimate::UNDEFINED)
}
