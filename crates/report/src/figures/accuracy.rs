//! Accuracy per language, before and after, with 95 % intervals: one row per language in the
//! paper's order.

use compare::{Changes, Levels, stats::Estimate};
use figure::{Anchor, Figure, Scale, round_ticks, tick_labels};
use schema::Language;

use super::colour_of;
use crate::format::{percent, points};

const WIDTH: f64 = 460.0;
const ROW: f64 = 20.0;
const TOP: f64 = 44.0;
const PLOT: (f64, f64) = (104.0, 396.0);

/// One row; `after` is missing where nothing was trained.
struct AccuracyRow {
    name: String,
    seen: bool,
    strong: bool,
    before: Estimate,
    after: Option<(Estimate, Estimate)>, // the level and the change
}

fn language_name(language: Language) -> String {
    format!("{} {language}", language.name())
}

/// Before and after of one setting.
pub(crate) fn draw_changes(name: String, setting: &str, changes: &Changes) -> Figure {
    let mut entries: Vec<AccuracyRow> = changes
        .languages
        .iter()
        .map(|l| AccuracyRow {
            name: language_name(l.language),
            seen: l.seen,
            strong: false,
            before: l.before,
            after: Some((l.after, l.change)),
        })
        .collect();
    let mean = &changes.mean;
    let after = Some((mean.after, mean.change));
    entries.push(AccuracyRow {
        name: "mean".to_owned(),
        seen: false,
        strong: true,
        before: mean.before,
        after,
    });
    let description = format!(
        "Accuracy in percent per language, base model and {setting}, with 95 % intervals; mean {} to {}.",
        percent(mean.before.value, 1),
        percent(mean.after.value, 1)
    );
    draw(
        Figure::new(name, description, WIDTH, height(&entries)),
        &entries,
        setting,
        changes.labels.len(),
    )
}

/// A row of the base model alone.
fn level_row(name: String, strong: bool, before: Estimate) -> AccuracyRow {
    AccuracyRow {
        name,
        seen: false,
        strong,
        before,
        after: None,
    }
}

/// The base model alone.
pub(crate) fn draw_levels(name: String, levels: &Levels, labels: usize) -> Figure {
    let mut entries: Vec<AccuracyRow> = levels
        .languages
        .iter()
        .map(|level| level_row(language_name(level.language), false, level.accuracy))
        .collect();
    entries.push(level_row("mean".to_owned(), true, levels.mean));
    let description = format!(
        "Accuracy in percent per language of the base model, with 95 % intervals; mean {}.",
        percent(levels.mean.value, 1)
    );
    draw(
        Figure::new(name, description, WIDTH, height(&entries)),
        &entries,
        "",
        labels,
    )
}

fn height(entries: &[AccuracyRow]) -> f64 {
    TOP + ROW * entries.len() as f64 + 48.0
}

fn draw(mut figure: Figure, entries: &[AccuracyRow], setting: &str, labels: usize) -> Figure {
    let chance = 100.0 / labels as f64;
    let ends = entries.iter().flat_map(|entry| {
        let after = entry.after.map(|(level, _)| level);
        [Some(entry.before), after]
            .into_iter()
            .flatten()
            .flat_map(|level| [100.0 * level.low, 100.0 * level.high])
    });
    let (low, high) = ends.fold((chance, chance), |(low, high), end| {
        (low.min(end), high.max(end))
    });
    let ticks = round_ticks(low, high, 6.0);
    let scale = Scale {
        low: ticks[0],
        high: ticks[ticks.len() - 1],
        from: PLOT.0,
        to: PLOT.1,
    };
    draw_legend(&mut figure, setting, entries.iter().any(|entry| entry.seen));
    let bottom = TOP + ROW * entries.len() as f64 + 6.0;
    for (tick, label) in ticks.iter().zip(tick_labels(&ticks)) {
        figure.line(
            "grid",
            (scale.at(*tick), TOP - 4.0),
            (scale.at(*tick), bottom),
        );
        figure.text(
            "quiet small",
            (scale.at(*tick), bottom + 14.0),
            Anchor::Middle,
            &label,
        );
    }
    figure.line(
        "rule",
        (scale.at(chance), TOP - 4.0),
        (scale.at(chance), bottom),
    );
    figure.text(
        "quiet",
        ((PLOT.0 + PLOT.1) / 2.0, bottom + 32.0),
        Anchor::Middle,
        "Accuracy, %",
    );
    for (index, entry) in entries.iter().enumerate() {
        let gap = if entry.strong { 6.0 } else { 0.0 };
        draw_entry(
            &mut figure,
            entry,
            &scale,
            TOP + ROW * (index as f64 + 0.5) + gap,
        );
    }
    figure
}

fn draw_legend(figure: &mut Figure, setting: &str, has_seen: bool) {
    let y = 12.0;
    let mut x = 8.0;
    let mut item = |figure: &mut Figure, text: &str, wide: f64, mark: &dyn Fn(&mut Figure, f64)| {
        mark(figure, x);
        figure.text("small", (x + wide, y), Anchor::Start, text);
        x += wide + 17.0 + 5.9 * text.chars().count() as f64;
    };
    item(figure, "base", 9.0, &|figure, x| {
        figure.circle("before", (x, y - 4.0), 4.0, "")
    });
    if !setting.is_empty() {
        item(figure, setting, 18.0, &|figure, x| {
            figure.circle("unclear", (x - 1.0, y - 4.0), 4.5, "");
            figure.circle("fall", (x + 4.0, y - 4.0), 4.5, "");
            figure.circle("rise", (x + 9.0, y - 4.0), 4.5, "");
        });
        figure.text(
            "small quiet",
            (WIDTH - 6.0, TOP - 8.0),
            Anchor::End,
            "change",
        );
    }
    item(figure, "chance", 9.0, &|figure, x| {
        figure.line("rule", (x, y - 10.0), (x, y + 2.0))
    });
    if has_seen {
        item(figure, "seen in training", 9.0, &|figure, x| {
            figure.rectangle("seen", (x - 3.0, y - 7.5), (6.0, 6.0))
        });
    }
}

fn draw_entry(figure: &mut Figure, entry: &AccuracyRow, scale: &Scale, y: f64) {
    if entry.strong {
        figure.rectangle("tint", (2.0, y - ROW / 2.0), (WIDTH - 4.0, ROW));
    }
    if entry.seen {
        figure.rectangle("seen", (5.0, y - 3.0), (6.0, 6.0));
    }
    let weight = if entry.strong || entry.seen {
        "strong"
    } else {
        ""
    };
    figure.text(weight, (PLOT.0 - 10.0, y + 4.0), Anchor::End, &entry.name);
    match &entry.after {
        Some((after, change)) => draw_change(figure, entry, after, change, scale, y),
        None => draw_level(figure, entry, scale, y, weight),
    }
}

/// The pixel of a share.
fn at(scale: &Scale, share: f64) -> f64 {
    scale.at(100.0 * share)
}

fn hint(entry: &AccuracyRow, who: &str, level: &Estimate) -> String {
    let [value, low, high] = [level.value, level.low, level.high].map(|share| percent(share, 1));
    format!("{}, {who}: {value} % ({low} to {high})", entry.name)
}

/// The base model alone.
fn draw_level(figure: &mut Figure, entry: &AccuracyRow, scale: &Scale, y: f64, weight: &str) {
    let before = &entry.before;
    figure.line(
        "whisker-before",
        (at(scale, before.low), y),
        (at(scale, before.high), y),
    );
    figure.circle(
        "before",
        (at(scale, before.value), y),
        4.2,
        &hint(entry, "base", before),
    );
    figure.text(
        weight,
        (WIDTH - 6.0, y + 4.0),
        Anchor::End,
        &percent(before.value, 1),
    );
}

/// Both models, and between them a band in the colour of the change.
fn draw_change(
    figure: &mut Figure,
    entry: &AccuracyRow,
    after: &Estimate,
    change: &Estimate,
    scale: &Scale,
    y: f64,
) {
    let before = &entry.before;
    let kind = colour_of(change);
    let (left, right) = (
        at(scale, before.value.min(after.value)),
        at(scale, before.value.max(after.value)),
    );
    figure.rectangle(
        &format!("band-{kind}"),
        (left, y - 4.0),
        (right - left, 8.0),
    );
    figure.line(
        "whisker-before",
        (at(scale, before.low), y - 4.0),
        (at(scale, before.high), y - 4.0),
    );
    figure.line(
        &format!("whisker-{kind}"),
        (at(scale, after.low), y + 4.0),
        (at(scale, after.high), y + 4.0),
    );
    figure.circle(
        "before",
        (at(scale, before.value), y - 1.5),
        3.8,
        &hint(entry, "base", before),
    );
    figure.circle(
        kind,
        (at(scale, after.value), y + 1.5),
        4.6,
        &hint(entry, "tuned", after),
    );
    let weight = if kind == "unclear" { "quiet" } else { "strong" };
    figure.text(
        weight,
        (WIDTH - 6.0, y + 4.0),
        Anchor::End,
        &points(change.value, 1),
    );
}
