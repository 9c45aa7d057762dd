//! Points of two components, one colour and sign for each language; four layers, before above
//! after.
//!
//! Source: arXiv 2405.13816, figures 2 and 4. Never here: choosing layers, thinning.

use crate::canvas::{Anchor, Figure, Mark, Scale, round_ticks, tick_labels};

const WIDTH: f64 = 940.0;
const LEFT: f64 = 46.0;
const SIDE: f64 = 178.0;
const TITLE: f64 = 20.0;
const AXIS: f64 = 42.0;
const LEGEND_ROW: f64 = 17.0;
const TONES: [&str; 5] = ["blue", "orange", "green", "red", "purple"];
const MARKS: [Mark; 4] = [Mark::Disc, Mark::Triangle, Mark::Square, Mark::Diamond];

/// One panel.
pub struct PointCloud {
    /// Above the plot.
    pub title: String,
    /// Shares of the variance, of the two components.
    pub explained: [f64; 2],
    /// In the order of [`ScatterSheet::languages`].
    pub points: Vec<Vec<[f32; 2]>>,
}

/// A figure of clouds.
pub struct ScatterSheet {
    /// File stem of the figure.
    pub name: String,
    /// What the figure shows, for those who do not see it.
    pub description: String,
    /// For the legend.
    pub languages: Vec<String>,
    /// Rows of panels; the panels of a column share their scales.
    pub rows: Vec<Vec<Option<PointCloud>>>,
}

/// Colour and sign of a language by its place: 20 pairs, and again as outlines.
fn look(place: usize) -> (String, Mark) {
    let round = place / TONES.len();
    let tone = TONES[place % TONES.len()];
    let mark = MARKS[(place % TONES.len() + round) % MARKS.len()];
    let class = if round < MARKS.len() {
        format!("point fill-{tone}")
    } else {
        format!("hollow stroke-{tone}")
    };
    (class, mark)
}

impl ScatterSheet {
    /// Draws all panels and the legend.
    pub fn draw(&self) -> Figure {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(1).max(1);
        let letters = self
            .languages
            .iter()
            .map(|name| name.chars().count())
            .max()
            .unwrap_or(2);
        let entry = 24.0 + 6.3 * letters as f64;
        let per_row = ((WIDTH - 12.0) / entry).floor().max(1.0) as usize;
        let top = LEGEND_ROW * self.languages.len().div_ceil(per_row) as f64 + 8.0;
        let height = TITLE + SIDE + AXIS;
        let mut figure = Figure::new(
            self.name.clone(),
            self.description.clone(),
            WIDTH,
            top + height * self.rows.len() as f64 + 4.0,
        );
        for (place, name) in self.languages.iter().enumerate() {
            let (x, y) = (
                10.0 + entry * (place % per_row) as f64,
                8.0 + LEGEND_ROW * (place / per_row) as f64,
            );
            let (class, mark) = look(place);
            figure.marks(&class.replace("point ", "sign "), mark, &[(x, y)], 4.0);
            figure.text("small", (x + 9.0, y + 4.0), Anchor::Start, name);
        }
        for column in 0..columns {
            let of_column = || self.rows.iter().filter_map(|row| row.get(column)?.as_ref());
            let scale = |axis: usize| {
                let values = of_column()
                    .flat_map(|cloud| cloud.points.iter().flatten())
                    .map(|p| f64::from(p[axis]));
                values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
                    (low.min(v), high.max(v))
                })
            };
            let ranges = [scale(0), scale(1)];
            for (row, clouds) in self.rows.iter().enumerate() {
                if let Some(Some(cloud)) = clouds.get(column) {
                    let corner = (
                        WIDTH / 4.0 * column as f64 + LEFT,
                        top + height * row as f64 + TITLE,
                    );
                    draw_cloud(&mut figure, cloud, corner, ranges);
                }
            }
        }
        figure
    }
}

/// A little room around the points, some where they all fall together.
fn widen((low, high): (f64, f64)) -> (f64, f64) {
    if low > high {
        return (0.0, 1.0);
    }
    let room = if high > low { 0.04 * (high - low) } else { 0.5 };
    (low - room, high + room)
}

fn draw_cloud(
    figure: &mut Figure,
    cloud: &PointCloud,
    (left, top): (f64, f64),
    ranges: [(f64, f64); 2],
) {
    let ends = ranges.map(widen);
    let ticks = ends.map(|(low, high)| {
        let all = round_ticks(low, high, 4.0);
        all.into_iter()
            .filter(|tick| (low..=high).contains(tick))
            .collect::<Vec<f64>>()
    });
    let x = Scale {
        low: ends[0].0,
        high: ends[0].1,
        from: left,
        to: left + SIDE,
    };
    let y = Scale {
        low: ends[1].0,
        high: ends[1].1,
        from: top + SIDE,
        to: top,
    };
    figure.frame("frame", (left, top), (SIDE, SIDE));
    figure.text("strong", (left, top - 8.0), Anchor::Start, &cloud.title);
    for (tick, label) in ticks[0].iter().zip(tick_labels(&ticks[0])) {
        figure.line("grid", (x.at(*tick), top), (x.at(*tick), top + SIDE));
        figure.text(
            "quiet small",
            (x.at(*tick), top + SIDE + 14.0),
            Anchor::Middle,
            &label,
        );
    }
    for (tick, label) in ticks[1].iter().zip(tick_labels(&ticks[1])) {
        figure.line("grid", (left, y.at(*tick)), (left + SIDE, y.at(*tick)));
        figure.text(
            "quiet small",
            (left - 5.0, y.at(*tick) + 4.0),
            Anchor::End,
            &label,
        );
    }
    let [first, second] = cloud
        .explained
        .map(|share| format!("{:.1} %", 100.0 * share));
    let across = format!("component 1 ({first})");
    figure.text(
        "quiet small",
        (left + SIDE / 2.0, top + SIDE + 28.0),
        Anchor::Middle,
        &across,
    );
    figure.text_upright(
        "quiet small",
        (left - 34.0, top + SIDE / 2.0),
        &format!("component 2 ({second})"),
    );
    for (place, points) in cloud.points.iter().enumerate() {
        let at: Vec<(f64, f64)> = points
            .iter()
            .map(|p| (x.at(f64::from(p[0])), y.at(f64::from(p[1]))))
            .collect();
        let (class, mark) = look(place);
        figure.marks(&class, mark, &at, 2.0);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn forty_languages_look_different() {
        let looks: BTreeSet<String> = (0..40).map(|place| format!("{:?}", look(place))).collect();
        assert_eq!(looks.len(), 40);
        let tones: BTreeSet<String> = (0..5).map(|place| look(place).0).collect();
        assert_eq!(tones.len(), 5, "the first five by colour alone");
    }

    #[test]
    fn panels_of_a_column_share_their_scale() {
        let cloud = |title: &str, reach: f32| PointCloud {
            title: title.to_owned(),
            explained: [0.5, 0.25],
            points: vec![vec![[0.0, 0.0], [reach, reach]]],
        };
        let rows = vec![
            vec![Some(cloud("a", 2.0)), None],
            vec![Some(cloud("b", 1.0)), None],
        ];
        let (name, description, languages) =
            ("f".to_owned(), "d".to_owned(), vec!["en".to_owned()]);
        let drawn = ScatterSheet {
            name,
            description,
            languages,
            rows,
        }
        .draw()
        .to_inline();
        let points: Vec<&str> = drawn
            .lines()
            .filter(|line| line.contains("class=\"point"))
            .collect();
        // 46 to 224 is −0.08 to 2.08: 0 stands at 52.6, 1 in the middle, 2 at 217.4; a disc
        // begins 2 to the left
        assert!(
            points[0].contains("M50.6 ") && points[0].contains("M215.4 "),
            "{points:?}"
        );
        assert!(
            points[1].contains("M50.6 ") && points[1].contains("M133.0 "),
            "{points:?}"
        );
        assert!(drawn.contains("component 1 (50.0 %)") && drawn.contains("component 2 (25.0 %)"));
    }
}
