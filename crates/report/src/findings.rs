//! Sentences computed from the numbers, above all: is a gain a moved label prior, or better separation?
//!
//! An accuracy can rise because the model prefers another label overall, without knowing more about any item. AUC
//! compares items only with each other, so a preference common to all items cannot move it; calibrated accuracy takes
//! out the preference that a content-free question shows. Never here: a threshold that is not an interval.

use serde::Serialize;

use crate::{
    change::{BeforeAfter, Changes, LanguageChange, MeanChange},
    format::{area, area_interval, labels_title, percent, points, points_interval},
    results::{Block, Results, SettingResult},
    stats::{Estimate, standard_deviation},
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Rises,
    Falls,
    Unclear,
}

fn direction(change: &Estimate) -> Direction {
    match change {
        change if change.rises() => Direction::Rises,
        change if change.falls() => Direction::Falls,
        _ => Direction::Unclear,
    }
}

/// What is said of one setting.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Findings {
    /// Raw accuracy, calibrated accuracy, AUC: means over the languages.
    pub tiles: Vec<Tile>,
    /// Prior or separation.
    pub verdict: String,
    /// What else the numbers say.
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
        Self { name, before, after, change, direction }
    }
}

/// Puts a setting's changes into words.
pub(crate) fn describe_setting(changes: &Changes) -> Findings {
    let details = [by_language(changes), by_training(changes), Some(shares(changes)), seeds(changes)];
    Findings {
        tiles: tiles(&changes.mean),
        verdict: judge_gain(&changes.mean, changes.labels.len()),
        details: details.into_iter().flatten().collect(),
    }
}

fn tiles(mean: &MeanChange) -> Vec<Tile> {
    let in_percent = |before, after, change: &Estimate| {
        [percent(before, 1) + " %", percent(after, 1) + " %", points_interval(change, 1)]
    };
    let raw = in_percent(mean.before.value, mean.after.value, &mean.change);
    let raw = Tile::new("Raw accuracy", raw, &mean.change);
    let calibrated =
        mean.calibrated.map(|c| Tile::new("Calibrated accuracy", in_percent(c.before, c.after, &c.change), &c.change));
    let auc = mean.auc.map(|c| Tile::new("AUC", [area(c.before), area(c.after), area_interval(&c.change)], &c.change));
    [Some(raw), calibrated, auc].into_iter().flatten().collect()
}

/// Prior or separation: what the three mean changes say together. With two labels a common preference leaves AUC exactly
/// as it is; with more it can move the one-against-the-rest shares a little.
fn judge_gain(mean: &MeanChange, labels: usize) -> String {
    use Direction::{Falls, Rises, Unclear};
    let of = |change: &Option<BeforeAfter>| change.as_ref().map(|c| direction(&c.change));
    let calibrated = of(&mean.calibrated);
    let verdict = match (direction(&mean.change), of(&mean.auc)) {
        (Rises, Some(Rises)) if labels == 2 => {
            "Raw accuracy and AUC both rise: the labels are better separated, which no moved label prior can do."
        }
        (Rises, Some(Rises)) => {
            "Raw accuracy and AUC both rise: the labels are better separated, which a moved label prior hardly does."
        }
        (Rises, Some(Unclear)) => {
            "Raw accuracy rises while AUC does not clearly rise: the gain is within what a moved label prior gives."
        }
        (Rises, Some(Falls)) => {
            "Raw accuracy rises while AUC falls: the labels are separated worse, and the gain is that of a moved label prior."
        }
        (Unclear, Some(Rises)) => {
            "AUC rises without a clear change of raw accuracy: the labels are better separated, but the label prior hides it."
        }
        (Unclear, Some(Unclear)) => "Neither raw accuracy nor AUC clearly changes: no effect is shown by these items.",
        (Unclear, Some(Falls)) => "AUC falls without a clear change of raw accuracy: the labels are separated worse.",
        (Falls, Some(Rises)) => {
            "Raw accuracy falls while AUC rises: the labels are better separated, and the loss is that of a moved label prior."
        }
        (Falls, Some(Unclear)) => {
            "Raw accuracy falls while AUC does not clearly change: the loss is within what a moved label prior gives."
        }
        (Falls, Some(Falls)) => "Raw accuracy and AUC both fall: the labels are separated worse.",
        (_, None) => "AUC is undefined here (one gold label only), so prior and separation cannot be told apart.",
    };
    let on_calibrated = match (direction(&mean.change), calibrated) {
        (Rises, Some(Rises)) => " Calibrated accuracy rises too.",
        (Rises, Some(Unclear)) => " Calibrated accuracy does not clearly rise.",
        (Rises, Some(Falls)) => " Calibrated accuracy falls.",
        (_, Some(Rises)) => " Calibrated accuracy rises.",
        _ => "",
    };
    format!("{verdict}{on_calibrated}")
}

/// `None` with one language: nothing to count.
fn by_language(changes: &Changes) -> Option<String> {
    let all = &changes.languages;
    let how_many = |of: &dyn Fn(&LanguageChange) -> bool| all.iter().filter(|l| of(l)).count();
    let auc_rises = |l: &LanguageChange| l.auc.is_some_and(|c| c.change.rises());
    let rising = how_many(&|l| l.change.rises());
    (all.len() > 1).then(|| {
        format!(
            "Language by language, the interval of the raw change lies above 0 in {rising} of {} and below 0 in {}; after \
             Holm's adjustment {} of the changes are significant at 0.05. AUC clearly rises in {}{}.",
            all.len(),
            how_many(&|l| l.change.falls()),
            how_many(&|l| l.p_holm < 0.05),
            how_many(&auc_rises),
            if rising == 0 {
                String::new()
            } else {
                format!(", among them {} of the {rising}", how_many(&|l| l.change.rises() && auc_rises(l)))
            }
        )
    })
}

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

fn seeds(changes: &Changes) -> Option<String> {
    let spread = standard_deviation(&changes.seed_changes)?;
    let each: Vec<String> = changes.seed_changes.iter().map(|&change| points(change, 1)).collect();
    Some(format!(
        "{} seeds change the mean by {} points (standard deviation {}); the interval is over items, for these seeds.",
        each.len(),
        each.join(", "),
        percent(spread, 1)
    ))
}

/// The page's first paragraphs, for someone who reads nothing else: one per task and label set.
pub(crate) fn summarise(results: &Results, model: &str) -> Vec<String> {
    match results.blocks.as_slice() {
        [] => vec![format!("{model} has no answers that can be compared yet.")],
        blocks => blocks.iter().map(|block| summarise_block(block, model)).collect(),
    }
}

fn summarise_block(block: &Block, model: &str) -> String {
    let base = format!(
        "{model}, untuned, is right in {} % of its answers to {} ({}, mean over {}; guessing gives {:.1} %).",
        percent(block.base.mean.value, 1),
        block.task,
        labels_title(block.labels),
        count(block.base.languages.len(), "language"),
        100.0 / block.label_names.len() as f64
    );
    let change = |setting: &SettingResult| {
        format!("{} points with {}", points_interval(&setting.changes.mean.change, 1), setting.name)
    };
    let settings: Vec<&SettingResult> = block.settings.iter().collect();
    match settings.as_slice() {
        [] => base,
        [only] => format!(
            "{base} Learning to translate questions changes this by {} (95 % interval in brackets). {}",
            change(only),
            judge_gain(&only.changes.mean, only.changes.labels.len())
        ),
        few if few.len() <= 4 => {
            let changes: Vec<String> = few.iter().map(|setting| change(setting)).collect();
            format!(
                "{base} Learning to translate questions changes this by {} (95 % intervals in brackets). {}",
                list(&changes),
                judge_all(few)
            )
        }
        many => format!("{base} {} {}", describe_extremes(many, change), judge_all(many)),
    }
}

fn describe_extremes(settings: &[&SettingResult], change: impl Fn(&SettingResult) -> String) -> String {
    let mut ordered = settings.to_vec();
    ordered.sort_by(|a, b| a.changes.mean.change.value.total_cmp(&b.changes.mean.change.value));
    format!(
        "Of {} settings of learning to translate questions the weakest changes this by {} and the strongest by {} (95 % \
         intervals in brackets; the extremes of several settings overstate how much they differ).",
        ordered.len(),
        change(ordered[0]),
        change(ordered[ordered.len() - 1])
    )
}

/// Which settings gain, and which of these in separation.
fn judge_all(settings: &[&SettingResult]) -> String {
    let gaining = settings.iter().filter(|setting| setting.changes.mean.change.rises());
    let separates = |setting: &&&SettingResult| setting.changes.mean.auc.is_some_and(|auc| auc.change.rises());
    let (better, moved): (Vec<&&SettingResult>, Vec<&&SettingResult>) = gaining.partition(separates);
    let names = |settings: &[&&SettingResult]| list(&settings.iter().map(|s| s.name.clone()).collect::<Vec<_>>());
    match (better.as_slice(), moved.as_slice()) {
        ([], []) => "None of them clearly raises raw accuracy.".to_owned(),
        (better, []) => format!("With {} AUC rises too: the labels are better separated.", names(better)),
        ([], moved) => format!(
            "With {} raw accuracy rises but AUC does not clearly rise: the gain is within what a moved label prior gives.",
            names(moved)
        ),
        (better, moved) => format!(
            "With {} AUC rises too: the labels are better separated. With {} AUC does not clearly rise: the gain is within what \
             a moved label prior gives.",
            names(better),
            names(moved)
        ),
    }
}

/// `a`, `a and b`, `a, b and c`
fn list(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(low: f64, high: f64) -> BeforeAfter {
        let value = (low + high) / 2.0;
        BeforeAfter { before: 0.5, after: 0.5 + value, change: Estimate { value, low, high } }
    }

    fn mean_change(raw: (f64, f64), auc: (f64, f64)) -> MeanChange {
        let raw = change(raw.0, raw.1).change;
        let level = Estimate { value: 0.5, low: 0.4, high: 0.6 };
        let auc = Some(change(auc.0, auc.1));
        MeanChange { languages: 2, before: level, after: level, change: raw, auc, calibrated: None }
    }

    #[test]
    fn a_gain_without_separation_is_called_a_moved_prior() {
        let (up, flat, down) = ((0.02, 0.06), (-0.02, 0.02), (-0.06, -0.02));
        let said = |raw, auc| judge_gain(&mean_change(raw, auc), 2);
        assert!(said(up, flat).contains("the gain is within what a moved label prior gives"));
        assert!(said(up, down).contains("AUC falls"));
        assert!(said(up, up).contains("better separated, which no moved label prior can do"));
        assert!(judge_gain(&mean_change(up, up), 3).contains("which a moved label prior hardly does"));
        assert!(said(flat, up).contains("the label prior hides it"));
        assert!(said(flat, flat).contains("no effect is shown"));
        assert!(said(down, flat).contains("the loss is within"));
        let undefined = MeanChange { auc: None, ..mean_change(up, up) };
        assert!(judge_gain(&undefined, 2).contains("cannot be told apart"));
        let calibrated = MeanChange { calibrated: Some(change(-0.01, 0.01)), ..mean_change(up, up) };
        assert!(judge_gain(&calibrated, 3).ends_with("Calibrated accuracy does not clearly rise."));
    }
}
