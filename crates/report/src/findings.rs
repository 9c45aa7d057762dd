//! Sentences computed from the numbers. Never here: a threshold that is not an interval; the
//! rules of the verdict.

use compare::{
    Changes, Direction, LanguageChange, MeanChange, ResultBlock, Results, SettingResult, Verdict,
    direction,
    stats::{Estimate, standard_deviation},
};
use serde::Serialize;

use crate::{
    format::{area, area_interval, count, describe_asking, list, percent, points, points_interval},
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
        Some(shares(changes)),
        seeds(changes),
        clusters(changes),
        Some(detectable(changes)),
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
    let raw = Tile::new("Raw accuracy", raw, &mean.change);
    let calibrated = mean.batch.map(|c| {
        Tile::new(
            "Calibrated accuracy",
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
        Tile::new("AUC", areas, &c.change)
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

fn nothing_changed(changes: &Changes) -> bool {
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
            "Language by language, the interval of the raw change lies above 0 in {} of {} and below 0 in {}; {} of the \
             changes are significant at 0.05 after Holm's adjustment, {} after Benjamini and Hochberg's. The change is, \
             without adjustment, {}.",
            count_where(all, |l| l.change.rises()),
            all.len(),
            count_where(all, |l| l.change.falls()),
            count_where(all, |l| l.p_holm < 0.05),
            count_where(all, |l| l.p_bh < 0.05),
            list(&verdicts)
        )
    })
}

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

fn shares(changes: &Changes) -> String {
    let (before, after) = changes.share_distance;
    format!(
        "The shares of the chosen labels lie {} points from the gold shares before and {} after.",
        percent(before, 1),
        percent(after, 1)
    )
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
    let consistency = changes.consistency.as_ref()?;
    let (all, pairs) = (&consistency.all_alike, &consistency.pairs_alike);
    Some(format!(
        "{} % of the items get the same answer in all {} languages before and {} % after ({} and {} % by chance at these label \
         shares); two languages agree on {} % and {} % ({} and {} %).",
        percent(all.measured.before.value, 1),
        consistency.languages,
        percent(all.measured.after.value, 1),
        percent(all.chance.0, 1),
        percent(all.chance.1, 1),
        percent(pairs.measured.before.value, 1),
        percent(pairs.measured.after.value, 1),
        percent(pairs.chance.0, 1),
        percent(pairs.chance.1, 1)
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

fn detectable(changes: &Changes) -> String {
    if changes.mean.detectable.is_nan() {
        let reason = match changes.languages.iter().map(|l| l.items).max() {
            Some(1) => "there is one item",
            _ if nothing_changed(changes) => "no answer became right or wrong, so nothing varies",
            _ => "all answers changed alike, so nothing varies",
        };
        return format!("The smallest change that these items detect is undefined: {reason}.");
    }
    let found: Vec<f64> = changes
        .languages
        .iter()
        .filter_map(|l| l.reliability.detectable)
        .collect();
    let (low, high) = found
        .iter()
        .fold((f64::INFINITY, 0.0_f64), |(low, high), &d| {
            (low.min(d), high.max(d))
        });
    let each = match found.as_slice() {
        [] => "none in a single language".to_owned(),
        [_] => format!("{} in a language", percent(low, 1)),
        _ => format!("{} to {} in a language", percent(low, 1), percent(high, 1)),
    };
    format!(
        "The smallest change that these items detect in four samples of five is {} points of the mean, {each}.",
        percent(changes.mean.detectable, 1)
    )
}

/// The page's first paragraphs, for someone who reads nothing else: one per task and label set.
pub(crate) fn summarise(results: &Results, model: &str) -> Vec<String> {
    match results.blocks.as_slice() {
        [] => vec![format!("{model} has no answers that can be compared yet.")],
        blocks => blocks
            .iter()
            .map(|block| summarise_block(block, model))
            .collect(),
    }
}

fn summarise_block(block: &ResultBlock, model: &str) -> String {
    let base = format!(
        "{model}, untuned, is right in {} % of its answers to {} ({}, mean over {}; guessing gives {:.1} %).",
        percent(block.base.mean.value, 1),
        block.task,
        describe_asking(block),
        count(block.base.languages.len(), "language"),
        100.0 / block.label_names.len() as f64
    );
    let settings: Vec<&SettingResult> = block.settings.iter().collect();
    match settings.as_slice() {
        [] => base,
        [only] => format!(
            "{base} Learning to translate questions changes this by {} (95 % interval in brackets). {}",
            change_with(only),
            judge_gain(&only.changes)
        ),
        few if few.len() <= 4 => {
            let changes: Vec<String> = few.iter().map(|setting| change_with(setting)).collect();
            format!(
                "{base} Learning to translate questions changes this by {} (95 % intervals in brackets). {}",
                list(&changes),
                judge_all(few)
            )
        }
        many => format!("{base} {} {}", describe_extremes(many), judge_all(many)),
    }
}

/// `+3.1 [+2.0, +4.2] points with zh=>en`
fn change_with(setting: &SettingResult) -> String {
    format!(
        "{} points with {}",
        points_interval(&setting.changes.mean.change, 1),
        setting.name
    )
}

fn describe_extremes(settings: &[&SettingResult]) -> String {
    let mut ordered = settings.to_vec();
    ordered.sort_by(|a, b| {
        a.changes
            .mean
            .change
            .value
            .total_cmp(&b.changes.mean.change.value)
    });
    format!(
        "Of {} settings of learning to translate questions the weakest changes this by {} and the strongest by {} (95 % \
         intervals in brackets; the extremes of several settings overstate how much they differ).",
        ordered.len(),
        change_with(ordered[0]),
        change_with(ordered[ordered.len() - 1])
    )
}

fn names(settings: &[&SettingResult]) -> String {
    let names: Vec<String> = settings.iter().map(|s| s.name.clone()).collect();
    list(&names)
}

/// Which settings gain, and which of these in separation.
fn judge_all(settings: &[&SettingResult]) -> String {
    let gaining = settings
        .iter()
        .copied()
        .filter(|setting| setting.changes.mean.change.rises());
    let (better, moved): (Vec<&SettingResult>, Vec<&SettingResult>) =
        gaining.partition(|setting| setting.changes.mean.attribution.verdict.discriminates());
    match (better.as_slice(), moved.as_slice()) {
        ([], []) => "None of them clearly raises raw accuracy.".to_owned(),
        (better, []) => format!(
            "With {} the model separates the labels better.",
            names(better)
        ),
        ([], moved) => {
            format!(
                "With {} raw accuracy rises, but the model does not clearly separate the labels better.",
                names(moved)
            )
        }
        (better, moved) => format!(
            "With {} the model separates the labels better. With {} raw accuracy rises, but the model does not clearly \
             separate the labels better.",
            names(better),
            names(moved)
        ),
    }
}
