//! Loss curve: training loss of every update and smoothed, validation points, the best one
//! marked; below it learning rate, gradient norm and speed. Seeds are laid over each other.

use compare::TrainingLog;
use figure::{Anchor, Figure, Scale, round_ticks, tick_labels};

use super::rates;

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 270.0 + rates::HEIGHT;
const X: (f64, f64) = (46.0, 446.0);
const Y: (f64, f64) = (222.0, 30.0);
/// More points than pixels show nothing.
const POINTS: usize = 500;

/// The curves of one setting's seeds.
pub(crate) fn draw(name: String, seeds: &[&TrainingLog]) -> Figure {
    let extent = Extent::of(seeds);
    let y_ticks = round_ticks(extent.low, extent.high, 5.0);
    let x = Scale {
        low: 0.0,
        high: extent.last,
        from: X.0,
        to: X.1,
    };
    let y = Scale {
        low: y_ticks[0],
        high: y_ticks[y_ticks.len() - 1],
        from: Y.0,
        to: Y.1,
    };
    let mut figure = Figure::new(
        name,
        "Training and validation loss, learning rate, gradient norm and tokens per second by optimiser update.",
        WIDTH,
        HEIGHT,
    );
    draw_axes(&mut figure, &x, &y, &y_ticks);
    draw_legend(&mut figure);
    for seed in seeds {
        draw_seed(&mut figure, seed, &x, &y);
    }
    rates::draw(
        &mut figure,
        seeds,
        extent.last,
        (HEIGHT - rates::HEIGHT, WIDTH),
    );
    figure
}

/// The last update and the range of all finite losses.
struct Extent {
    last: f64,
    low: f64,
    high: f64,
}

impl Extent {
    fn of(seeds: &[&TrainingLog]) -> Self {
        let steps = seeds
            .iter()
            .flat_map(|seed| seed.steps.iter().map(|step| (step.step, step.loss)));
        let validations = seeds
            .iter()
            .flat_map(|seed| seed.validations.iter().map(|v| (v.step, v.loss)));
        let mut extent = Self {
            last: 1.0,
            low: f64::INFINITY,
            high: f64::NEG_INFINITY,
        };
        for (step, loss) in steps
            .chain(validations)
            .filter(|(_, loss)| loss.is_finite())
        {
            extent.last = extent.last.max(step as f64);
            extent.low = extent.low.min(loss);
            extent.high = extent.high.max(loss);
        }
        if extent.low > extent.high {
            (extent.low, extent.high) = (0.0, 1.0);
        }
        extent
    }
}

fn draw_axes(figure: &mut Figure, x: &Scale, y: &Scale, y_ticks: &[f64]) {
    let x_ticks = round_ticks(0.0, x.high, 6.0);
    for (tick, label) in y_ticks.iter().zip(tick_labels(y_ticks)) {
        figure.line("grid", (X.0, y.at(*tick)), (X.1, y.at(*tick)));
        figure.text(
            "quiet small",
            (X.0 - 7.0, y.at(*tick) + 4.0),
            Anchor::End,
            &label,
        );
    }
    for (tick, label) in x_ticks
        .iter()
        .zip(tick_labels(&x_ticks))
        .filter(|(tick, _)| **tick <= x.high)
    {
        figure.line("axis", (x.at(*tick), Y.0), (x.at(*tick), Y.0 + 4.0));
        figure.text(
            "quiet small",
            (x.at(*tick), Y.0 + 17.0),
            Anchor::Middle,
            &label,
        );
    }
    figure.line("axis", (X.0, Y.0), (X.1, Y.0));
    figure.text(
        "quiet",
        ((X.0 + X.1) / 2.0, Y.0 + 36.0),
        Anchor::Middle,
        "Optimiser updates",
    );
}

fn draw_legend(figure: &mut Figure) {
    let y = 12.0;
    figure.text(
        "quiet small",
        (8.0, y),
        Anchor::Start,
        "Loss, nats per token",
    );
    figure.line("raw", (140.0, y - 4.0), (158.0, y - 4.0));
    figure.text("small", (163.0, y), Anchor::Start, "training");
    figure.line("smooth", (216.0, y - 4.0), (234.0, y - 4.0));
    figure.text("small", (239.0, y), Anchor::Start, "smoothed");
    figure.circle("validation-point", (303.0, y - 4.0), 3.2, "");
    figure.text("small", (311.0, y), Anchor::Start, "validation");
    figure.circle("best", (378.0, y - 4.0), 5.0, "");
    figure.text("small", (388.0, y), Anchor::Start, "best");
}

fn draw_seed(figure: &mut Figure, seed: &TrainingLog, x: &Scale, y: &Scale) {
    let stride = seed.steps.len().div_ceil(POINTS).max(1);
    let at = |step: usize, loss: f64| (x.at(step as f64), y.at(loss));
    let finite = |points: Vec<(usize, f64)>| -> Vec<(f64, f64)> {
        let shown = points
            .into_iter()
            .filter(|(_, loss)| loss.is_finite())
            .step_by(stride);
        shown.map(|(step, loss)| at(step, loss)).collect()
    };
    figure.polyline(
        "raw",
        &finite(
            seed.steps
                .iter()
                .map(|step| (step.step, step.loss))
                .collect(),
        ),
    );
    figure.polyline("smooth", &finite(seed.smoothed()));
    let validations: Vec<_> = seed
        .validations
        .iter()
        .filter(|v| v.loss.is_finite())
        .collect();
    let points: Vec<(f64, f64)> = validations.iter().map(|v| at(v.step, v.loss)).collect();
    figure.polyline("validation", &points);
    for (validation, point) in validations.iter().zip(&points) {
        let hint = format!(
            "update {}: validation loss {:.4}",
            validation.step, validation.loss
        );
        figure.circle("validation-point", *point, 3.2, &hint);
    }
    if let Some(best) = seed.best().filter(|best| best.loss.is_finite()) {
        let (cx, cy) = at(best.step, best.loss);
        figure.circle("best", (cx, cy), 6.5, "");
        let (anchor, shift) = if cx > 340.0 {
            (Anchor::End, 4.0)
        } else {
            (Anchor::Start, -4.0)
        };
        let label = format!("{:.3} at {}", best.loss, best.step);
        figure.text(
            "small strong",
            (cx + shift, (cy - 12.0).max(40.0)),
            anchor,
            &label,
        );
    }
}
