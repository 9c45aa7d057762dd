//! What a reader sees first: a verdict in a dozen words, three numbers, what the answers look like and
//! what the sample can show; with several comparisons a line for each.
//!
//! Never here: a threshold that is not an interval; the rules of the verdict.

use compare::{
    AdapterName, Changes, Direction, ResultBlock, Results, SettingResult, TrainingLog, direction,
    stats::Estimate,
};
use serde::Serialize;

use crate::{
    findings::{describe_answers, describe_power, nothing_changed},
    format::{count, describe_asking, list, percent, points, points_interval},
};

/// With more comparisons, the settings of a block share a line.
const LINES: usize = 12;

/// The first screen.
#[derive(Debug, Serialize)]
pub(crate) struct Lead {
    /// The verdict, or how many of each there are; empty where nothing was compared.
    pub verdict: Vec<VerdictPart>,
    /// What was compared, or that nothing was.
    pub about: String,
    /// Before, after and change; of one comparison alone.
    pub numbers: Vec<LeadNumber>,
    /// About the answers and the sample; of one comparison alone.
    pub sentences: Vec<String>,
    /// Of several comparisons.
    pub lines: Vec<LeadLine>,
}

/// A word in the colour of its direction, and what follows.
#[derive(Debug, Serialize)]
pub(crate) struct VerdictPart {
    pub word: &'static str,
    /// `rise`, `fall` or `unclear`.
    pub direction: &'static str,
    pub rest: String,
}

/// One number.
#[derive(Debug, Serialize)]
pub(crate) struct LeadNumber {
    pub name: &'static str,
    pub value: String,
    pub note: String,
}

/// One comparison, or the settings of one block.
#[derive(Debug, Serialize)]
pub(crate) struct LeadLine {
    /// Where it is told in full.
    pub id: String,
    pub title: String,
    pub setting: String,
    pub verdict: Vec<VerdictPart>,
    pub before: String,
    pub after: String,
    pub change: String,
}

/// Better, worse or not shown, with the name of the colour.
fn judge(change: &Estimate) -> (&'static str, &'static str) {
    match direction(change) {
        Direction::Rises => ("better", "rise"),
        Direction::Falls => ("worse", "fall"),
        Direction::Unclear => ("not shown", "unclear"),
    }
}

/// Puts all results into the first screen.
pub(crate) fn lead(results: &Results, model: &str) -> Lead {
    let compared: Vec<(&ResultBlock, &SettingResult)> = results
        .blocks
        .iter()
        .flat_map(|block| block.settings.iter().map(move |setting| (block, setting)))
        .collect();
    match (results.blocks.as_slice(), compared.as_slice()) {
        ([], _) => about_alone(format!("{model} has no answers that can be compared yet.")),
        (blocks, []) => {
            let said: Vec<String> = blocks
                .iter()
                .map(|block| describe_base(block, model))
                .collect();
            about_alone(said.join(" "))
        }
        ([block], [(_, setting)]) => lead_of_one(block, setting, model),
        (blocks, compared) => lead_of_several(blocks, compared, model),
    }
}

/// Whether adapters learnt what they were taught, by the pairs that they were not shown.
pub(crate) fn describe_learning(logs: &[TrainingLog]) -> Option<String> {
    let ends = logs.iter().filter_map(|log| {
        let first = log.validations.iter().find(|at| at.step == 0)?;
        let losses = log.validations.iter().map(|at| at.loss);
        Some((first.loss, losses.fold(first.loss, f64::min)))
    });
    let ends: Vec<(f64, f64)> = ends.collect();
    if ends.is_empty() {
        return None;
    }
    let mean = |of: fn(&(f64, f64)) -> f64| ends.iter().map(of).sum::<f64>() / ends.len() as f64;
    let (before, after) = (mean(|ends| ends.0), mean(|ends| ends.1));
    Some(match after < before {
        true => format!(
            "It learnt to translate: on pairs held back from training the loss falls from {before:.2} to {after:.2} nats per token."
        ),
        false => format!(
            "It did not learn to translate: on pairs held back from training no loss is below the first, {before:.2} nats per token."
        ),
    })
}

fn about_alone(about: String) -> Lead {
    Lead {
        verdict: Vec::new(),
        about,
        numbers: Vec::new(),
        sentences: Vec::new(),
        lines: Vec::new(),
    }
}

/// Where nothing was trained.
fn describe_base(block: &ResultBlock, model: &str) -> String {
    format!(
        "{model}, untuned, is right in {} % of its answers to {} ({}, mean over {}; guessing gives {:.1} %).",
        percent(block.base.mean.value, 1),
        block.task,
        describe_asking(block),
        count(block.base.languages.len(), "language"),
        100.0 / block.label_names.len() as f64
    )
}

fn lead_of_one(block: &ResultBlock, setting: &SettingResult, model: &str) -> Lead {
    let changes = &setting.changes;
    Lead {
        verdict: vec![judge_setting(changes)],
        about: format!(
            "{model} answers {} ({}) before and after {}.",
            block.task,
            describe_asking(block),
            describe_training(setting)
        ),
        numbers: list_numbers(changes),
        sentences: vec![describe_answers(changes), describe_power(changes)],
        lines: Vec::new(),
    }
}

/// `learning to translate questions from Chinese and German into English`
fn describe_training(setting: &SettingResult) -> String {
    let parsed = setting
        .adapters
        .first()
        .map(|name| AdapterName::parse(name));
    match parsed.and_then(|name| name.setting) {
        Some(parsed) => {
            let sources: Vec<String> = parsed.sources.iter().map(|l| l.name().to_owned()).collect();
            format!(
                "learning to translate questions from {} into {}",
                list(&sources),
                parsed.target.name()
            )
        }
        None => format!("tuning: {}", setting.name),
    }
}

/// A dozen words on the mean.
fn judge_setting(changes: &Changes) -> VerdictPart {
    let mean = &changes.mean;
    let size = percent(mean.change.value.abs(), 1);
    let over = match mean.languages {
        1 => "in one language".to_owned(),
        languages => format!("on average over {languages} languages"),
    };
    let separates = mean.attribution.verdict.discriminates();
    let (word, of) = judge(&mean.change);
    let (word, rest) = match (word, separates) {
        ("better", true) => (
            "Better",
            format!(": accuracy rises by {size} points {over}."),
        ),
        ("better", false) => (
            "Better",
            format!(
                ": accuracy rises by {size} points, but labels are not clearly told apart better."
            ),
        ),
        ("worse", _) => (
            "Worse",
            format!(": accuracy falls by {size} points {over}."),
        ),
        _ if nothing_changed(changes) => (
            "Not shown",
            ": not one answer became right or wrong.".to_owned(),
        ),
        (_, true) => (
            "Not shown",
            ": accuracy does not clearly change, though labels are told apart better.".to_owned(),
        ),
        _ => (
            "Not shown",
            format!(": accuracy does not clearly change {over}."),
        ),
    };
    VerdictPart {
        word,
        direction: of,
        rest,
    }
}

fn list_numbers(changes: &Changes) -> Vec<LeadNumber> {
    let mean = &changes.mean;
    let level = |name, of: &Estimate| LeadNumber {
        name,
        value: percent(of.value, 1) + " %",
        note: "right, mean over the languages".to_owned(),
    };
    let note = match mean.change.low < mean.change.high {
        true => format!(
            "points, 95 % interval {} to {}",
            points(mean.change.low, 1),
            points(mean.change.high, 1)
        ),
        false => "points, without an interval: nothing varies".to_owned(),
    };
    let change = LeadNumber {
        name: "Change",
        value: points(mean.change.value, 1),
        note,
    };
    vec![
        level("Before", &mean.before),
        level("After", &mean.after),
        change,
    ]
}

fn lead_of_several(
    blocks: &[ResultBlock],
    compared: &[(&ResultBlock, &SettingResult)],
    model: &str,
) -> Lead {
    let settings: Vec<&SettingResult> = compared.iter().map(|(_, setting)| *setting).collect();
    let lines = match compared.len() <= LINES {
        true => blocks.iter().flat_map(list_lines).collect(),
        false => blocks.iter().map(join_lines).collect(),
    };
    let mut verdict = count_verdicts(&settings);
    if let Some(last) = verdict.last_mut() {
        last.rest += &format!(" of {} comparisons.", settings.len());
    }
    if let Some(first) = verdict.first_mut() {
        first.word = match first.direction {
            "rise" => "Better",
            "fall" => "Worse",
            _ => "Not shown",
        };
    }
    Lead {
        verdict,
        about: format!(
            "{model} before and after learning to translate questions; accuracy in %, mean over the languages, its change in \
             points with the 95 % interval."
        ),
        numbers: Vec::new(),
        sentences: Vec::new(),
        lines,
    }
}

/// `better in 2, not shown in 1`
fn count_verdicts(settings: &[&SettingResult]) -> Vec<VerdictPart> {
    let mut parts: Vec<VerdictPart> = ["better", "worse", "not shown"]
        .into_iter()
        .filter_map(|wanted| {
            let judged = settings.iter().map(|s| judge(&s.changes.mean.change));
            let found: Vec<_> = judged.filter(|(word, _)| *word == wanted).collect();
            let (word, direction) = *found.first()?;
            let rest = format!(" in {}", found.len());
            Some(VerdictPart {
                word,
                direction,
                rest,
            })
        })
        .collect();
    let last = parts.len().saturating_sub(1);
    for part in &mut parts[..last] {
        part.rest.push_str(", ");
    }
    parts
}

fn title(block: &ResultBlock) -> String {
    format!("{}, {}", block.task, describe_asking(block))
}

/// A line for each setting, or one for the base alone.
fn list_lines(block: &ResultBlock) -> Vec<LeadLine> {
    if block.settings.is_empty() {
        return vec![join_lines(block)];
    }
    let lines = block.settings.iter().map(|setting| {
        let mean = &setting.changes.mean;
        let (word, direction) = judge(&mean.change);
        LeadLine {
            id: format!("{}.{}", block.slug(), setting.slug),
            title: title(block),
            setting: setting.name.clone(),
            verdict: vec![VerdictPart {
                word,
                direction,
                rest: String::new(),
            }],
            before: percent(mean.before.value, 1),
            after: percent(mean.after.value, 1),
            change: points_interval(&mean.change, 1),
        }
    });
    lines.collect()
}

/// One line for all settings of a block.
fn join_lines(block: &ResultBlock) -> LeadLine {
    let settings: Vec<&SettingResult> = block.settings.iter().collect();
    let ends = |of: fn(&SettingResult) -> f64| {
        let all = block.settings.iter().map(of);
        all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        })
    };
    let (after, change) = (
        ends(|setting| setting.changes.mean.after.value),
        ends(|setting| setting.changes.mean.change.value),
    );
    let range = |(low, high): (f64, f64), show: fn(f64, usize) -> String| match settings.len() {
        0 => String::new(),
        _ => format!("{} to {}", show(low, 1), show(high, 1)),
    };
    LeadLine {
        id: block.slug(),
        title: title(block),
        setting: match settings.len() {
            0 => "base model alone".to_owned(),
            number => count(number, "setting"),
        },
        verdict: count_verdicts(&settings),
        before: percent(block.base.mean.value, 1),
        after: range(after, percent),
        change: range(change, points),
    }
}
