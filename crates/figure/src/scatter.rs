//! Points of two components, one colour and sign for each language; four layers, before above
//! after.
//!
//! Source: arXiv 2405.13816, figures 2 and 4. Never here: choosing layers, thinning.

use crate::canvas::{Anchor, Figure, Mark, Scale, TONES, round_ticks, tick_labels};

const WIDTH: f64 = 940.0;
const LEFT: f64 = 46.0;
const SIDE: f64 = 178.0;
const TITLE: f64 = 20.0;
const AXIS: f64 = 42.0;
const LEGEND_ROW: f64 = 17.0;
/// With more languages their names would hide each other.
const NAMED: usize = 12;
const POINT: f64 = 3.0;
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

/// Colour and sign of a language by its place: 40 pairs, and again as outlines.
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
                    draw_cloud(&mut figure, cloud, &self.languages, corner, ranges);
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
    names: &[String],
    (left, top): (f64, f64),
    ranges: [(f64, f64); 2],
) {
    let ends = ranges.map(widen);
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
    draw_axes(figure, cloud, &x, &y);
    for (place, points) in cloud.points.iter().enumerate() {
        let at: Vec<(f64, f64)> = points
            .iter()
            .map(|p| (x.at(f64::from(p[0])), y.at(f64::from(p[1]))))
            .collect();
        let (class, mark) = look(place);
        figure.marks(&class, mark, &at, POINT);
    }
    if cloud.points.len() <= NAMED {
        draw_names(figure, cloud, names, &x, &y);
    }
}

/// Each language's name above the middle of its points, below where there is no room above.
fn draw_names(figure: &mut Figure, cloud: &PointCloud, names: &[String], x: &Scale, y: &Scale) {
    for (points, name) in cloud.points.iter().zip(names) {
        if points.is_empty() {
            continue;
        }
        let mean = |axis: usize| {
            points.iter().map(|p| f64::from(p[axis])).sum::<f64>() / points.len() as f64
        };
        let (across, middle) = (x.at(mean(0)), y.at(mean(1)));
        let has_room = middle - y.to > 18.0;
        let down = middle + if has_room { -7.0 } else { 15.0 };
        let room = 8.0; // half of a name
        let across = across.clamp(x.from + room, x.to - room);
        figure.text("centroid", (across, down), Anchor::Middle, name);
    }
}

/// Round ticks that lie within a scale.
fn inner_ticks(scale: &Scale) -> Vec<f64> {
    round_ticks(scale.low, scale.high, 4.0)
        .into_iter()
        .filter(|tick| (scale.low..=scale.high).contains(tick))
        .collect()
}

/// Frame, title, grid and the names of the two components.
fn draw_axes(figure: &mut Figure, cloud: &PointCloud, x: &Scale, y: &Scale) {
    let (left, top) = (x.from, y.to);
    let ticks = [inner_ticks(x), inner_ticks(y)];
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
        (left - 39.0, top + SIDE / 2.0),
        &format!("component 2 ({second})"),
    );
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn eighty_languages_look_different() {
        let looks: BTreeSet<String> = (0..80).map(|place| format!("{:?}", look(place))).collect();
        assert_eq!(looks.len(), 80);
        let tones: BTreeSet<String> = (0..10).map(|place| look(place).0).collect();
        assert_eq!(tones.len(), 10, "the first ten by colour alone");
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
        // begins 3 to the left
        assert!(
            points[0].contains("M49.6 ") && points[0].contains("M214.4 "),
            "{points:?}"
        );
        assert!(
            points[1].contains("M49.6 ") && points[1].contains("M132.0 "),
            "{points:?}"
        );
        // its name stands at the mean of its points, 1 and 1 of −0.08 to 2.08
        assert!(drawn.contains("class=\"centroid\" x=\"135.0\""), "{drawn}");
        assert!(drawn.contains("component 1 (50.0 %)") && drawn.contains("component 2 (25.0 %)"));
    }
}
