//! `rms_norm` by the CPU's kernels.

use candle_core::Tensor;
use kernels::rms_norm;

use crate::{
    error::Result,
    ops::view::{self, floats, floats_if},
};

/// As [`super::forward`].
pub(super) fn forward(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    let weight = floats(weight, "norm weight")?;
    let y = rms_norm::forward(&floats(x, "rms_norm")?, &weight, eps);
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
    let start = floats_if(start, "rms_norm")?;
    let dx = rms_norm::backward(
        &floats(x, "rms_norm")?,
        &floats(weight, "norm weight")?,
        eps,
        &floats(dy, "rms_norm gradient")?,
        start.as_deref(),
    );
    view::tensor(dx, x.shape())
}
