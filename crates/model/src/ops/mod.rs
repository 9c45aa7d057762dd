//! The project's own operations over flat rows, each a pair of plain functions: `forward` and a
//! written-out `backward`.
//!
//! Every op has a fused CPU version (f32 slices, all cores) and one composed of candle
//! operations, which runs on every other device and is the yardstick in tests, where candle's
//! autograd and finite differences in f64 check the backward. A frozen weight has no gradient
//! and none is computed. f32 accumulation everywhere.

pub mod add;
pub mod attend;
pub mod cross_entropy;
pub mod divergence;
pub mod gated;
pub mod linear;
pub mod lora;
pub mod rms_norm;
pub mod rope;
pub mod softmax;
pub mod swiglu;

pub(crate) mod cpu;

use candle_core::Tensor;

use crate::error::{ModelError, Result};

/// Fails with the shapes of `tensors` unless they fit `op`.
fn check_shapes(op: &'static str, fit: bool, tensors: &[&Tensor]) -> Result<()> {
    if fit {
        return Ok(());
    }
    let shapes: Vec<String> = tensors.iter().map(|t| format!("{:?}", t.shape())).collect();
    Err(ModelError::op(
        op,
        format!("shapes {} do not fit together", shapes.join(", ")),
    ))
}
