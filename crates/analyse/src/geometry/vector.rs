//! Sums over vectors of f64: means, inner products and spreads. Never here: what the values are.

/// A variance that is a smaller share of the squares than this is due to rounding.
pub(super) const ROUNDING: f64 = 1e-12;

/// The arithmetic mean; NaN of nothing.
pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The inner product.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Of two vectors, from their inner product and their squared lengths.
pub(super) fn cosine(xy: f64, xx: f64, yy: f64) -> f64 {
    (xy / (xx * yy).sqrt()).clamp(-1.0, 1.0)
}

/// Sum of squares around the mean, and what is squared; `None` where nothing varies by more
/// than rounding.
pub(super) fn spread(values: &[f64]) -> Option<(f64, Vec<f64>)> {
    let centre = mean(values);
    let deviations: Vec<f64> = values.iter().map(|value| value - centre).collect();
    let squares = dot(&deviations, &deviations);
    (squares > ROUNDING * ROUNDING * dot(values, values)).then_some((squares, deviations))
}
