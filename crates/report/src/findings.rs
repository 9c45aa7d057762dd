//! Sentences computed from the numbers. Never here: a threshold that is not an interval; the
//! rules of the verdict.

use compare::{
    Changes, Direction, LanguageChange, MeanChange, Verdict, direction,
    stats::{Estimate, standard_deviation},
};
use serde::Serialize;

use crate::{
    format::{area, area_interval, count, list, percent, points, points_interval},
    verdict_words::{explain_verdict, verdict_label},
};

/// The sentences about one setting.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Findings {
    /// Raw accuracy, calibrated accuracy, AUC: means over the languages.
    pub tiles: Vec<Tile>,
    /// Prior or separation.
    pub verdict: String,
    /// Further sentences.
    pub details: Vec<String>,
}

/// One measure before and after.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Tile {
    pub name: &'static str,
    pub before: String,
    pub after: String,
    /// With its interval.
    pub change: String,
    /// `rise`, `fall` or `unclear`.
    pub direction: &'static str,
}

impl Tile {
    fn new(name: &'static str, [before, after, change]: [String; 3], estimate: &Estimate) -> Self {
        let direction = match direction(estimate) {
            Direction::Rises => "rise",
            Direction::Falls => "fall",
            Direction::Unclear => "unclear",
        };
        Self {
            name,
            before,
            after,
            change,
            direction,
        }
    }
}

/// Puts a setting's changes into words.
pub(crate) fn describe_setting(changes: &Changes) -> Findings {
    let details = [
        by_language(changes),
        by_training(changes),
        gap(changes),
        agreement(changes),
        Some(describe_answers(changes)),
        seeds(changes),
        clusters(changes),
        Some(describe_power(changes)),
    ];
    Findings {
        tiles: tiles(&changes.mean),
        verdict: judge_gain(changes),
        details: details.into_iter().flatten().collect(),
    }
}

/// Two accuracies and their change, as a tile shows them.
fn in_percent(before: &Estimate, after: &Estimate, change: &Estimate) -> [String; 3] {
    [
        percent(before.value, 1) + " %",
        percent(after.value, 1) + " %",
        points_interval(change, 1),
    ]
}

fn tiles(mean: &MeanChange) -> Vec<Tile> {
    let raw = in_percent(&mean.before, &mean.after, &mean.change);
    let raw = Tile::new("Accuracy", raw, &mean.change);
    let calibrated = mean.batch.map(|c| {
        Tile::new(
            "Accuracy after calibration",
            in_percent(&c.before, &c.after, &c.change),
            &c.change,
        )
    });
    let auc = mean.auc.map(|c| {
        let areas = [
            area(c.before.value),
            area(c.after.value),
            area_interval(&c.change),
        ];
        Tile::new("Labels told apart (AUC)", areas, &c.change)
    });
    [Some(raw), calibrated, auc].into_iter().flatten().collect()
}

/// The cause of the change of the mean.
fn judge_gain(changes: &Changes) -> String {
    if nothing_changed(changes) {
        return "Not one answer became right or wrong.".to_owned();
    }
    explain_verdict(
        changes.mean.attribution.verdict,
        direction(&changes.mean.change),
    )
}

/// Whether no answer became right or wrong.
pub(crate) fn nothing_changed(changes: &Changes) -> bool {
    changes
        .languages
        .iter()
        .all(|of| of.reliability.discordant == (0.0, 0.0))
}

/// Languages that pass a test.
fn count_where(languages: &[LanguageChange], test: impl Fn(&LanguageChange) -> bool) -> usize {
    languages.iter().filter(|language| test(language)).count()
}

/// `None` with one language: nothing to count.
fn by_language(changes: &Changes) -> Option<String> {
    let all = &changes.languages;
    (all.len() > 1).then(|| {
        let verdicts: Vec<String> = VERDICTS
            .iter()
            .filter_map(|&verdict| {
                let number = count_where(all, |l| l.attribution.verdict == verdict);
                (number > 0).then(|| format!("{} in {number}", verdict_label(verdict)))
            })
            .collect();
        format!(
            "{} By cause, language by language and without adjustment: {}.",
            describe_significant(all),
            list(&verdicts)
        )
    })
}

/// The languages whose change is significant after Holm's adjustment.
fn describe_significant(all: &[LanguageChange]) -> String {
    let codes = |test: fn(&LanguageChange) -> bool| -> Vec<String> {
        let found = all.iter().filter(|l| l.p_holm < 0.05 && test(l));
        found.map(|l| l.language.code().to_owned()).collect()
    };
    let named = |codes: &[String], what: &str| match codes.len() {
        0 => None,
        1..=NAMED => Some(format!("{what} in {}", list(codes))),
        number => Some(format!("{what} in {number}")),
    };
    let parts = [
        named(&codes(|l| l.change.value > 0.0), "better"),
        named(&codes(|l| l.change.value < 0.0), "worse"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    match parts.is_empty() {
        true => "No single language changed significantly.".to_owned(),
        false => format!(
            "Of {} languages, the change is significant (0.05, Holm's adjustment): {}.",
            all.len(),
            parts.join(", ")
        ),
    }
}

/// With more languages they are counted, not named.
const NAMED: usize = 6;

const VERDICTS: [Verdict; 7] = [
    Verdict::Discrimination,
    Verdict::DiscriminationAndPrior,
    Verdict::Prior,
    Verdict::DiscriminationAgainstPrior,
    Verdict::PriorLoss,
    Verdict::DiscriminationLoss,
    Verdict::Unresolved,
];

fn by_training(changes: &Changes) -> Option<String> {
    let (seen, unseen) = (changes.seen.as_ref()?, changes.unseen.as_ref()?);
    Some(format!(
        "In the {} seen in training the mean change is {}, in the {} never seen {}.",
        count(seen.languages, "language"),
        points_interval(&seen.change, 1),
        unseen.languages,
        points_interval(&unseen.change, 1)
    ))
}

/// What the answers look like: the same to every question, or how far from the right shares.
pub(crate) fn describe_answers(changes: &Changes) -> String {
    let all = &changes.languages;
    let said: Vec<String> = changes
        .labels
        .iter()
        .enumerate()
        .filter_map(|(label, name)| {
            let always = |after: bool| count_where(all, |l| always_answers(l, label, after));
            let (before, after) = (always(false), always(true));
            (before + after > 0).then_some((name, before, after))
        })
        .map(|(name, before, after)| match all.len() {
            1 => format!(
                "“{name}” to every question {}",
                match (before, after) {
                    (1, 1) => "before and after",
                    (1, _) => "before, but not after",
                    _ => "after, but not before",
                }
            ),
            languages => format!(
                "“{name}” to every question in {before} of {languages} languages before and {after} after"
            ),
        })
        .collect();
    if !said.is_empty() {
        return format!("It answers {}.", said.join("; "));
    }
    let (before, after) = changes.share_distance;
    format!(
        "No language gets one answer to every question: {} % of the answers would have to change for each label to be \
         chosen as often as it is right before, {} % after.",
        percent(before, 0),
        percent(after, 0)
    )
}

/// Whether every answer is this label, though not all should be.
fn always_answers(of: &LanguageChange, label: usize, after: bool) -> bool {
    let chosen = if after {
        &of.labels.after
    } else {
        &of.labels.before
    };
    of.items > 1 && chosen[label] == 1.0 && of.labels.gold[label] < 1.0
}

/// One component of the variance as a standard deviation; `None` where it was not estimated.
fn describe_spread(variance: Option<f64>, between: &str) -> Option<String> {
    let spread = variance?.max(0.0).sqrt();
    Some(format!("{} {between}", percent(spread, 1)))
}

fn seeds(changes: &Changes) -> Option<String> {
    let wide = changes.reliability.as_ref().map_or_else(String::new, |r| {
        let parts = [
            describe_spread(r.change.seed, &format!("between {} seeds", r.seeds)),
            describe_spread(r.change.exemplars, &format!("between {} sets of exemplars", r.exemplar_sets)),
            describe_spread(Some(r.change.items), "between items"),
            describe_spread(r.change.rest, "by their interplay"),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        format!(
            " The standard deviations of an item's change are, in points, {}; the interval for other seeds, exemplars and \
             items is {}.",
            list(&parts),
            points_interval(&r.wide, 1)
        )
    });
    let Some(spread) = standard_deviation(&changes.seed_changes) else {
        return (!wide.is_empty()).then(|| wide.trim_start().to_owned());
    };
    let each: Vec<String> = changes
        .seed_changes
        .iter()
        .map(|&change| points(change, 1))
        .collect();
    Some(format!(
        "{} seeds change the mean by {} points (standard deviation {}); the interval above is over items, for these \
         seeds.{wide}",
        each.len(),
        each.join(", "),
        percent(spread, 1)
    ))
}

fn gap(changes: &Changes) -> Option<String> {
    let gap = changes.gap.as_ref()?;
    Some(format!(
        "The other languages are on average {} points behind English before and {} after, a change of {}.",
        percent(gap.before.value, 1),
        percent(gap.after.value, 1),
        points_interval(&gap.change, 1)
    ))
}

fn agreement(changes: &Changes) -> Option<String> {
    let pairs = &changes.consistency.as_ref()?.pairs_alike;
    Some(format!(
        "Two languages give the same answer to {} % of the questions before ({} % by chance) and to {} % after ({} % by \
         chance).",
        percent(pairs.measured.before.value, 0),
        percent(pairs.chance.0, 0),
        percent(pairs.measured.after.value, 0),
        percent(pairs.chance.1, 0)
    ))
}

/// `None` where no items share a text.
fn clusters(changes: &Changes) -> Option<String> {
    let first = changes
        .languages
        .iter()
        .find(|l| l.reliability.clusters < l.items)?;
    Some(format!(
        "{} items share {} texts: intervals and tests draw and flip whole texts.",
        first.items, first.reliability.clusters
    ))
}

/// The smallest change that the sample can show.
pub(crate) fn describe_power(changes: &Changes) -> String {
    if changes.mean.detectable.is_nan() {
        let reason = match changes.languages.iter().map(|l| l.items).max() {
            Some(1) => "there is one question",
            _ if nothing_changed(changes) => "no answer became right or wrong, so nothing varies",
            _ => "all answers changed alike, so nothing varies",
        };
        return format!("What this test can detect is unknown: {reason}.");
    }
    let found = changes
        .languages
        .iter()
        .filter_map(|l| l.reliability.detectable);
    let ends = found.fold(None, |ends: Option<(f64, f64)>, d| {
        Some(ends.map_or((d, d), |(low, high)| (low.min(d), high.max(d))))
    });
    let each = ends.map_or_else(
        || "no change in one language".to_owned(),
        |(low, high)| match (percent(low, 0), percent(high, 0)) {
            (low, high) if low == high => format!("{high} points in one language"),
            (low, high) => format!("{low} to {high} points in one language"),
        },
    );
    format!(
        "This test can detect a change of {} points in the mean and {each} (80 % power).",
        percent(changes.mean.detectable, 1)
    )
}
