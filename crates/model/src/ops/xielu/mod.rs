//! `xielu`: the activation of an mlp without a gate (arXiv 2411.13010): p x² + b x above 0, n
//! (e^x - 1 - x) + b x below. The reference cuts the exponential at -1e-6, which moves a value
//! by less than that.

pub mod composed;
mod cpu;

use candle_core::Tensor;

pub use kernels::xielu::Xielu;

use super::{Backend, check_shapes};
use crate::{
    error::Result,
    profile::{Op, enter},
};

/// `x` (N, F) -> (N, F).
pub fn forward(xielu: &Xielu, x: &Tensor) -> Result<Tensor> {
    let _running = enter(Op::Elementwise, 0);
    match Backend::of(x) {
        Backend::Cpu => cpu::forward(xielu, x),
        Backend::Composed => composed::forward(xielu, x),
    }
}

/// Gradient of `x` for `dy`, both (N, F).
pub fn backward(xielu: &Xielu, x: &Tensor, dy: &Tensor) -> Result<Tensor> {
    let _running = enter(Op::Elementwise, 0);
    check_shapes("xielu", x.shape() == dy.shape(), &[x, dy])?;
    match Backend::of(dy) {
        Backend::Cpu => cpu::backward(xielu, x, dy),
        Backend::Composed => composed::backward(xielu, x, dy),
    }
}
