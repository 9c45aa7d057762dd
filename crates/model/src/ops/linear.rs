//! `linear`: rows x frozen weight, plus bias. The weight is frozen, so backward is dx alone and nothing is saved.

use candle_core::{DType, Tensor};
use half::bf16;
use rayon::prelude::*;

use super::{
    check_shapes,
    cpu::{
        gemm::{self, Right, SET, Values},
        view::{self, View},
    },
};
use crate::error::{ModelError, Result};

/// `x` (N, in) x `weight` (out, in)ᵀ + `bias` (out) -> (N, out). With a bf16 weight the rows of x are rounded to bf16 for
/// the product, which accumulates in f32.
pub fn forward(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let ((rows, inner), (out, depth)) = (x.dims2()?, weight.dims2()?);
    check_shapes("linear", inner == depth, &[x, weight])?;
    if let Some(bias) = bias {
        check_shapes("linear: bias", bias.dims() == [out], &[weight, bias])?;
    }
    if !view::is_fused(x) {
        return forward_composed(x, weight, bias);
    }
    let mut y = vec![0.0; rows * out];
    product(x, weight, |values| Right::transposed(values, out, inner), rows, inner, &mut y)?;
    if let Some(bias) = bias {
        let bias = View::<f32>::new(bias, "linear bias")?;
        y.par_chunks_mut(out).for_each(|row| row.iter_mut().zip(bias.slice()).for_each(|(y, b)| *y += b));
    }
    view::tensor(y, (rows, out))
}

/// Gradient of the rows: `dy` (N, out) x `weight` (out, in) -> (N, in).
pub fn backward(dy: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let ((rows, out), (depth, inner)) = (dy.dims2()?, weight.dims2()?);
    check_shapes("linear", out == depth, &[dy, weight])?;
    if !view::is_fused(dy) {
        return Ok(rounded(dy, weight)?.matmul(&weight.to_dtype(dy.dtype())?)?);
    }
    let mut dx = vec![0.0; rows * inner];
    product(dy, weight, |values| Right::plain(values, out, inner), rows, out, &mut dx)?;
    view::tensor(dx, (rows, inner))
}

/// [`forward`] of candle operations, on any device and dtype.
pub fn forward_composed(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let y = rounded(x, weight)?.matmul(&weight.to_dtype(x.dtype())?.t()?)?;
    Ok(match bias {
        Some(bias) => y.broadcast_add(&bias.to_dtype(x.dtype())?)?,
        None => y,
    })
}

/// The rows as a product with this weight sees them.
fn rounded(rows: &Tensor, weight: &Tensor) -> Result<Tensor> {
    if weight.dtype() == DType::BF16 {
        Ok(rows.to_dtype(DType::BF16)?.to_dtype(rows.dtype())?)
    } else {
        Ok(rows.clone())
    }
}

fn product(
    x: &Tensor,
    weight: &Tensor,
    right: impl Fn(Values<'_>) -> Right<'_>,
    rows: usize,
    depth: usize,
    out: &mut [f32],
) -> Result<()> {
    with_weight(x, weight, "linear", |rows_seen, values| {
        gemm::multiply(rows, gemm::rows_of(rows_seen, depth), &right(values), out, SET);
    })
}

/// Calls `run` with the values of a frozen weight, and of `rows` as a product with this weight sees them: rounded to bf16
/// where the weight is.
pub(super) fn with_weight<R>(
    rows: &Tensor,
    weight: &Tensor,
    op: &'static str,
    run: impl FnOnce(&[f32], Values<'_>) -> R,
) -> Result<R> {
    let rows = View::<f32>::new(rows, op)?;
    match weight.dtype() {
        DType::F32 => Ok(run(rows.slice(), Values::F32(View::<f32>::new(weight, op)?.slice()))),
        DType::BF16 => {
            let rounded: Vec<f32> = rows.slice().par_iter().map(|&v| bf16::from_f32(v).to_f32()).collect();
            Ok(run(&rounded, Values::Bf16(View::<bf16>::new(weight, op)?.slice())))
        }
        other => Err(ModelError::op(op, format!("weight of {other:?}; f32 or bf16"))),
    }
}
