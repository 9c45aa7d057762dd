//! What makes a block's numbers worth less than they look, from the numbers themselves: labels that
//! are told apart worse than by guessing, and a threshold that is off. Rules on intervals.
//!
//! Never here: what is counted from records (`schema::caveats`).

use schema::Language;

use crate::{change::LanguageChange, levels::BeforeAfter, stats::Estimate};

/// With more languages the others are counted, not named.
const NAMED: usize = 4;

/// One model in one language.
pub(crate) struct LanguageLevel {
    pub language: Language,
    pub accuracy: Estimate,
    pub auc: Option<Estimate>,
    /// After batch calibration.
    pub batch: Option<Estimate>,
}

impl From<&LanguageChange> for LanguageLevel {
    fn from(change: &LanguageChange) -> Self {
        let after = |of: BeforeAfter| of.after;
        Self {
            language: change.language,
            accuracy: change.after,
            auc: change.auc.map(after),
            batch: change.batch.map(after),
        }
    }
}

/// What is wrong with one model's levels, in sentences that begin with `who` it is.
pub(crate) fn describe_levels(who: &str, levels: &[LanguageLevel]) -> Vec<String> {
    let inverted = levels.iter().filter_map(|level| {
        let auc = level.auc.filter(|auc| auc.high < 0.5)?;
        Some(format!("{} ({:.2})", level.language, auc.value))
    });
    let inverted = list(inverted.collect()).map(|languages| {
        format!(
            "{who}: AUC below one half in {languages}: the labels are told apart worse than by guessing; check the right \
             labels and the prompt there"
        )
    });
    let shifted = levels.iter().filter_map(|level| {
        let batch = level.batch.filter(|b| b.low > level.accuracy.high)?;
        let [raw, calibrated] = [level.accuracy, batch].map(|of| 100.0 * of.value);
        Some(format!(
            "{} (AUC {:.3}, accuracy {raw:.0} %, calibrated {calibrated:.0} %)",
            level.language, level.auc?.value
        ))
    });
    let shifted = list(shifted.collect()).map(|languages| {
        format!(
            "{who}: the threshold between the labels is off, and accuracy hides how well they are told apart, in {languages}"
        )
    });
    inverted.into_iter().chain(shifted).collect()
}

/// `de, fr and 3 more languages`; `None` where there is none.
fn list(mut found: Vec<String>) -> Option<String> {
    let more = found.len().saturating_sub(NAMED);
    found.truncate(NAMED);
    let named = (!found.is_empty()).then(|| found.join(", "))?;
    Some(match more {
        0 => named,
        1 => format!("{named} and 1 more language"),
        more => format!("{named} and {more} more languages"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(value: f64, half: f64) -> Estimate {
        Estimate {
            value,
            low: value - half,
            high: value + half,
        }
    }

    fn level(language: Language, [accuracy, auc, batch]: [f64; 3], half: f64) -> LanguageLevel {
        LanguageLevel {
            language,
            accuracy: around(accuracy, half),
            auc: Some(around(auc, half)),
            batch: Some(around(batch, half)),
        }
    }

    #[test]
    fn an_inverted_auc_and_a_shifted_threshold_are_said_where_intervals_show_them() {
        let levels = [
            level(Language::En, [0.6, 0.998, 0.95], 0.1),
            level(Language::Sv, [0.5, 0.23, 0.4], 0.1),
            level(Language::Sl, [0.5, 0.45, 0.5], 0.1),
            level(Language::De, [0.6, 0.9, 0.75], 0.1),
        ];
        let expected = [
            "x: AUC below one half in sv (0.23): the labels are told apart worse than by guessing; check the right labels \
             and the prompt there",
            "x: the threshold between the labels is off, and accuracy hides how well they are told apart, in en (AUC \
             0.998, accuracy 60 %, calibrated 95 %)",
        ];
        assert_eq!(describe_levels("x", &levels), expected);
    }

    #[test]
    fn many_languages_are_counted() {
        let many = [
            Language::Sv,
            Language::Sl,
            Language::De,
            Language::Fr,
            Language::It,
            Language::Es,
        ]
        .map(|language| level(language, [0.5, 0.2, 0.5], 0.1));
        let said = describe_levels("x", &many);
        assert!(
            said[0].contains("fr (0.20) and 2 more languages:"),
            "{said:?}"
        );
    }
}
