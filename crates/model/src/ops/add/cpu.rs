//! `add` by the CPU's kernels.

use candle_core::Tensor;
use kernels::add;

use crate::{
    error::Result,
    ops::view::{self, floats},
};

/// As [`super::forward`].
pub(super) fn forward(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let sum = add::forward(&floats(a, "add")?, &floats(b, "add")?);
    view::tensor(sum, a.shape())
}

/// As [`super::forward_scaled`].
pub(super) fn forward_scaled(a: &Tensor, b: &Tensor, factor: f64) -> Result<Tensor> {
    let sum = add::forward_scaled(&floats(a, "add")?, &floats(b, "add")?, factor as f32);
    view::tensor(sum, a.shape())
}
