//! `dora`: what an adapter with magnitudes makes of a projection's product, y = u · m / ‖w‖ + b
//! (arXiv 2402.09353, Eq. 5). The lengths ‖w‖ of the merged weight's rows follow from the adapter,
//! but have no gradient (section 4.3).

pub mod composed;
mod cpu;

use candle_core::Tensor;

use super::{Backend, check_shapes};
use crate::{
    error::Result,
    profile::{Op, enter},
};

/// `product` (N, out) · `factor` (out) + `bias` (out) + `residual` (N, out) -> (N, out).
pub fn forward(
    product: &Tensor,
    factor: &Tensor,
    bias: Option<&Tensor>,
    residual: Option<&Tensor>,
) -> Result<Tensor> {
    let _running = enter(Op::Lora, 0);
    let (_, width) = product.dims2()?;
    let fit = factor.dims() == [width]
        && bias.is_none_or(|bias| bias.dims() == [width])
        && residual.is_none_or(|residual| residual.shape() == product.shape());
    check_shapes("dora", fit, &[product, factor])?;
    match Backend::of(product) {
        Backend::Cpu => cpu::forward(product, factor, bias, residual),
        Backend::Composed => composed::forward(product, factor, bias, residual),
    }
}

/// Gradients of the product (N, out) and of the factor (out) for `dy` (N, out).
pub fn backward(product: &Tensor, factor: &Tensor, dy: &Tensor) -> Result<(Tensor, Tensor)> {
    let _running = enter(Op::LoraBackward, 0);
    let (_, width) = product.dims2()?;
    let fit = factor.dims() == [width] && dy.shape() == product.shape();
    check_shapes("dora", fit, &[product, factor, dy])?;
    match Backend::of(dy) {
        Backend::Cpu => cpu::backward(product, factor, dy),
        Backend::Composed => composed::backward(product, factor, dy),
    }
}
