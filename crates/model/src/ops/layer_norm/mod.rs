//! `layer_norm` without bias: y = c / sqrt(mean(c²) + eps) · weight with c = x - mean(x) (arXiv
//! 1607.06450). Backward recomputes mean and root from the input.

pub mod composed;
mod cpu;

use candle_core::Tensor;

use super::{Backend, check_shapes};
use crate::{
    error::Result,
    profile::{Op, enter},
};

/// `x` (N, K · W), `weight` (K, W) -> (N, K · W): each of a row's K pieces is normed by itself,
/// with its own row of the weight.
pub fn forward(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    let _running = enter(Op::LayerNorm, 0);
    check(x, weight, &[])?;
    match Backend::of(x) {
        Backend::Cpu => cpu::forward(x, weight, eps),
        Backend::Composed => composed::forward(x, weight, eps),
    }
}

/// Gradient of the rows, and `start` added to it: the residual stream's own. With g = dy · weight
/// and r the inverse root: d = r g - c r³ mean(g c), and dx = d - mean(d).
pub fn backward(
    x: &Tensor,
    weight: &Tensor,
    eps: f64,
    dy: &Tensor,
    start: Option<&Tensor>,
) -> Result<Tensor> {
    let _running = enter(Op::LayerNormBackward, 0);
    let others: Vec<&Tensor> = std::iter::once(dy).chain(start).collect();
    check(x, weight, &others)?;
    match Backend::of(dy) {
        Backend::Cpu => cpu::backward(x, weight, eps, dy, start),
        Backend::Composed => composed::backward(x, weight, eps, dy, start),
    }
}

fn check(x: &Tensor, weight: &Tensor, like_x: &[&Tensor]) -> Result<()> {
    let (_, width) = x.dims2()?;
    let fit = weight.dims2().is_ok_and(|(k, w)| k * w == width && w > 0)
        && like_x.iter().all(|other| other.shape() == x.shape());
    let all: Vec<&Tensor> = [x, weight]
        .into_iter()
        .chain(like_x.iter().copied())
        .collect();
    check_shapes("layer_norm", fit, &all)
}
