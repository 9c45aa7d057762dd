//! `rms_norm`: y = x / sqrt(mean(x²) + eps) · weight (arXiv 1910.07467). Backward recomputes the root from the input.

use candle_core::{D, Tensor};
use rayon::prelude::*;

use super::{
    check_shapes,
    cpu::{
        math,
        view::{self, View},
    },
};
use crate::error::Result;

/// `x` (N, E), `weight` (E) -> (N, E).
pub fn forward(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    let (rows, width) = x.dims2()?;
    check_shapes("rms_norm", weight.dims() == [width], &[x, weight])?;
    if !view::is_fused(x) {
        return forward_composed(x, weight, eps);
    }
    let (xs, ws) = (View::<f32>::new(x, "rms_norm")?, View::<f32>::new(weight, "norm weight")?);
    let mut y = vec![0.0; rows * width];
    y.par_chunks_mut(width).zip(xs.slice().par_chunks(width)).for_each(|(y, x)| {
        let inverse = inverse_root(x, eps);
        for ((y, x), w) in y.iter_mut().zip(x).zip(ws.slice()) {
            *y = x * inverse * w;
        }
    });
    view::tensor(y, (rows, width))
}

/// [`forward`] of candle operations.
pub fn forward_composed(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    let root = (x.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?; // (N, 1)
    Ok(x.broadcast_div(&root)?.broadcast_mul(&weight.to_dtype(x.dtype())?)?)
}

/// Gradient of the rows. With g = dy · weight and r the inverse root: dx = r g - x r³ mean(g x).
pub fn backward(x: &Tensor, weight: &Tensor, eps: f64, dy: &Tensor) -> Result<Tensor> {
    let (rows, width) = x.dims2()?;
    check_shapes("rms_norm", weight.dims() == [width] && dy.shape() == x.shape(), &[x, weight, dy])?;
    if !view::is_fused(dy) {
        return backward_composed(x, weight, eps, dy);
    }
    let (xs, ws) = (View::<f32>::new(x, "rms_norm")?, View::<f32>::new(weight, "norm weight")?);
    let dys = View::<f32>::new(dy, "rms_norm gradient")?;
    let mut dx = vec![0.0; rows * width];
    let inputs = xs.slice().par_chunks(width).zip(dys.slice().par_chunks(width));
    dx.par_chunks_mut(width).zip(inputs).for_each(|(dx, (x, dy))| {
        let inverse = inverse_root(x, eps);
        for ((d, dy), w) in dx.iter_mut().zip(dy).zip(ws.slice()) {
            *d = dy * w;
        }
        let slope = math::dot(dx, x) / width as f32 * inverse * inverse * inverse;
        for (d, x) in dx.iter_mut().zip(x) {
            *d = *d * inverse - x * slope;
        }
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
