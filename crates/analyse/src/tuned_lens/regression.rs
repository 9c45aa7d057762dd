//! Where training starts: the ridge regression of the model's last states on a layer's, in closed
//! form (as arXiv 2303.09435 maps layers). It costs less than an update and takes the place of
//! most of them. Never here: the divergence.

use candle_core::{D, Tensor};
use faer::{MatRef, Side, linalg::solvers::Solve};
use model::{ModelError, ops::lora};

use super::{read_values, typical_size};
use crate::error::AnalyseError;

/// What is added to the variance of every entry of a state, which is 1.
const RIDGE: f64 = 0.01;

/// W (E, E), row-major, and b (E) such that h + W h + b is near the direction of the last state:
/// `rows` (n, E) of a layer, `last` (n, E). The final norm takes the size away, so that a last
/// state's own is not learnt, and the result is as large as the layer's states are.
///
/// # Errors
/// States that are not finite.
pub(super) fn fit(rows: &Tensor, last: &Tensor) -> Result<(Vec<f32>, Vec<f32>), AnalyseError> {
    let (count, width) = rows.dims2()?;
    let centred = Standardised::of(rows)?;
    let sizes = (last.sqr()?.mean_keepdim(D::Minus1)? + f64::from(f32::MIN_POSITIVE))?.sqrt()?;
    let directions = last.broadcast_div(&sizes)?;
    let goals = directions.mean(0)?; // (E)
    let away = directions.broadcast_sub(&goals)?;
    let x = &centred.rows;
    let inner = to_f64(&lora::raise(&x.t()?.contiguous()?, x)?)?; // (E, E)
    let cross = to_f64(&lora::raise(&away.t()?.contiguous()?, x)?)?; // (E out, E in)
    let solved = solve(inner, &cross, count, width).ok_or_else(|| {
        ModelError::NotFinite("the states from which a tuned lens starts".to_owned())
    })?; // (E out, E in)
    let (means, scales, goals) = (
        to_f64(&centred.means)?,
        to_f64(&centred.scales)?,
        to_f64(&goals)?,
    );
    let size = typical_size(rows)?;
    let (mut weight, mut bias) = (Vec::with_capacity(width * width), Vec::new());
    for (row, line) in solved.chunks_exact(width).enumerate() {
        let mut offset = goals[row];
        for (column, value) in line.iter().enumerate() {
            let value = value / scales[column];
            offset -= value * means[column];
            // h itself is added to W h.
            let one = if row == column { 1.0 } else { 0.0 };
            weight.push((size * value - one) as f32);
        }
        bias.push((size * offset) as f32);
    }
    Ok((weight, bias))
}

/// Rows whose entries have mean 0 and variance 1; the few entries that are hundreds of times
/// larger than others would otherwise decide what a ridge is.
struct Standardised {
    rows: Tensor,   // (n, E)
    means: Tensor,  // (E)
    scales: Tensor, // (E)
}

impl Standardised {
    fn of(rows: &Tensor) -> Result<Self, AnalyseError> {
        let means = rows.mean(0)?;
        let away = rows.broadcast_sub(&means)?;
        // An entry that never changes explains nothing: it stays 0.
        let scales = (away.sqr()?.mean(0)?.sqrt()? + f64::from(f32::MIN_POSITIVE))?;
        Ok(Self {
            rows: away.broadcast_div(&scales)?,
            means,
            scales,
        })
    }
}

fn to_f64(tensor: &Tensor) -> Result<Vec<f64>, AnalyseError> {
    Ok(read_values(tensor)?.into_iter().map(f64::from).collect())
}

/// `cross` x (`inner` + ridge)^-1, row-major, of sums over `count` rows; `None` where it is not
/// finite.
fn solve(mut inner: Vec<f64>, cross: &[f64], count: usize, width: usize) -> Option<Vec<f64>> {
    for at in 0..width {
        inner[at * (width + 1)] += RIDGE * count as f64;
    }
    let inner = MatRef::from_row_major_slice(&inner, width, width);
    let factor = inner.llt(Side::Lower).ok()?;
    let cross = MatRef::from_row_major_slice(cross, width, width);
    let solved = factor.solve(cross.transpose()); // (E in, E out)
    let values: Vec<f64> = (0..width)
        .flat_map(|out| solved.col_as_slice(out).iter().copied())
        .collect();
    values
        .iter()
        .all(|value| value.is_finite())
        .then_some(values)
}
