//! Learning rate, gradient norm and speed of a training: three small plots in a row, to be put below
//! its loss.

use compare::TrainingLog;
use figure::{Anchor, Figure, Scale, round_ticks, tick_labels};
use schema::StepRecord;

/// What the plots take of a figure's height.
pub(super) const HEIGHT: f64 = 130.0;
const PLOT: (f64, f64) = (26.0, 96.0);
const LEFT: f64 = 44.0;
const RIGHT: f64 = 10.0;
/// More points than pixels show nothing.
const POINTS: usize = 200;

/// A plot: its title, and its number at an update.
type Measured = (&'static str, fn(&StepRecord) -> f64);

const MEASURES: [Measured; 3] = [
    ("Learning rate", |step| step.learning_rate),
    ("Gradient norm", |step| step.grad_norm),
    ("Tokens per second", |step| {
        step.tokens as f64 / step.seconds
    }),
];

/// Draws the plots below `top`, side by side over the width; the last update is `last`.
pub(super) fn draw(
    figure: &mut Figure,
    seeds: &[&TrainingLog],
    last: f64,
    (top, width): (f64, f64),
) {
    let wide = width / MEASURES.len() as f64;
    for (place, (title, number)) in MEASURES.iter().enumerate() {
        let left = wide * place as f64;
        let x = Scale {
            low: 0.0,
            high: last,
            from: left + LEFT,
            to: left + wide - RIGHT,
        };
        figure.text(
            "small strong",
            (left + 8.0, top + 14.0),
            Anchor::Start,
            title,
        );
        draw_plot(figure, seeds, *number, &x, top);
    }
}

fn draw_plot(
    figure: &mut Figure,
    seeds: &[&TrainingLog],
    number: fn(&StepRecord) -> f64,
    x: &Scale,
    top: f64,
) {
    let curves: Vec<Vec<(usize, f64)>> = seeds
        .iter()
        .map(|seed| {
            let points = seed.steps.iter().map(|step| (step.step, number(step)));
            points.filter(|(_, value)| value.is_finite()).collect()
        })
        .collect();
    let most = curves
        .iter()
        .flatten()
        .fold(0.0_f64, |most, (_, value)| most.max(*value));
    let ticks = scale_ticks(most);
    let y = Scale {
        low: 0.0,
        high: ticks.last().map_or(1.0, |(tick, _)| *tick),
        from: top + PLOT.1,
        to: top + PLOT.0,
    };
    for (tick, label) in &ticks {
        figure.line("grid", (x.from, y.at(*tick)), (x.to, y.at(*tick)));
        let at = (x.from - 5.0, y.at(*tick) + 4.0);
        figure.text("quiet small", at, Anchor::End, label);
    }
    figure.line("axis", (x.from, y.from), (x.to, y.from));
    let end = (x.to, y.from + 14.0);
    figure.text("quiet small", end, Anchor::End, &format!("{:.0}", x.high));
    figure.text("quiet small", (x.from, end.1), Anchor::Middle, "0");
    for curve in &curves {
        let stride = curve.len().div_ceil(POINTS).max(1);
        let shown = curve.iter().step_by(stride);
        let line: Vec<(f64, f64)> = shown
            .map(|(step, value)| (x.at(*step as f64), y.at(*value)))
            .collect();
        figure.polyline("smooth", &line);
    }
}

/// From 0 to a round number above `most`; small ones in powers of ten.
fn scale_ticks(most: f64) -> Vec<(f64, String)> {
    if most <= 0.0 {
        return vec![(0.0, "0".to_owned()), (1.0, "1".to_owned())];
    }
    let power = match most < 0.01 {
        true => most.log10().floor() as i32,
        false => 0,
    };
    let unit = 10_f64.powi(power);
    let ticks = round_ticks(0.0, most / unit, 2.0);
    let labels = tick_labels(&ticks);
    let named = ticks.iter().zip(labels).map(|(tick, label)| {
        let label = match power {
            0 => label,
            power if *tick > 0.0 => format!("{label}e{power}").replace('-', "−"),
            _ => "0".to_owned(),
        };
        (tick * unit, label)
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_have_short_ticks() {
        let labels = |most| {
            scale_ticks(most)
                .into_iter()
                .map(|(_, label)| label)
                .collect::<Vec<_>>()
        };
        assert_eq!(labels(2e-4), ["0", "1e−4", "2e−4"]);
        assert_eq!(labels(1900.0), ["0", "1000", "2000"]);
        assert_eq!(labels(0.0), ["0", "1"]);
    }

    #[test]
    fn every_plot_has_a_curve_of_each_seed() {
        let step = |step: usize| StepRecord {
            step,
            epoch: 0.1,
            loss: 2.0,
            learning_rate: 1e-4 * step as f64,
            grad_norm: 2.0,
            tokens: 100,
            target_tokens: 60,
            seconds: 0.5,
        };
        let log = TrainingLog {
            adapter: "a".to_owned(),
            steps: vec![step(1), step(2)],
            validations: Vec::new(),
        };
        let mut figure = Figure::new("f", "d", 460.0, HEIGHT);
        draw(&mut figure, &[&log, &log], 2.0, (0.0, 460.0));
        let drawn = figure.to_inline();
        assert_eq!(drawn.matches("<polyline").count(), 6, "{drawn}");
        assert!(
            drawn.contains(">200<") && drawn.contains(">2e−4<"),
            "{drawn}"
        );
    }
}
