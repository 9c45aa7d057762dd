//! Shapes, scales and ticks; from shapes to an SVG for the page or for a file.

/// Names of the colours in `figure.css` and the page, with their values.
pub type Palette = [(&'static str, &'static str); 18];

/// Names of the ten colours that tell languages apart; no two are alike on either ground.
pub const TONES: [&str; 10] = [
    "blue", "orange", "green", "red", "purple", "violet", "lime", "brown", "sky", "coal",
];

/// On a light ground.
pub const LIGHT: Palette = [
    ("paper", "#ffffff"),
    ("ink", "#1b2127"),
    ("muted", "#5b6570"),
    ("line", "#dde1e6"),
    ("tint", "#f4f6f8"),
    ("before", "#7d8691"),
    ("rise", "#0072b2"),
    ("fall", "#c65300"),
    ("blue", "#0072b2"),
    ("orange", "#e69f00"),
    ("green", "#009e73"),
    ("red", "#d55e00"),
    ("purple", "#aa5a8c"),
    ("violet", "#5a3fc0"),
    ("lime", "#8fb300"),
    ("brown", "#6b3d1d"),
    ("sky", "#4fb3e8"),
    ("coal", "#2b3036"),
];

/// On a dark ground.
pub const DARK: Palette = [
    ("paper", "#14181c"),
    ("ink", "#e7eaed"),
    ("muted", "#9ca6b0"),
    ("line", "#313840"),
    ("tint", "#1c2127"),
    ("before", "#9aa4ae"),
    ("rise", "#56b4e9"),
    ("fall", "#f0a000"),
    ("blue", "#3f9fe0"),
    ("orange", "#ffc83d"),
    ("green", "#2fd0a2"),
    ("red", "#ff8552"),
    ("purple", "#e39cc8"),
    ("violet", "#9a86ff"),
    ("lime", "#c3e04a"),
    ("brown", "#b98456"),
    ("sky", "#a8e6ff"),
    ("coal", "#f2f4f6"),
];

/// The looks of all figures, colours as CSS variables.
pub fn figure_css() -> &'static str {
    include_str!("figure.css")
}

/// `--paper: #ffffff; ...`
pub fn css_variables(palette: &Palette) -> String {
    palette
        .iter()
        .map(|(name, value)| format!("--{name}: {value}; "))
        .collect()
}

/// A drawn figure.
#[derive(Clone, Debug)]
pub struct Figure {
    /// File stem in `figures/`.
    pub name: String,
    /// What it shows, for those who do not see it.
    pub description: String,
    /// Pixels.
    pub width: f64,
    height: f64,
    shapes: String,
}

/// A sign on a curve or for a point, distinguished by form and not by colour alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// No sign.
    None,
    /// A filled circle.
    Disc,
    /// A triangle on its base.
    Triangle,
    /// A square.
    Square,
    /// A square on its corner.
    Diamond,
}

/// Where a text is pinned.
#[derive(Clone, Copy)]
pub enum Anchor {
    /// At its beginning.
    Start,
    /// At its middle.
    Middle,
    /// At its end.
    End,
}

impl Figure {
    /// An empty drawing, sizes in pixels.
    pub fn new(
        name: impl Into<String>,
        description: impl Into<String>,
        width: f64,
        height: f64,
    ) -> Self {
        Self {
            name: name.into(),
            description: description.into(),
            width,
            height,
            shapes: String::new(),
        }
    }

    fn push(&mut self, shape: &str) {
        self.shapes.push_str(shape);
        self.shapes.push('\n');
    }

    /// A line between a point and itself is not drawn: painters refuse it.
    pub fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        if !is_drawn(&[from, to]) {
            return;
        }
        self.push(&format!(
            r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#
        ));
    }

    /// `hint` shows when pointed at; empty: none.
    pub fn circle(&mut self, class: &str, centre: (f64, f64), radius: f64, hint: &str) {
        let (x, y) = centre;
        let start = format!(r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="{radius}""#);
        match hint {
            "" => self.push(&format!("{start}/>")),
            hint => self.push(&format!("{start}><title>{}</title></circle>", escape(hint))),
        }
    }

    /// A rectangle of nothing is not drawn: painters refuse it.
    pub fn rectangle(&mut self, class: &str, corner: (f64, f64), size: (f64, f64)) {
        let ((x, y), (width, height)) = (corner, size);
        if width < 0.05 || height < 0.05 {
            return;
        }
        self.push(&format!(
            r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" rx="1.5"/>"#
        ));
    }

    /// The outline of a plot.
    pub fn frame(&mut self, class: &str, (x, y): (f64, f64), (width, height): (f64, f64)) {
        self.push(&format!(r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}"/>"#));
    }

    /// One line of text.
    pub fn text(&mut self, class: &str, at: (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let (x, y) = at;
        let text = escape(text);
        self.push(&format!(
            r#"<text class="{class}" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#
        ));
    }

    /// Text that runs upwards, its middle at a point.
    pub fn text_upright(&mut self, class: &str, (x, y): (f64, f64), text: &str) {
        let text = escape(text);
        self.push(&format!(
            r#"<text class="{class}" text-anchor="middle" transform="translate({x:.1} {y:.1}) rotate(-90)">{text}</text>"#
        ));
    }

    /// As [`Figure::line`], through all points.
    pub fn polyline(&mut self, class: &str, points: &[(f64, f64)]) {
        if !is_drawn(points) {
            return;
        }
        let path: Vec<String> = points
            .iter()
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        let path = path.join(" ");
        self.push(&format!(r#"<polyline class="{class}" points="{path}"/>"#));
    }

    /// A closed line, filled.
    pub fn polygon(&mut self, class: &str, points: &[(f64, f64)]) {
        let path: Vec<String> = points
            .iter()
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        let path = path.join(" ");
        self.push(&format!(r#"<polygon class="{class}" points="{path}"/>"#));
    }

    /// A rectangle of a literal colour, which is data and the same in every colour scheme.
    /// `hint` as in `circle`.
    pub fn cell(&mut self, fill: &str, corner: (f64, f64), size: (f64, f64), hint: &str) {
        let ((x, y), (width, height)) = (corner, size);
        let start = format!(
            r#"<rect fill="{fill}" x="{x:.1}" y="{y:.1}" width="{width:.2}" height="{height:.2}""#
        );
        match hint {
            "" => self.push(&format!("{start}/>")),
            hint => self.push(&format!("{start}><title>{}</title></rect>", escape(hint))),
        }
    }

    /// The same sign at every point, as one shape: thousands of points stay small.
    pub fn marks(&mut self, class: &str, mark: Mark, points: &[(f64, f64)], radius: f64) {
        if points.is_empty() || mark == Mark::None {
            return;
        }
        let path: String = points
            .iter()
            .map(|point| outline(mark, *point, radius))
            .collect();
        self.push(&format!(r#"<path class="{class}" d="{path}"/>"#));
    }

    /// For the page: colours from its style sheet.
    pub fn to_inline(&self) -> String {
        format!(
            "<svg class=\"figure\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n{}</svg>",
            self.width,
            self.height,
            escape(&self.description),
            self.shapes
        )
    }

    /// For a file: its own style, literal colours, a white ground.
    pub fn to_file(&self) -> String {
        let style = LIGHT
            .iter()
            .fold(figure_css().to_owned(), |css, (name, value)| {
                css.replace(&format!("var(--{name})"), value)
            });
        let (width, height) = (self.width, self.height);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"figure\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{}</title>\n<style>\n{style}</style>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{}</svg>\n",
            escape(&self.description),
            self.shapes
        )
    }
}

/// A sign as the commands of a path; all signs are of about one area.
fn outline(mark: Mark, (x, y): (f64, f64), r: f64) -> String {
    match mark {
        Mark::None => String::new(),
        Mark::Disc => {
            format!(
                "M{:.1} {y:.1}a{r:.1} {r:.1} 0 1 0 {d:.1} 0a{r:.1} {r:.1} 0 1 0 -{d:.1} 0z",
                x - r,
                d = 2.0 * r
            )
        }
        Mark::Square => {
            let half = 0.9 * r;
            format!(
                "M{:.1} {:.1}h{d:.1}v{d:.1}h-{d:.1}z",
                x - half,
                y - half,
                d = 2.0 * half
            )
        }
        Mark::Triangle => {
            let half = 1.25 * r;
            format!(
                "M{x:.1} {:.1}l{half:.1} {h:.1}h-{d:.1}z",
                y - 1.2 * r,
                h = 2.1 * r,
                d = 2.0 * half
            )
        }
        Mark::Diamond => {
            let half = 1.3 * r;
            format!(
                "M{x:.1} {:.1}l{half:.1} {half:.1}l-{half:.1} {half:.1}l-{half:.1} -{half:.1}z",
                y - half
            )
        }
    }
}

/// Whether a line through `points` is longer than what coordinates are rounded to.
fn is_drawn(points: &[(f64, f64)]) -> bool {
    let Some(first) = points.first() else {
        return false;
    };
    points
        .iter()
        .any(|point| (point.0 - first.0).abs() >= 0.1 || (point.1 - first.1).abs() >= 0.1)
}

/// Text with the signs escaped that XML reserves.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// From values to pixels.
#[derive(Clone, Copy)]
pub struct Scale {
    /// The lowest value.
    pub low: f64,
    /// The highest value.
    pub high: f64,
    /// The pixel of the lowest value.
    pub from: f64,
    /// The pixel of the highest value.
    pub to: f64,
}

impl Scale {
    /// The pixel of a value; values outside are put on the edge.
    pub fn at(&self, value: f64) -> f64 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.from + share * (self.to - self.from)
    }
}

/// A round step (1, 2 or 5 times a power of ten) that gives about `count` ticks.
fn round_step(span: f64, count: f64) -> f64 {
    let rough = span / count;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .find(|factor| factor * power >= rough * 0.999);
    step.unwrap_or(10.0) * power
}

/// Widens `low..high` to round ends and returns the ticks between them. A span of nothing is
/// widened first.
pub fn round_ticks(low: f64, high: f64, count: f64) -> Vec<f64> {
    let (low, high) = if high - low < 1e-9 {
        (low - 0.05, high + 0.05)
    } else {
        (low, high)
    };
    let step = round_step(high - low, count);
    let (first, last) = (
        (low / step + 1e-6).floor() as i64,
        (high / step - 1e-6).ceil() as i64,
    );
    (first..=last).map(|index| index as f64 * step).collect()
}

/// Ticks as text, with the decimals their distance needs.
pub fn tick_labels(ticks: &[f64]) -> Vec<String> {
    let step = ticks
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .fold(f64::INFINITY, f64::min);
    let decimals = if step.is_finite() {
        (-(step * 1.001).log10().floor()).max(0.0) as usize
    } else {
        0
    };
    ticks
        .iter()
        .map(|tick| format!("{tick:.decimals$}").replace('-', "−"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_hold_the_data() {
        assert_eq!(
            tick_labels(&round_ticks(43.0, 97.0, 5.0)),
            ["40", "60", "80", "100"]
        );
        assert_eq!(
            tick_labels(&round_ticks(-0.031, 0.012, 4.0)),
            ["−0.04", "−0.02", "0.00", "0.02"]
        );
        assert_eq!(
            tick_labels(&round_ticks(1.0, 1.0, 4.0)),
            ["0.95", "1.00", "1.05"]
        );
        let scale = Scale {
            low: 0.0,
            high: 10.0,
            from: 100.0,
            to: 200.0,
        };
        assert_eq!(
            [scale.at(5.0), scale.at(-3.0), scale.at(99.0)],
            [150.0, 100.0, 200.0]
        );
    }

    #[test]
    fn no_two_tones_are_alike() {
        for palette in [LIGHT, DARK] {
            let colours = TONES.map(|tone| {
                let (_, hex) = palette
                    .iter()
                    .find(|(name, _)| *name == tone)
                    .expect("a colour");
                [1, 3, 5].map(|at| i32::from_str_radix(&hex[at..at + 2], 16).expect("hex"))
            });
            for (place, a) in colours.iter().enumerate() {
                for b in &colours[..place] {
                    let squared: i32 = (0..3).map(|part| (a[part] - b[part]).pow(2)).sum();
                    assert!(squared >= 60 * 60, "{a:?} {b:?}");
                }
            }
        }
    }

    #[test]
    fn a_file_has_literal_colours_and_escaped_text() {
        let mut figure = Figure::new("f", "a < b & c", 10.0, 10.0);
        figure.text("quiet", (1.0, 1.0), Anchor::Start, "zh/de=>en");
        let file = figure.to_file();
        assert!(
            !file.contains("var(--") && file.contains("#0072b2") && file.contains("zh/de=&gt;en"),
            "{file}"
        );
        assert!(
            figure
                .to_inline()
                .contains(r#"aria-label="a &lt; b &amp; c""#)
        );
    }
}
