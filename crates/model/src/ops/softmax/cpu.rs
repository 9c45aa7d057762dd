//! `softmax` by the CPU's kernels.

use candle_core::Tensor;

use crate::{
    error::Result,
    ops::view::{self, floats},
};

/// As [`super::softmax`].
pub(super) fn softmax(x: &Tensor) -> Result<Tensor> {
    let (rows, width) = x.dims2()?;
    let y = kernels::softmax::softmax(&floats(x, "softmax")?, width);
    view::tensor(y, (rows, width))
}

/// As [`super::log_softmax`].
pub(super) fn log_softmax(x: &Tensor) -> Result<Tensor> {
    let (rows, width) = x.dims2()?;
    let y = kernels::softmax::log_softmax(&floats(x, "log_softmax")?, width);
    view::tensor(y, (rows, width))
}
