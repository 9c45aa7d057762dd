//! Is a gain discrimination, or a moved label prior? Rules on intervals, in words.
//!
//! An accuracy can rise because the model prefers another label overall, without knowing more
//! about any item. AUC does not see such a preference at all: it compares items only with each
//! other. So AUC alone says whether the labels are told apart better. Batch calibration takes
//! the mean preference out of the scores, not to the last: what raw accuracy gains beyond
//! calibrated accuracy is what the preference costs less. Never here: a threshold that is not
//! an interval.

use serde::Serialize;

use crate::{levels::LevelSeries, stats::Estimate};

/// Where an interval lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Above 0.
    Rises,
    /// Below 0.
    Falls,
    /// 0 is in it, or it is undefined.
    Unclear,
}

/// Where the interval of a change lies.
pub fn direction(change: &Estimate) -> Direction {
    match change {
        change if change.rises() => Direction::Rises,
        change if change.falls() => Direction::Falls,
        _ => Direction::Unclear,
    }
}

/// What a change of accuracy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Labels are told apart better, and the label prior gives no part that is resolved.
    Discrimination,
    /// Labels are told apart better, and the label prior moved to the better too.
    DiscriminationAndPrior,
    /// Only the label prior moved to the better.
    Prior,
    /// Labels are told apart better, but the label prior moved to the worse.
    DiscriminationAgainstPrior,
    /// The label prior moved to the worse, and nothing else is resolved.
    PriorLoss,
    /// Labels are told apart worse.
    DiscriminationLoss,
    /// Neither is resolved by these items.
    Unresolved,
}

/// A change of accuracy taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Attribution {
    /// Change of raw accuracy less the change of batch-calibrated accuracy: what the label
    /// preference costs less. `None` where batch calibration is undefined.
    pub prior_part: Option<Estimate>,
    /// By the rules.
    pub verdict: Verdict,
}

/// Takes a change apart.
pub(crate) fn attribute(before: &LevelSeries, after: &LevelSeries) -> Attribution {
    let batch = before
        .batch
        .as_ref()
        .zip(after.batch.as_ref())
        .map(|(before, after)| after.minus(before));
    let raw = after.raw.minus(&before.raw);
    let prior_part = batch.and_then(|batch| raw.minus(&batch).estimate());
    let auc = after.auc.minus(&before.auc).estimate();
    Attribution {
        prior_part,
        verdict: judge(auc.as_ref(), prior_part.as_ref()),
    }
}

/// From the change of AUC and the prior's part.
pub(crate) fn judge(auc: Option<&Estimate>, prior_part: Option<&Estimate>) -> Verdict {
    use Direction::{Falls, Rises, Unclear};
    let of = |change: Option<&Estimate>| change.map_or(Unclear, direction);
    match (of(auc), of(prior_part)) {
        (Rises, Rises) => Verdict::DiscriminationAndPrior,
        (Rises, Unclear) => Verdict::Discrimination,
        (Rises, Falls) => Verdict::DiscriminationAgainstPrior,
        (Falls, _) => Verdict::DiscriminationLoss,
        (Unclear, Rises) => Verdict::Prior,
        (Unclear, Falls) => Verdict::PriorLoss,
        (Unclear, Unclear) => Verdict::Unresolved,
    }
}

impl Verdict {
    /// Whether the labels are told apart better.
    pub fn discriminates(self) -> bool {
        matches!(
            self,
            Self::Discrimination | Self::DiscriminationAndPrior | Self::DiscriminationAgainstPrior
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_are_those_of_the_notes() {
        let [up, flat, down] =
            [(0.02, 0.06), (-0.02, 0.02), (-0.06, -0.02)].map(|(low, high)| Estimate {
                value: (low + high) / 2.0,
                low,
                high,
            });
        let said = |auc, prior| judge(Some(auc), Some(prior));
        assert_eq!(said(&up, &flat), Verdict::Discrimination);
        assert_eq!(said(&up, &up), Verdict::DiscriminationAndPrior);
        assert_eq!(said(&flat, &up), Verdict::Prior);
        assert_eq!(said(&up, &down), Verdict::DiscriminationAgainstPrior);
        assert_eq!(said(&flat, &down), Verdict::PriorLoss);
        assert_eq!(said(&down, &up), Verdict::DiscriminationLoss);
        assert_eq!(said(&flat, &flat), Verdict::Unresolved);
        assert_eq!(judge(None, None), Verdict::Unresolved);
        assert_eq!(judge(None, Some(&up)), Verdict::Prior);
    }
}
