//! Share of the chosen labels against the gold share, per language: shows a label prior and
//! whether it moved.

use compare::Changes;
use figure::{Anchor, Figure, Scale};

use crate::format::percent;

const WIDTH: f64 = 460.0;
const ROW: f64 = 20.0;
const TOP: f64 = 44.0;
const LEFT: f64 = 104.0;
const RIGHT: f64 = 450.0;

/// One panel per label; with two labels one panel, as the other is its mirror.
pub(crate) fn draw(name: String, setting: &str, changes: &Changes) -> Figure {
    let labels = changes.labels.len();
    let shown: Vec<usize> = if labels == 2 {
        vec![1]
    } else {
        (0..labels).collect()
    };
    let rows = changes.languages.len() as f64;
    let description = format!(
        "Share of each label among the chosen answers per language, base model and {setting}, against the gold share; \
         {} and {} points away on average.",
        percent(changes.share_distance.0, 1),
        percent(changes.share_distance.1, 1)
    );
    let mut figure = Figure::new(name, description, WIDTH, TOP + ROW * rows + 48.0);
    draw_legend(&mut figure, setting);
    for (row, language) in changes.languages.iter().enumerate() {
        let y = TOP + ROW * (row as f64 + 0.5);
        let weight = if language.seen { "strong" } else { "" };
        if language.seen {
            figure.rectangle("seen", (5.0, y - 3.0), (6.0, 6.0));
        }
        let text = format!("{} {}", language.language.name(), language.language);
        figure.text(weight, (LEFT - 10.0, y + 4.0), Anchor::End, &text);
    }
    let gap = 16.0;
    let width = (RIGHT - LEFT - gap * (shown.len() - 1) as f64) / shown.len() as f64;
    for (panel, &label) in shown.iter().enumerate() {
        let from = LEFT + (width + gap) * panel as f64;
        draw_panel(
            &mut figure,
            changes,
            label,
            Scale {
                low: 0.0,
                high: 1.0,
                from,
                to: from + width,
            },
        );
    }
    figure
}

fn draw_legend(figure: &mut Figure, setting: &str) {
    let y = 12.0;
    figure.circle("before", (8.0, y - 4.0), 4.0, "");
    figure.text("small", (17.0, y), Anchor::Start, "base");
    figure.circle("rise", (58.0, y - 4.0), 4.6, "");
    figure.text("small", (67.0, y), Anchor::Start, setting);
    let x = 89.0 + 5.9 * setting.chars().count() as f64;
    figure.line("gold", (x, y - 10.0), (x, y + 2.0));
    figure.text("small", (x + 8.0, y), Anchor::Start, "gold share");
}

fn draw_panel(figure: &mut Figure, changes: &Changes, label: usize, scale: Scale) {
    let bottom = TOP + ROW * changes.languages.len() as f64 + 2.0;
    let middle = (scale.from + scale.to) / 2.0;
    let is_wide = scale.to - scale.from > 200.0;
    for tick in if is_wide {
        vec![0.0, 0.25, 0.5, 0.75, 1.0]
    } else {
        vec![0.0, 0.5, 1.0]
    } {
        let anchor = match tick {
            0.0 if !is_wide => Anchor::Start, // so that neighbouring panels' numbers do not meet
            1.0 if !is_wide => Anchor::End,
            _ => Anchor::Middle,
        };
        figure.line(
            "grid",
            (scale.at(tick), TOP - 4.0),
            (scale.at(tick), bottom),
        );
        figure.text(
            "quiet small",
            (scale.at(tick), bottom + 14.0),
            anchor,
            &percent(tick, 0),
        );
    }
    let name = &changes.labels[label];
    let title = if is_wide {
        format!("Share of answers “{name}”, %")
    } else {
        format!("“{name}”, %")
    };
    figure.text("quiet", (middle, bottom + 32.0), Anchor::Middle, &title);
    for (row, language) in changes.languages.iter().enumerate() {
        let y = TOP + ROW * (row as f64 + 0.5);
        let [gold, before, after] = [
            &language.labels.gold,
            &language.labels.before,
            &language.labels.after,
        ]
        .map(|shares| shares[label]);
        let name_of_language = language.language.name();
        let [hint_before, hint_after] = [("base", before), ("tuned", after)].map(|(who, share)| {
            let [share, gold] = [share, gold].map(|share| percent(share, 1));
            format!("{name_of_language}, {who}: {share} % “{name}”, gold {gold} %")
        });
        let (left, right) = (scale.at(before.min(after)), scale.at(before.max(after)));
        figure.rectangle("band-rise", (left, y - 3.0), (right - left, 6.0));
        figure.line("gold", (scale.at(gold), y - 7.0), (scale.at(gold), y + 7.0));
        figure.circle("before", (scale.at(before), y), 3.8, &hint_before);
        figure.circle("rise", (scale.at(after), y), 4.6, &hint_after);
    }
}
