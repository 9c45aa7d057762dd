//! Change of the mean accuracy of every setting, with its 95 % interval; each seed as a tick.

use compare::{Changes, ResultBlock, Results};
use figure::{Anchor, Figure, Scale, round_ticks, tick_labels};

use schema::PromptForm;

use super::colour_of;
use crate::format::points;

const WIDTH: f64 = 460.0;
const ROW: f64 = 22.0;
const TOP: f64 = 10.0;
const PLOT: (f64, f64) = (226.0, 404.0);

/// `None` if no setting was evaluated.
pub(crate) fn draw(results: &Results) -> Option<Figure> {
    let rows: usize = results
        .blocks
        .iter()
        .filter(|b| !b.settings.is_empty())
        .map(|b| b.settings.len() + 1)
        .sum();
    let changes: Vec<&Changes> = results
        .blocks
        .iter()
        .flat_map(|block| &block.settings)
        .map(|setting| &setting.changes)
        .collect();
    if changes.is_empty() {
        return None;
    }
    let ends = changes.iter().flat_map(|c| {
        [c.mean.change.low, c.mean.change.high]
            .into_iter()
            .chain(c.seed_changes.clone())
    });
    let (low, high) = ends.fold((0.0_f64, 0.0_f64), |(low, high), end| {
        (low.min(100.0 * end), high.max(100.0 * end))
    });
    let ticks = round_ticks(low, high, 5.0);
    let scale = Scale {
        low: ticks[0],
        high: ticks[ticks.len() - 1],
        from: PLOT.0,
        to: PLOT.1,
    };
    let description = "Change of the mean accuracy against the base model in percentage points, with 95 % intervals.";
    let bottom = TOP + ROW * rows as f64 + 4.0;
    let mut figure = Figure::new("overview", description, WIDTH, bottom + 42.0);
    for (tick, label) in ticks.iter().zip(tick_labels(&ticks)) {
        let class = if tick.abs() < 1e-9 { "axis" } else { "grid" };
        figure.line(class, (scale.at(*tick), TOP), (scale.at(*tick), bottom));
        figure.text(
            "quiet small",
            (scale.at(*tick), bottom + 14.0),
            Anchor::Middle,
            &label,
        );
    }
    let middle = (PLOT.0 + PLOT.1) / 2.0;
    figure.text(
        "quiet",
        (middle, bottom + 32.0),
        Anchor::Middle,
        "Change of the mean accuracy, points",
    );
    draw_rows(&mut figure, results, &scale);
    Some(figure)
}

fn draw_rows(figure: &mut Figure, results: &Results, scale: &Scale) {
    let mut y = TOP + ROW / 2.0;
    for block in results
        .blocks
        .iter()
        .filter(|block| !block.settings.is_empty())
    {
        let title = describe_block(block);
        figure.text("strong", (8.0, y + 5.0), Anchor::Start, &title);
        y += ROW;
        for setting in &block.settings {
            let change = &setting.changes.mean.change;
            let kind = colour_of(change);
            let at = |share: f64| scale.at(100.0 * share);
            figure.text("", (PLOT.0 - 10.0, y + 4.0), Anchor::End, &setting.name);
            figure.line(
                &format!("whisker-{kind}"),
                (at(change.low), y),
                (at(change.high), y),
            );
            if setting.changes.seed_changes.len() > 1 {
                for &seed in &setting.changes.seed_changes {
                    figure.line("axis", (at(seed), y - 6.0), (at(seed), y + 6.0));
                }
            }
            let hint = format!("{}: {} points", setting.name, points(change.value, 2));
            figure.circle(kind, (at(change.value), y), 4.8, &hint);
            let weight = match kind {
                "unclear" => "quiet",
                _ => "strong",
            };
            figure.text(
                weight,
                (WIDTH - 6.0, y + 4.0),
                Anchor::End,
                &points(change.value, 1),
            );
            y += ROW;
        }
    }
}

/// Task, label set and form.
fn describe_block(block: &ResultBlock) -> String {
    match block.prompt {
        PromptForm::Plain => format!("{}, {} labels", block.task, block.labels),
        form => format!("{}, {} labels, {form}", block.task, block.labels),
    }
}
