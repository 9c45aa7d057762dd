//! `xielu` by the CPU's kernels.

use candle_core::Tensor;
use kernels::xielu::{self, Xielu};

use crate::{
    error::Result,
    ops::view::{self, floats},
};

/// As [`super::forward`].
pub(super) fn forward(xielu: &Xielu, x: &Tensor) -> Result<Tensor> {
    view::tensor(xielu::forward(xielu, &floats(x, "xielu")?), x.shape())
}

/// As [`super::backward`].
pub(super) fn backward(xielu: &Xielu, x: &Tensor, dy: &Tensor) -> Result<Tensor> {
    let dx = xielu::backward(xielu, &floats(x, "xielu")?, &floats(dy, "xielu gradient")?);
    view::tensor(dx, x.shape())
}
