//! Means over groups of languages, before, after and their change.

use serde::Serialize;

use crate::{
    levels::{BeforeAfter, LevelSeries},
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
    /// What the change is.
    pub attribution: Attribution,
    /// The smallest change that these items show with power 0.8, as a fraction of 1.
    pub detectable: f64,
}

/// A pair's measures over the draws.
pub(crate) struct PairedSeries {
    pub before: LevelSeries,
    pub after: LevelSeries,
}

/// The means of a group of languages, given by place; of nothing they are NaN.
pub(crate) fn measure_mean(series: &[PairedSeries], group: &[usize]) -> MeanChange {
    let mean_of = |pick: &dyn Fn(&LevelSeries) -> Option<Series>| -> Option<(Series, Series)> {
        let both = |l: &usize| Some((pick(&series[*l].before)?, pick(&series[*l].after)?));
        let (before, after): (Vec<Series>, Vec<Series>) = group.iter().filter_map(both).unzip();
        Some((Series::mean_of(&before)?, Series::mean_of(&after)?))
    };
    let both = |pick: &dyn Fn(&LevelSeries) -> Option<Series>| {
        mean_of(pick).and_then(|(before, after)| BeforeAfter::of(&before, &after))
    };
    let defined = |series: &Series| (!series.value().is_nan()).then(|| series.clone());
    let raw = mean_of(&|level| Some(level.raw.clone()));
    let batch = mean_of(&|level| level.batch.clone());
    let change = raw.as_ref().map(|(before, after)| after.minus(before));
    let prior_part = change
        .as_ref()
        .zip(batch.as_ref())
        .and_then(|(raw, (before, after))| {
            let has_all = group
                .iter()
                .all(|&l| series[l].before.batch.is_some() && series[l].after.batch.is_some());
            raw.minus(&after.minus(before))
                .estimate()
                .filter(|_| has_all)
        });
    let auc = both(&|level| defined(&level.auc));
    let batch = batch.and_then(|(before, after)| BeforeAfter::of(&before, &after));
    let estimate = |series: Option<&Series>| {
        series
            .and_then(Series::estimate)
            .unwrap_or(Estimate::UNDEFINED)
    };
    MeanChange {
        languages: group.len(),
        before: estimate(raw.as_ref().map(|(before, _)| before)),
        after: estimate(raw.as_ref().map(|(_, after)| after)),
        change: estimate(change.as_ref()),
        auc,
        calibrated: both(&|level| level.contextual.clone()),
        batch,
        attribution: Attribution {
            prior_part,
            verdict: judge(auc.as_ref().map(|auc| &auc.change), prior_part.as_ref()),
        },
        detectable: change.map_or(f64::NAN, |c| detectable_by_error(c.standard_error())),
    }
}
