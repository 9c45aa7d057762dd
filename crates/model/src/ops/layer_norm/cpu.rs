//! `layer_norm` by the CPU's kernels.

use candle_core::Tensor;
use kernels::layer_norm;

use crate::{
    error::Result,
    ops::view::{self, floats, floats_if},
};

/// As [`super::forward`].
pub(super) fn forward(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    let width = weight.dims2()?.1;
    let weight = floats(weight, "norm weight")?;
    let y = layer_norm::forward(&floats(x, "layer_norm")?, &weight, width, eps);
    view::tensor(y, x.shape())
}

/// As [`super::backward`].
pub(super) fn backward(
    x: &Tensor,
    weight: &Tensor,
    eps: f64,
    dy: &Tensor,
    start: Option<&Tensor>,
) -> Result<Tensor> {
    let start = floats_if(start, "layer_norm")?;
    let dx = layer_norm::backward(
        &floats(x, "layer_norm")?,
        &floats(weight, "norm weight")?,
        weight.dims2()?.1,
        eps,
        &floats(dy, "layer_norm gradient")?,
        start.as_deref(),
    );
    view::tensor(dx, x.shape())
}
