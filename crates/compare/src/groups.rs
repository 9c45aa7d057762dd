//! Groups of languages that a reader asks for: by resource, script and family; and the gap to
//! English.

use schema::{Language, language_facts::LanguageFacts};
use serde::Serialize;

use crate::{
    means::{MeanChange, PairedSeries, measure_mean},
    stats::{Estimate, resample::Series},
};

/// The means of one group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupChange {
    /// By what languages are grouped: `resource`, `resource class`, `script`, `family`.
    pub kind: &'static str,
    /// The group's name: `high`, `Latin`, ...
    pub name: String,
    /// Its languages.
    pub languages: Vec<Language>,
    /// Their means.
    pub mean: MeanChange,
}

/// How far behind English: English's accuracy less another's, fractions of 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct GapToEnglish {
    /// Before.
    pub before: Estimate,
    /// After.
    pub after: Estimate,
    /// `after - before`; below 0 the gap closes.
    pub change: Estimate,
}

/// A language's group of each kind.
fn groups_of(language: Language) -> Option<[(&'static str, String); 4]> {
    let facts = LanguageFacts::of(language.code())?;
    let in_paper = match facts.high_resource_in_paper {
        Some(true) => "high in the paper",
        Some(false) => "other in the paper",
        None => "not in the paper",
    };
    let class = match facts.resource_class {
        4.. => "4 and 5",
        3 => "3",
        _ => "0 to 2",
    };
    Some([
        ("resource", in_paper.to_owned()),
        ("resource class", class.to_owned()),
        ("script", facts.script.to_owned()),
        ("family", facts.family.to_owned()),
    ])
}

/// Every group of a kind that splits the languages; one without facts is in none.
pub(crate) fn measure_groups(languages: &[Language], series: &[PairedSeries]) -> Vec<GroupChange> {
    let mut groups: Vec<(&'static str, String, Vec<usize>)> = Vec::new();
    for kind in 0..4 {
        let start = groups.len();
        for (place, language) in languages.iter().enumerate() {
            let Some(of_language) = groups_of(*language) else {
                continue;
            };
            let (kind, name) = of_language[kind].clone();
            match groups[start..]
                .iter_mut()
                .find(|(_, known, _)| *known == name)
            {
                Some((_, _, places)) => places.push(place),
                None => groups.push((kind, name, vec![place])),
            }
        }
        if groups.len() == start + 1 {
            groups.pop(); // all in one: that is the mean over all
        }
    }
    let measure = |(kind, name, places): (&'static str, String, Vec<usize>)| GroupChange {
        kind,
        name,
        languages: places.iter().map(|&place| languages[place]).collect(),
        mean: measure_mean(series, &places),
    };
    groups.into_iter().map(measure).collect()
}

/// The gap of each language, and the mean over all but English. `None` without English.
pub(crate) fn measure_gaps(
    languages: &[Language],
    series: &[PairedSeries],
) -> (Vec<Option<GapToEnglish>>, Option<GapToEnglish>) {
    let Some(english) = languages
        .iter()
        .position(|language| language.code() == "en")
    else {
        return (vec![None; languages.len()], None);
    };
    let behind = |place: usize| {
        let before = series[english].before.raw.minus(&series[place].before.raw);
        (
            before,
            series[english].after.raw.minus(&series[place].after.raw),
        )
    };
    let estimate = |before: &Series, after: &Series| {
        let change = after.minus(before).estimate()?;
        Some(GapToEnglish {
            before: before.estimate()?,
            after: after.estimate()?,
            change,
        })
    };
    let others: Vec<usize> = (0..languages.len())
        .filter(|&place| place != english)
        .collect();
    let gaps: Vec<(Series, Series)> = others.iter().map(|&place| behind(place)).collect();
    let mut each = vec![None; languages.len()];
    for (&place, (before, after)) in others.iter().zip(&gaps) {
        each[place] = estimate(before, after);
    }
    let before = Series::mean_of(gaps.iter().map(|(before, _)| before));
    let after = Series::mean_of(gaps.iter().map(|(_, after)| after));
    let mean = before
        .zip(after)
        .and_then(|(before, after)| estimate(&before, &after));
    (each, mean)
}
