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
