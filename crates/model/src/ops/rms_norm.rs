//! `rms_norm`: y = x / sqrt(mean(x²) + eps) · weight (arXiv 1910.07467). Backward recomputes
//! the root from the input.

use candle_core::{D, Tensor};
use rayon::prelude::*;

use super::{
    check_shapes,
    cpu::{
        math,
        view::{self, View},
    },
};
use crate::{
    error::Result,
    profile::{Op, enter},
};

/// Rows a thread takes at a time.
const ROWS: usize = 16;

/// `x` (N, E), `weight` (E) -> (N, E).
pub fn forward(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    let _running = enter(Op::RmsNorm, 0);
    let (rows, width) = x.dims2()?;
    check_shapes("rms_norm", weight.dims() == [width], &[x, weight])?;
    if !view::is_fused(x) {
        return forward_composed(x, weight, eps);
    }
    let (xs, ws) = (
        View::<f32>::new(x, "rms_norm")?,
        View::<f32>::new(weight, "norm weight")?,
    );
    let mut y = view::unfilled(rows * width);
    y.par_chunks_mut(width)
        .zip(xs.slice().par_chunks(width))
        .with_min_len(ROWS)
        .for_each(|(y, x)| {
            math::scaled_product(x, inverse_root(x, eps), ws.slice(), y);
        });
    view::tensor(y, (rows, width))
}

/// [`forward`] of candle operations.
pub fn forward_composed(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    let root = (x.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?; // (N, 1)
    Ok(x.broadcast_div(&root)?
        .broadcast_mul(&weight.to_dtype(x.dtype())?)?)
}

/// Gradient of the rows, and `start` added to it: the residual stream's own. With g = dy ·
/// weight and r the inverse root: dx = r g - x r³ mean(g x).
pub fn backward(
    x: &Tensor,
    weight: &Tensor,
    eps: f64,
    dy: &Tensor,
    start: Option<&Tensor>,
) -> Result<Tensor> {
    let _running = enter(Op::RmsNormBackward, 0);
    let (rows, width) = x.dims2()?;
    check_shapes(
        "rms_norm",
        weight.dims() == [width] && dy.shape() == x.shape(),
        &[x, weight, dy],
    )?;
    if let Some(start) = start {
        check_shapes("rms_norm", start.shape() == x.shape(), &[x, start])?;
    }
    if !view::is_fused(dy) {
        let dx = backward_composed(x, weight, eps, dy)?;
        return Ok(match start {
            Some(start) => (start + dx)?,
            None => dx,
        });
    }
    let start = start.map(|t| View::<f32>::new(t, "rms_norm")).transpose()?;
    let (xs, ws) = (
        View::<f32>::new(x, "rms_norm")?,
        View::<f32>::new(weight, "norm weight")?,
    );
    let dys = View::<f32>::new(dy, "rms_norm gradient")?;
    let mut dx = view::unfilled(rows * width);
    let inputs = xs
        .slice()
        .par_chunks(width)
        .zip(dys.slice().par_chunks(width));
    dx.par_chunks_mut(width)
        .zip(inputs)
        .enumerate()
        .with_min_len(ROWS)
        .for_each(|(row, (dx, (x, dy)))| {
            math::product(dy, ws.slice(), dx);
            let inverse = inverse_root(x, eps);
            let slope = math::dot(dx, x) / width as f32 * inverse * inverse * inverse;
            let start = start.as_ref().map_or(&[][..], |start| {
                &start.slice()[row * width..(row + 1) * width]
            });
            math::norm_backward(x, start, inverse, slope, dx);
        });
    view::tensor(dx, (rows, width))
}

/// [`backward`] of candle operations.
pub fn backward_composed(x: &Tensor, weight: &Tensor, eps: f64, dy: &Tensor) -> Result<Tensor> {
    let inverse = (x.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?.recip()?; // (N, 1)
    let g = dy.broadcast_mul(&weight.to_dtype(x.dtype())?)?;
    let slope = ((&g * x)?.mean_keepdim(D::Minus1)? * inverse.powf(3.0)?)?; // (N, 1)
    Ok((g.broadcast_mul(&inverse)? - x.broadcast_mul(&slope)?)?)
}

fn inverse_root(x: &[f32], eps: f64) -> f32 {
    1.0 / (math::dot(x, x) / x.len() as f32 + eps as f32).sqrt()
}
