//! Measures of a pair that need no matrix of cosines: Pearson's correlation of first components
//! (the paper's tables 8-11), the distance of the means, and the share of the parallel cosines'
//! variance that lengths explain (arXiv 2605.07345). Never here: cosines, CKA, nulls.

use super::{
    cloud::LanguageCloud,
    jackknife::{JackknifeEstimate, Scale},
    vector::{ROUNDING, cosine, dot, spread},
};

/// Half the width of a normal's middle 95 %.
const NORMAL: f64 = 1.959_963_984_540_054;

/// Pearson's correlation of two languages' scores (n). The fit is held: no item is taken out of
/// it. `None` where one does not vary.
pub(super) fn pearson(x: &[f64], y: &[f64]) -> Option<JackknifeEstimate> {
    let n = x.len() as f64;
    let ((xx, x_deviations), (yy, y_deviations)) = (spread(x)?, spread(y)?);
    let xy = dot(&x_deviations, &y_deviations);
    let part = n / (n - 1.0);
    let each = x_deviations.iter().zip(&y_deviations);
    let without = each
        .map(|(x, y)| cosine(xy - part * x * y, xx - part * x * x, yy - part * y * y))
        .collect();
    JackknifeEstimate::new(cosine(xy, xx, yy), without, Scale::Correlation)
}

/// Fisher's 95 % interval of a correlation of `n` pairs (Fisher 1921).
pub(super) fn fisher(r: f64, n: usize) -> (f64, f64) {
    if 1.0 - r * r <= f64::EPSILON {
        return (r, r);
    }
    let (z, half) = (r.atanh(), NORMAL / ((n - 3) as f64).sqrt());
    ((z - half).tanh(), (z + half).tanh())
}

/// The distance of two languages' means through the root mean square distance of items from
/// their own language's mean. The square of the first is the mean inner product of two
/// different items' differences, which is unbiased.
pub(super) fn centroid(a: &LanguageCloud, b: &LanguageCloud) -> Option<JackknifeEstimate> {
    if !a.varies() && !b.varies() {
        return None;
    }
    let n = a.len();
    let between: Vec<f64> = a.mean.iter().zip(&b.mean).map(|(a, b)| a - b).collect();
    let apart = dot(&between, &between);
    // of each item's difference x - y: its square, and its product with the mean difference
    let (mut squares, mut along) = (Vec::with_capacity(n), Vec::with_capacity(n));
    for (item, (x, y)) in a.rows().zip(b.rows()).enumerate() {
        let around = a.square(item) + b.square(item) - 2.0 * dot(x, y);
        let with = dot(x, &between) - dot(y, &between);
        squares.push(apart + 2.0 * with + around);
        along.push(apart + with);
    }
    let spreads: Vec<f64> = (0..n).map(|item| a.square(item) + b.square(item)).collect();
    let (all, spread) = (squares.iter().sum::<f64>(), spreads.iter().sum::<f64>());
    let count = n as f64;
    let whole = count * count * apart;
    let without = (0..n).map(|item| {
        let sum = whole - 2.0 * count * along[item] + squares[item];
        squared_distance(
            sum,
            all - squares[item],
            spread - count / (count - 1.0) * spreads[item],
            count - 1.0,
        )
    });
    JackknifeEstimate::new(
        squared_distance(whole, all, spread, count),
        without.collect(),
        Scale::Square,
    )
}

/// The squared distance of the means of `n` items in units of the items' own: `sum` is the square
/// of the summed differences, `squares` the sum of their squares, `spread` that of the deviations.
fn squared_distance(sum: f64, squares: f64, spread: f64, n: f64) -> f64 {
    (sum - squares) / (n * (n - 1.0)) / (spread / (2.0 * (n - 1.0)))
}

/// A regression on the logarithms of both lengths, whose difference is the length ratio of
/// arXiv 2605.07345.
pub(super) struct Lengths {
    /// Orthonormal axes (n) without the mean: at most two.
    pub(super) axes: Vec<Vec<f64>>,
    /// (n), what is explained, without its mean.
    pub(super) deviations: Vec<f64>,
    /// Sum of its squares.
    pub(super) total: f64,
}

impl Lengths {
    /// `None` where neither the lengths nor the cosines vary, or one of both does not.
    pub(super) fn new(a: &LanguageCloud, b: &LanguageCloud, parallel: &[f64]) -> Option<Self> {
        let mut axes: Vec<Vec<f64>> = Vec::new();
        for lengths in [&a.lengths, &b.lengths] {
            let Some((whole, mut deviations)) = spread(lengths) else {
                continue;
            };
            for axis in &axes {
                let along = dot(axis, &deviations);
                deviations
                    .iter_mut()
                    .zip(axis)
                    .for_each(|(value, axis)| *value -= along * axis);
            }
            let left = dot(&deviations, &deviations);
            if left > ROUNDING * whole {
                axes.push(deviations.iter().map(|value| value / left.sqrt()).collect());
            }
        }
        let (total, deviations) = spread(parallel)?;
        (!axes.is_empty()).then_some(Self {
            axes,
            deviations,
            total,
        })
    }

    /// Squares explained of values in the order `order`.
    pub(super) fn explained(&self, order: impl Fn(usize) -> usize) -> f64 {
        let squares = self.axes.iter().map(|axis| {
            let along = axis.iter().enumerate();
            let along: f64 = along
                .map(|(at, axis)| axis * self.deviations[order(at)])
                .sum();
            along.powi(2)
        });
        squares.sum()
    }

    /// The share explained, adjusted for what as many unrelated regressors would explain
    /// (Ezekiel 1930).
    pub(super) fn estimate(&self) -> Option<JackknifeEstimate> {
        let (n, k) = (self.deviations.len() as f64, self.axes.len() as f64);
        let fitted: Vec<f64> = self
            .axes
            .iter()
            .map(|axis| dot(axis, &self.deviations))
            .collect();
        let left = self.total - fitted.iter().map(|along| along * along).sum::<f64>();
        let without = (0..self.deviations.len()).map(|item| {
            let axes = self.axes.iter().map(|axis| axis[item]);
            let hold = 1.0 / n + axes.clone().map(|axis| axis.powi(2)).sum::<f64>();
            let value: f64 = axes.zip(&fitted).map(|(axis, along)| axis * along).sum();
            let error = self.deviations[item] - value;
            // an item that alone decides an axis is on the line whatever it is
            let own = if 1.0 - hold > ROUNDING {
                error * error / (1.0 - hold)
            } else {
                0.0
            };
            let total = self.total - n / (n - 1.0) * self.deviations[item].powi(2);
            adjusted_share((left - own).max(0.0), total, n - 1.0, k)
        });
        // the variance of the adjusted share of a normal that the regressors do not explain
        let least = 2.0 * k / ((n + 1.0) * (n - k - 1.0));
        JackknifeEstimate::new(
            adjusted_share(left.max(0.0), self.total, n, k),
            without.collect(),
            Scale::Adjusted { least },
        )
    }
}

/// The share that `k` regressors explain of the squares `total` of `n` items, of which `left` are
/// left, adjusted.
fn adjusted_share(left: f64, total: f64, n: f64, k: f64) -> f64 {
    1.0 - left / total * (n - 1.0) / (n - k - 1.0)
}
