//! Groups of languages that a reader asks for: by resource, script and family; and the gap to
//! English.

use schema::{Language, language_facts::LanguageFacts};
use serde::Serialize;

use crate::{
    levels::{BeforeAfter, ChangeSeries},
    means::{MeanChange, PairedSeries, measure_mean},
    stats::Estimate,
};

/// The means of one group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupChange {
    /// The property that languages are grouped by: `resource`, `resource class`, `script`, `family`.
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

/// Languages, by their positions, that a kind of group puts together.
struct LanguageGroup {
    kind: &'static str,
    name: String,
    members: Vec<usize>,
}

/// Every group of a kind that splits the languages; one without facts is in none.
pub(crate) fn measure_groups(languages: &[Language], series: &[PairedSeries]) -> Vec<GroupChange> {
    let mut groups: Vec<LanguageGroup> = Vec::new();
    for kind in 0..4 {
        let start = groups.len();
        for (member, language) in languages.iter().enumerate() {
            let Some(of_language) = groups_of(*language) else {
                continue;
            };
            let (kind, name) = of_language[kind].clone();
            match groups[start..].iter_mut().find(|group| group.name == name) {
                Some(group) => group.members.push(member),
                None => groups.push(LanguageGroup {
                    kind,
                    name,
                    members: vec![member],
                }),
            }
        }
        if groups.len() == start + 1 {
            groups.pop(); // all in one: that is the mean over all
        }
    }
    groups
        .into_iter()
        .map(|group| GroupChange {
            kind: group.kind,
            name: group.name,
            languages: group.members.iter().map(|&l| languages[l]).collect(),
            mean: measure_mean(series, &group.members),
        })
        .collect()
}

/// The gaps to English.
pub(crate) struct EnglishGaps {
    /// Of each language; `None` for English itself, and everywhere without English.
    pub each: Vec<Option<GapToEnglish>>,
    /// The mean over all but English; `None` without English.
    pub mean: Option<GapToEnglish>,
}

/// The gap of each language, and the mean over all but English.
pub(crate) fn measure_gaps(languages: &[Language], series: &[PairedSeries]) -> EnglishGaps {
    let mut each = vec![None; languages.len()];
    let english = languages
        .iter()
        .position(|language| language.code() == "en");
    let Some(english) = english else {
        return EnglishGaps { each, mean: None };
    };
    let mut gaps = Vec::new();
    for language in (0..languages.len()).filter(|&language| language != english) {
        let gap = gap_series(&series[english], &series[language]);
        each[language] = GapToEnglish::of(&gap);
        gaps.push(gap);
    }
    let mean = ChangeSeries::mean_of(&gaps).and_then(|gap| GapToEnglish::of(&gap));
    EnglishGaps { each, mean }
}

/// How far a language's accuracy is behind English, draw by draw.
fn gap_series(english: &PairedSeries, other: &PairedSeries) -> ChangeSeries {
    ChangeSeries {
        before: english.before.raw.minus(&other.before.raw),
        after: english.after.raw.minus(&other.after.raw),
    }
}

impl GapToEnglish {
    /// `None` where one of the three is undefined.
    fn of(gap: &ChangeSeries) -> Option<Self> {
        let BeforeAfter {
            before,
            after,
            change,
        } = gap.estimate()?;
        Some(Self {
            before,
            after,
            change,
        })
    }
}
