//! `rms_norm`: y = x / sqrt(mean(x²) + eps) · weight (arXiv 1910.07467). Backward recomputes
//! the root from the input.

pub mod composed;
mod cpu;

use candle_core::Tensor;

use super::{Backend, check_shapes};
use crate::{
    error::Result,
    profile::{Op, enter},
};

/// `x` (N, E), `weight` (E) -> (N, E).
pub fn forward(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    let _running = enter(Op::RmsNorm, 0);
    let (_, width) = x.dims2()?;
    check_shapes("rms_norm", weight.dims() == [width], &[x, weight])?;
    match Backend::of(x) {
        Backend::Cpu => cpu::forward(x, weight, eps),
        Backend::Composed => composed::forward(x, weight, eps),
    }
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
    let (_, width) = x.dims2()?;
    check_shapes(
        "rms_norm",
        weight.dims() == [width] && dy.shape() == x.shape(),
        &[x, weight, dy],
    )?;
    if let Some(start) = start {
        check_shapes("rms_norm", start.shape() == x.shape(), &[x, start])?;
    }
    match Backend::of(dy) {
        Backend::Cpu => cpu::backward(x, weight, eps, dy, start),
        Backend::Composed => composed::backward(x, weight, eps, dy, start),
    }
}
