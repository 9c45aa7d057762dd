//! `dora` by the CPU's kernels.

use candle_core::Tensor;
use kernels::dora;

use crate::{
    error::Result,
    ops::view::{self, floats, floats_if},
};

/// As [`super::forward`].
pub(super) fn forward(
    product: &Tensor,
    factor: &Tensor,
    bias: Option<&Tensor>,
    residual: Option<&Tensor>,
) -> Result<Tensor> {
    let (bias, residual) = (floats_if(bias, "dora")?, floats_if(residual, "dora")?);
    let y = dora::forward(
        &floats(product, "dora")?,
        &floats(factor, "dora")?,
        bias.as_deref(),
        residual.as_deref(),
    );
    view::tensor(y, product.shape())
}

/// As [`super::backward`].
pub(super) fn backward(product: &Tensor, factor: &Tensor, dy: &Tensor) -> Result<(Tensor, Tensor)> {
    let (d_product, d_factor) = dora::backward(
        &floats(product, "dora")?,
        &floats(factor, "dora")?,
        &floats(dy, "dora gradient")?,
    );
    Ok((
        view::tensor(d_product, product.shape())?,
        view::tensor(d_factor, factor.shape())?,
    ))
}
