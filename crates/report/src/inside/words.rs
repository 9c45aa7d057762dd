//! Wording that several sections share: ranges of layers, means over pairs and items,
//! poolings, measures.
//!
//! Never here: a threshold that is not an interval.

use compare::{inside::mean_estimate, stats::Estimate};
use figure::{CurvePoint, CurveStyle, Mark};
use schema::{
    Language,
    inside::{Measure, Pooling},
};

use crate::format::signed_interval;

/// `3`, `3–7`, `3–7 and 9`; `none`.
pub(crate) fn layer_ranges(layers: &[usize]) -> String {
    if layers.is_empty() {
        return "none".to_owned();
    }
    let runs = layers.chunk_by(|a, b| a + 1 == *b).map(|run| match run {
        [only] => only.to_string(),
        [first, .., last] => format!("{first}–{last}"),
        [] => String::new(),
    });
    crate::format::list(&runs.collect::<Vec<_>>())
}

/// `+0.02 [+0.01, +0.03] in the mean over 6 languages (the interval lies above 0 in 5 and below
/// 0 in 0)`; of one alone its change.
pub(crate) fn change_over_languages(
    changes: &[(Language, Estimate)],
    decimals: usize,
) -> Option<String> {
    let mean = mean_estimate(changes.iter().map(|(_, change)| *change))?;
    let said = signed_interval(&mean, decimals);
    Some(match changes {
        [(language, _)] => format!("{said} in {language}"),
        _ => format!(
            "{said} in the mean over {} languages (the interval lies above 0 in {} and below 0 in {})",
            changes.len(),
            changes.iter().filter(|(_, change)| change.rises()).count(),
            changes.iter().filter(|(_, change)| change.falls()).count()
        ),
    })
}

/// The lowest and the highest of counts by language: `12 (en) to 40 (th)`; one number where all
/// are the same.
pub(crate) fn count_range(counts: &[(Language, usize)]) -> Option<String> {
    let (fewest, least) = counts.iter().min_by_key(|(_, count)| *count)?;
    let (most, greatest) = counts.iter().max_by_key(|(_, count)| *count)?;
    Some(if least == greatest {
        least.to_string()
    } else {
        format!("{least} ({fewest}) to {greatest} ({most})")
    })
}

/// What a pooling is, in words.
pub(crate) fn pooling_words(pooling: Pooling) -> &'static str {
    match pooling {
        Pooling::All => "mean over all tokens, as in the paper",
        Pooling::Question => "mean over the question's tokens",
        Pooling::Weighted => "mean over the question's tokens, later ones weighted more",
        Pooling::Last => "last token",
    }
}

/// What a measure is, for a panel.
pub(crate) fn measure_title(measure: Measure) -> &'static str {
    match measure {
        Measure::Pearson => "Pearson, component 1",
        Measure::PearsonCentred => "Pearson, language means out",
        Measure::Cka => "CKA, debiased",
        Measure::Retrieval => "Retrieval",
        Measure::Cosine => "Cosine of parallels",
        Measure::CosineCentred => "Cosine, language means out",
        Measure::Centroid => "Distance of the means",
        Measure::Length => "Explained by length",
    }
}

/// How a measure is called in a sentence.
pub(crate) fn measure_words(measure: Measure) -> &'static str {
    match measure {
        Measure::Pearson => "Pearson's correlation of the first component",
        Measure::PearsonCentred => "the same with each language's mean taken out",
        Measure::Cka => "debiased CKA",
        Measure::Retrieval => "retrieval",
        Measure::Cosine => "the cosine of parallel items",
        Measure::CosineCentred => "their cosine with each language's mean taken out",
        Measure::Centroid => "the distance of the languages' means",
        Measure::Length => "the share that lengths explain",
    }
}

/// Codes of languages.
pub(crate) fn codes(languages: &[Language]) -> Vec<String> {
    languages
        .iter()
        .map(|language| language.code().to_owned())
        .collect()
}

/// Estimates by layer, as a curve takes them.
pub(crate) fn curve_points(
    estimates: impl IntoIterator<Item = (usize, Estimate)>,
) -> Vec<CurvePoint> {
    estimates
        .into_iter()
        .map(|(layer, estimate)| CurvePoint {
            layer,
            value: estimate.value,
            low: estimate.low,
            high: estimate.high,
        })
        .collect()
}

/// Of the model before tuning, or alone.
pub(crate) const BEFORE: CurveStyle = CurveStyle {
    tone: "grey",
    stroke: "dash",
    mark: Mark::Disc,
};
/// Of the tuned one.
pub(crate) const AFTER: CurveStyle = CurveStyle {
    tone: "blue",
    stroke: "solid",
    mark: Mark::Square,
};

/// Of the state at a place of [`super::ModelView::states`].
pub(crate) fn state_look(place: usize, count: usize) -> CurveStyle {
    if place + 1 == count { AFTER } else { BEFORE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_told_in_ranges() {
        assert_eq!(layer_ranges(&[]), "none");
        assert_eq!(layer_ranges(&[3, 4, 5, 9, 11, 12]), "3–5, 9 and 11–12");
    }

    #[test]
    fn languages_are_told_by_their_mean_or_their_ends() {
        let of = |value: f64| Estimate {
            value,
            low: value - 0.1,
            high: value + 0.1,
        };
        let changes = [(Language::Zh, of(0.2)), (Language::De, of(0.0))];
        let expected = "+0.10 [0.00, +0.20] in the mean over 2 languages (the interval lies above 0 in 1 and below 0 in 0)";
        assert_eq!(
            change_over_languages(&changes, 2).as_deref(),
            Some(expected)
        );
        assert_eq!(
            change_over_languages(&changes[..1], 1).as_deref(),
            Some("+0.2 [+0.1, +0.3] in zh")
        );
        assert_eq!(change_over_languages(&[], 1), None);
        let counts = [(Language::Zh, 3), (Language::De, 9), (Language::Fr, 4)];
        assert_eq!(count_range(&counts).as_deref(), Some("3 (zh) to 9 (de)"));
        assert_eq!(count_range(&counts[..1]).as_deref(), Some("3"));
    }
}
