//! Curves by layer, or by update, in panels side by side: lens, measures of pairs, tuned lens, classes of
//! neurons. A curve has a colour, a dash and a sign, so that it is known without colours.
//!
//! Never here: what is measured; which curves there are.

use crate::{
    canvas::{Anchor, Figure, Mark, Scale, round_ticks, tick_labels},
    colour::Ramp,
    decades::decade_ticks,
};

const TITLE: f64 = 18.0;
const STRIP: f64 = 11.0;
const PLOT: f64 = 138.0;
const AXIS: f64 = 24.0;
const GAP: f64 = 14.0;
const LEFT: f64 = 42.0;
const RIGHT: f64 = 10.0;
const LEGEND_ROW: f64 = 17.0;
/// About the width of a small letter.
const LETTER: f64 = 5.7;
/// Signs along a curve.
const SIGNS: usize = 6;

/// How a curve looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurveStyle {
    /// A colour of the palette: `blue`.
    pub tone: &'static str,
    /// `solid`, `dash` or `dots`.
    pub stroke: &'static str,
    /// The sign along it.
    pub mark: Mark,
}

/// What a point of a curve is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CurveAxis {
    /// Layers: a curve breaks where one is missing.
    Layers,
    /// Updates of a training, of which only some have a point.
    Updates,
}

impl CurveAxis {
    fn title(self) -> &'static str {
        match self {
            Self::Layers => "Layer",
            Self::Updates => "Optimiser updates",
        }
    }

    /// Parts of a curve without a gap.
    fn runs(self, points: &[CurvePoint]) -> impl Iterator<Item = &[CurvePoint]> {
        points.chunk_by(move |a, b| self == Self::Updates || a.layer + 1 == b.layer)
    }
}

/// A value at a layer, with its interval; NaN where there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurvePoint {
    /// The layer, or the update.
    pub layer: usize,
    /// The value.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// One curve: a point at every layer that has one.
#[derive(Clone, Debug)]
pub struct Curve {
    /// Colour, dash and sign.
    pub style: CurveStyle,
    /// For the legend; curves of one name have one look.
    pub name: String,
    /// In the order of the layers.
    pub points: Vec<CurvePoint>,
}

/// One panel.
#[derive(Clone, Debug)]
pub struct CurvePanel {
    /// Above the plot.
    pub title: String,
    /// The last one is on top.
    pub curves: Vec<Curve>,
    /// Entropy by layer, bits, as a strip of colours above the plot; empty: none.
    pub strip: Vec<f64>,
    /// Shown in a panel without curves.
    pub empty: String,
}

/// A figure of charts.
pub struct CurveSheet {
    /// File stem of the figure.
    pub name: String,
    /// What the figure shows, for those who do not see it.
    pub description: String,
    /// The panels.
    pub charts: Vec<CurvePanel>,
    /// Charts in a row.
    pub columns: usize,
    /// What the points are at.
    pub axis: CurveAxis,
    /// L, or the last update: the axis runs from 0 to it.
    pub layers: usize,
    /// Whether all charts share one vertical axis.
    pub shared: bool,
    /// Held by every vertical axis.
    pub holds: Vec<f64>,
    /// Whether the vertical axes are logarithmic; values below the lowest decade stand on it.
    pub is_log: bool,
}

/// A vertical axis.
struct ValueAxis {
    scale: Scale,
    ticks: Vec<(f64, String)>,
    is_log: bool,
}

impl ValueAxis {
    /// The pixel of a value.
    fn at(&self, value: f64) -> f64 {
        let value = match self.is_log {
            true => value.max(f64::MIN_POSITIVE).log10(),
            false => value,
        };
        self.scale.at(value)
    }
}

/// The position of a panel.
struct PanelFrame {
    x: Scale,
    top: f64,
    has_strip: bool,
}

impl PanelFrame {
    fn plot(&self) -> (f64, f64) {
        let top = self.top + TITLE + if self.has_strip { STRIP + 5.0 } else { 0.0 };
        (top, top + PLOT)
    }
}

impl CurveSheet {
    /// Draws all panels and the legend.
    pub fn draw(&self) -> Figure {
        let width = if self.columns > 2 { 940.0 } else { 460.0 };
        let legend = self.legend();
        let rows = break_legend(&legend, width);
        let has_strip = self.charts.iter().any(|chart| !chart.strip.is_empty());
        let top = LEGEND_ROW * (rows.len() + usize::from(has_strip)) as f64 + 4.0;
        let strip = if has_strip { STRIP + 5.0 } else { 0.0 };
        let height = TITLE + strip + PLOT + AXIS + GAP;
        let lines = self.charts.len().div_ceil(self.columns);
        let mut figure = Figure::new(
            self.name.clone(),
            self.description.clone(),
            width,
            top + height * lines as f64 + 12.0,
        );
        draw_legend(&mut figure, &rows);
        let entropy = self
            .charts
            .iter()
            .flat_map(|chart| &chart.strip)
            .fold(0.0_f64, |most, bits| most.max(*bits));
        let ramp = Ramp::Sequential(0.0, entropy.ceil().max(1.0));
        if has_strip {
            draw_strip_legend(&mut figure, ramp, LEGEND_ROW * rows.len() as f64);
        }
        let column = width / self.columns as f64;
        for (index, chart) in self.charts.iter().enumerate() {
            let left = column * (index % self.columns) as f64;
            let x = Scale {
                low: 0.0,
                high: self.layers.max(1) as f64,
                from: left + LEFT,
                to: left + column - RIGHT,
            };
            let place = PanelFrame {
                x,
                top: top + height * (index / self.columns) as f64,
                has_strip,
            };
            self.draw_chart(&mut figure, chart, &place, ramp);
        }
        let bottom = top + height * lines as f64 + 4.0;
        figure.text(
            "quiet",
            (width / 2.0 + LEFT / 2.0, bottom),
            Anchor::Middle,
            self.axis.title(),
        );
        figure
    }

    /// Every name once, in order.
    fn legend(&self) -> Vec<(CurveStyle, String)> {
        let mut legend: Vec<(CurveStyle, String)> = Vec::new();
        for curve in self.charts.iter().flat_map(|chart| &chart.curves) {
            if !legend.iter().any(|(_, name)| *name == curve.name) {
                legend.push((curve.style, curve.name.clone()));
            }
        }
        legend
    }

    /// The axis of a range of values between two pixels.
    fn value_axis(&self, (low, high): (f64, f64), (from, to): (f64, f64)) -> ValueAxis {
        let ticks: Vec<(f64, String)> = match self.is_log {
            true => decade_ticks(low, high),
            false => {
                let ticks = round_ticks(low, high, 4.0);
                let labels = tick_labels(&ticks);
                ticks.into_iter().zip(labels).collect()
            }
        };
        let scale = Scale {
            low: ticks[0].0,
            high: ticks[ticks.len() - 1].0,
            from,
            to,
        };
        ValueAxis {
            scale,
            ticks,
            is_log: self.is_log,
        }
    }

    fn range(&self, chart: &CurvePanel) -> (f64, f64) {
        let of: Vec<&CurvePanel> = if self.shared {
            self.charts.iter().collect()
        } else {
            vec![chart]
        };
        let points = of
            .iter()
            .flat_map(|chart| &chart.curves)
            .flat_map(|curve| &curve.points);
        let ends = points
            .flat_map(|point| [point.value, point.low, point.high])
            .chain(self.holds.iter().copied());
        let (low, high) = ends
            .filter(|end| end.is_finite() && (*end > 0.0 || !self.is_log))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), end| {
                (low.min(end), high.max(end))
            });
        // what lies a hair below 0, as a null does, is worth no tick of its own
        let low = if low < 0.0 && -low < 0.02 * (high - low) {
            0.0
        } else {
            low
        };
        if low <= high { (low, high) } else { (0.0, 1.0) }
    }

    fn draw_chart(&self, figure: &mut Figure, chart: &CurvePanel, place: &PanelFrame, ramp: Ramp) {
        let (top, bottom) = place.plot();
        let (from, to) = (place.x.from, place.x.to);
        figure.text(
            "strong",
            (from, place.top + 12.0),
            Anchor::Start,
            &chart.title,
        );
        let (low, high) = self.range(chart);
        let y = self.value_axis((low, high), (bottom, top));
        for (tick, label) in &y.ticks {
            let class = match tick.abs() < 1e-9 && !self.is_log {
                true => "axis",
                false => "grid",
            };
            let at = y.scale.at(*tick);
            figure.line(class, (from, at), (to, at));
            figure.text("quiet small", (from - 6.0, at + 4.0), Anchor::End, label);
        }
        figure.line("axis", (from, bottom), (to, bottom));
        for tick in layer_ticks(self.layers) {
            figure.line(
                "axis",
                (place.x.at(tick), bottom),
                (place.x.at(tick), bottom + 4.0),
            );
            figure.text(
                "quiet small",
                (place.x.at(tick), bottom + 16.0),
                Anchor::Middle,
                &format!("{tick:.0}"),
            );
        }
        draw_strip(figure, &chart.strip, place, ramp);
        for curve in &chart.curves {
            draw_band(figure, curve, self.axis, &place.x, &y);
        }
        for (index, curve) in chart.curves.iter().enumerate() {
            let among = (index, chart.curves.len());
            draw_curve(figure, curve, self.axis, among, &place.x, &y);
        }
        if chart.curves.iter().all(|curve| curve.points.is_empty()) {
            figure.text(
                "quiet",
                ((from + to) / 2.0, (top + bottom) / 2.0),
                Anchor::Middle,
                &chart.empty,
            );
        }
    }
}

/// Whole layers, the last one among them.
fn layer_ticks(layers: usize) -> Vec<f64> {
    let mut ticks: Vec<f64> = round_ticks(0.0, layers.max(1) as f64, 5.0);
    ticks.retain(|tick| *tick < 0.93 * layers as f64 && tick.fract() == 0.0);
    ticks.push(layers as f64);
    ticks
}

fn break_legend(
    legend: &[(CurveStyle, String)],
    width: f64,
) -> Vec<Vec<(f64, CurveStyle, String)>> {
    let mut rows: Vec<Vec<(f64, CurveStyle, String)>> = Vec::new();
    let mut x = f64::INFINITY;
    for (look, name) in legend {
        let wide = 34.0 + LETTER * name.chars().count() as f64 + 12.0;
        if x + wide > width {
            rows.push(Vec::new());
            x = 6.0;
        }
        if let Some(row) = rows.last_mut() {
            row.push((x, *look, name.clone()));
        }
        x += wide;
    }
    rows
}

fn draw_legend(figure: &mut Figure, rows: &[Vec<(f64, CurveStyle, String)>]) {
    for (index, row) in rows.iter().enumerate() {
        let y = 9.0 + LEGEND_ROW * index as f64;
        for (x, look, name) in row {
            figure.line(&line_class(look), (*x, y), (x + 26.0, y));
            figure.marks(&sign_class(look), look.mark, &[(x + 13.0, y)], 3.0);
            figure.text("small", (x + 32.0, y + 4.0), Anchor::Start, name);
        }
    }
}

fn draw_strip_legend(figure: &mut Figure, ramp: Ramp, top: f64) {
    let (low, high) = ramp.ends();
    let y = top + 4.0;
    figure.text(
        "small",
        (6.0, y + 9.0),
        Anchor::Start,
        "Strip above: entropy,",
    );
    let left = 6.0 + LETTER * 22.0;
    figure.text(
        "small quiet",
        (left, y + 9.0),
        Anchor::Start,
        &format!("{low:.0}"),
    );
    for step in 0..40 {
        let value = low + (high - low) * f64::from(step) / 39.0;
        figure.cell(
            &ramp.colour(value).hex(),
            (left + 10.0 + 2.0 * f64::from(step), y + 1.0),
            (2.3, 9.0),
            "",
        );
    }
    figure.text(
        "small quiet",
        (left + 95.0, y + 9.0),
        Anchor::Start,
        &format!("{high:.0} bits"),
    );
}

fn line_class(look: &CurveStyle) -> String {
    format!("curve stroke-{} {}", look.tone, look.stroke)
}

fn sign_class(look: &CurveStyle) -> String {
    format!("sign fill-{}", look.tone)
}

fn draw_strip(figure: &mut Figure, strip: &[f64], place: &PanelFrame, ramp: Ramp) {
    let width = (place.x.to - place.x.from) / strip.len().max(1) as f64;
    for (layer, &bits) in strip.iter().enumerate() {
        let left = place.x.from + width * layer as f64;
        let hint = format!("layer {layer}: entropy {bits:.2} bits");
        figure.cell(
            &ramp.colour(bits).hex(),
            (left, place.top + TITLE),
            (width + 0.3, STRIP),
            &hint,
        );
    }
}

fn draw_band(figure: &mut Figure, curve: &Curve, axis: CurveAxis, x: &Scale, y: &ValueAxis) {
    for run in axis.runs(&curve.points).filter(|run| run.len() > 1) {
        let with: Vec<&CurvePoint> = run
            .iter()
            .filter(|point| point.low.is_finite() && point.low < point.high)
            .collect();
        if with.len() < 2 {
            continue;
        }
        let upper = with
            .iter()
            .map(|point| (x.at(point.layer as f64), y.at(point.high)));
        let lower = with
            .iter()
            .rev()
            .map(|point| (x.at(point.layer as f64), y.at(point.low)));
        let outline: Vec<(f64, f64)> = upper.chain(lower).collect();
        figure.polygon(&format!("band fill-{}", curve.style.tone), &outline);
    }
}

fn draw_curve(
    figure: &mut Figure,
    curve: &Curve,
    axis: CurveAxis,
    (index, count): (usize, usize),
    x: &Scale,
    y: &ValueAxis,
) {
    for run in axis.runs(&curve.points) {
        let line: Vec<(f64, f64)> = run
            .iter()
            .map(|point| (x.at(point.layer as f64), y.at(point.value)))
            .collect();
        figure.polyline(&line_class(&curve.style), &line);
    }
    // signs of different curves are at different layers, so that none hides another
    let every = curve.points.len().div_ceil(SIGNS).max(1);
    let first = index * every / count.max(1);
    let signed = curve.points.iter().skip(first).step_by(every);
    let signs: Vec<(f64, f64)> = signed
        .map(|point| (x.at(point.layer as f64), y.at(point.value)))
        .collect();
    figure.marks(&sign_class(&curve.style), curve.style.mark, &signs, 3.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(points: Vec<CurvePoint>) -> CurveSheet {
        let look = CurveStyle {
            tone: "blue",
            stroke: "solid",
            mark: Mark::None,
        };
        let curve = Curve {
            style: look,
            name: "one".to_owned(),
            points,
        };
        let chart = CurvePanel {
            title: "t".to_owned(),
            curves: vec![curve],
            strip: vec![],
            empty: "nothing".to_owned(),
        };
        let (name, description) = ("f".to_owned(), "d".to_owned());
        CurveSheet {
            name,
            description,
            charts: vec![chart],
            columns: 1,
            axis: CurveAxis::Layers,
            layers: 4,
            shared: true,
            holds: vec![0.0, 1.0],
            is_log: false,
        }
    }

    #[test]
    fn a_curve_and_its_band_stand_at_their_values_and_break_where_a_layer_is_missing() {
        let at = |layer: usize, value: f64| CurvePoint {
            layer,
            value,
            low: value - 0.1,
            high: value + 0.1,
        };
        let drawn = sheet(vec![at(0, 0.5), at(1, 0.5), at(3, 0.9), at(4, 0.9)])
            .draw()
            .to_inline();
        // x: 42 to 450, y: 0 at 177, 1 at 39
        assert!(
            drawn.contains(r#"points="42.0,108.0 144.0,108.0""#),
            "{drawn}"
        );
        assert!(
            drawn.contains(r#"points="348.0,52.8 450.0,52.8""#),
            "{drawn}"
        );
        assert!(
            drawn.contains(r#"<polygon class="band fill-blue" points="42.0,94.2 144.0,94.2 144.0,121.8 42.0,121.8""#)
        );
        assert!(!drawn.contains("nothing") && sheet(vec![]).draw().to_inline().contains("nothing"));
    }

    #[test]
    fn a_logarithmic_axis_has_decades_and_keeps_nothing_at_its_foot() {
        let at = |layer: usize, value: f64| CurvePoint {
            layer,
            value,
            low: f64::NAN,
            high: f64::NAN,
        };
        let linear = sheet(vec![at(0, 0.0), at(1, 0.001), at(2, 0.1), at(3, 1.0)]);
        let drawn = CurveSheet {
            is_log: true,
            ..linear
        }
        .draw()
        .to_inline();
        // 0.001 at 177, 1 at 39: a decade is 46
        assert!(
            drawn.contains("points=\"42.0,177.0 144.0,177.0 246.0,85.0 348.0,39.0\""),
            "{drawn}"
        );
        for label in [">0.001<", ">0.01<", ">0.1<", ">1<"] {
            assert!(drawn.contains(label), "{label}");
        }
    }

    #[test]
    fn the_last_layer_is_a_tick() {
        assert_eq!(layer_ticks(30), [0.0, 10.0, 20.0, 30.0]);
        assert_eq!(layer_ticks(24), [0.0, 5.0, 10.0, 15.0, 20.0, 24.0]);
        assert_eq!(layer_ticks(1), [0.0, 1.0]);
    }
}
