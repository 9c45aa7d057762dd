//! `lora` by the CPU's kernels.

use candle_core::Tensor;
use kernels::lora::{self, FactorGradients};

use super::LoraGradients;
use crate::{
    error::Result,
    ops::view::{self, floats},
};

/// As [`super::forward`].
pub(super) fn forward(x: &Tensor, a: &Tensor, scale: f64) -> Result<Tensor> {
    let (rows, rank) = (x.dims2()?.0, a.dims2()?.0);
    let (x, a) = (floats(x, "lora rows")?, floats(a, "lora_a")?);
    view::tensor(lora::forward(rows, &x, &a, rank, scale), (rows, rank))
}

/// As [`super::backward_low`].
pub(super) fn backward_low(dy: &Tensor, b: &Tensor, scale: f64) -> Result<Tensor> {
    let (rows, rank) = (dy.dims2()?.0, b.dims2()?.1);
    let (dy, b) = (floats(dy, "lora gradient")?, floats(b, "lora_b")?);
    view::tensor(lora::backward_low(rows, &dy, &b, rank, scale), (rows, rank))
}

/// As [`super::raise`].
pub(super) fn raise(d_low: &Tensor, a: &Tensor) -> Result<Tensor> {
    let ((rows, rank), inner) = (d_low.dims2()?, a.dims2()?.1);
    let (d_low, a) = (floats(d_low, "lora low gradient")?, floats(a, "lora_a")?);
    view::tensor(lora::raise(rows, &d_low, &a, rank, inner), (rows, inner))
}

/// As [`super::backward`].
pub(super) fn backward(
    x: &Tensor,
    low: &Tensor,
    d_low: &Tensor,
    dy: &Tensor,
) -> Result<LoraGradients> {
    let ((rows, inner), out, rank) = (x.dims2()?, dy.dims2()?.1, low.dims2()?.1);
    let of = FactorGradients {
        x: &floats(x, "lora rows")?,
        low: &floats(low, "lora low")?,
        d_low: &floats(d_low, "lora low gradient")?,
        dy: &floats(dy, "lora gradient")?,
    };
    let (a, b) = lora::backward(rows, &of, rank, inner, out);
    Ok(LoraGradients {
        a: view::tensor(a, (rank, inner))?,
        b: view::tensor(b, (out, rank))?,
        magnitude: None,
    })
}
