//! Lengths of the rows of a weight with its update, ‖w + scale · b A‖, which DoRA divides by
//! (arXiv 2402.09353, Eq. 5). The sum is never made: of a row w with its row b of B the square is
//! w·w + 2 scale b·(A w) + scale² b·(A Aᵀ) b, so an update costs R rows of one product.

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use crate::{
    adapter::LoraWeights,
    error::{ModelError, Result},
    ops::{linear, weight::Weight},
};

/// Rows of the weight that are decoded at once.
const ROWS: usize = 256;

/// w·w of every row of the weight: (out).
pub(crate) fn squares(weight: &Weight, device: &Device) -> Result<Vec<f64>> {
    let out = weight.dims().0;
    let mut squares = Vec::with_capacity(out);
    for start in (0..out).step_by(ROWS) {
        let ids: Vec<u32> = (start..(start + ROWS).min(out))
            .map(|row| row as u32)
            .collect();
        for row in weight.rows(&ids, device)?.to_vec2::<f32>()? {
            squares.push(dot(&row, &row));
        }
    }
    Ok(squares)
}

/// The lengths: (out). `squares` are those of [`squares`].
pub(crate) fn of_sum(squares: &[f64], weight: &Weight, update: &LoraWeights) -> Result<Vec<f32>> {
    let rank = update.a.dims2()?.0;
    let along = linear::forward(&update.a, weight, None)?.to_vec2::<f32>()?; // (R, out)
    let a = update.a.to_vec2::<f32>()?;
    let b = update.b.to_vec2::<f32>()?;
    let gram: Vec<Vec<f64>> = a
        .par_iter()
        .map(|row| a.iter().map(|other| dot(row, other)).collect())
        .collect();
    let scale = update.scale;
    let length = |(row, square): (usize, &f64)| -> f32 {
        let b: Vec<f64> = b[row].iter().map(|&b| f64::from(b)).collect();
        let mixed: f64 = (0..rank).map(|r| b[r] * f64::from(along[r][row])).sum();
        let own: f64 = (0..rank)
            .map(|r| b[r] * b.iter().zip(&gram[r]).map(|(b, g)| b * g).sum::<f64>())
            .sum();
        (square + 2.0 * scale * mixed + scale * scale * own)
            .max(0.0)
            .sqrt() as f32
    };
    Ok(squares.par_iter().enumerate().map(length).collect())
}

fn dot(x: &[f32], y: &[f32]) -> f64 {
    let pairs = x.iter().zip(y);
    pairs.map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
}

/// A projection's magnitudes at work.
pub(crate) struct RowScale {
    /// m / ‖w‖: (out)
    pub(crate) factor: Tensor,
    /// 1 / ‖w‖: (out)
    pub(crate) inverse: Tensor,
}

impl RowScale {
    /// Of the lengths and the magnitudes `m` (out) of a projection, named by `place`.
    ///
    /// # Errors
    /// A row has no length.
    pub(crate) fn new(lengths: &[f32], m: &Tensor, place: &str) -> Result<Self> {
        let is_none = |length: &f32| length.is_nan() || *length <= 0.0;
        if let Some(row) = lengths.iter().position(is_none) {
            let what = format!(
                "row {row} of `{place}` has length {}: DoRA's factor",
                lengths[row]
            );
            return Err(ModelError::NotFinite(what));
        }
        let inverse: Vec<f32> = lengths.iter().map(|length| 1.0 / length).collect();
        let inverse = Tensor::new(inverse, m.device())?;
        Ok(Self {
            factor: (m * &inverse)?,
            inverse,
        })
    }
}
