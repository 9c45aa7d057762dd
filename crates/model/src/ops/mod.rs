//! The project's own operations over flat rows, each a pair of plain functions: `forward` and a
//! written-out `backward`.
//!
//! Every op is a folder. `mod.rs` has the signatures, the shape checks, the profile's entry and
//! the one place that chooses between the versions (`Backend`); `cpu.rs` shows the tensors as
//! slices to the crate `kernels`; `composed.rs` is made of candle operations, runs on every other
//! device and is the yardstick in tests, where candle's autograd and finite differences in f64
//! check the backward. A version for another device is one more file and one more arm.
//!
//! A frozen weight has no gradient and none is computed. f32 accumulation everywhere.

pub mod add;
pub mod attend;
mod backend;
pub mod cross_entropy;
pub mod divergence;
pub mod dora;
pub mod gated;
pub mod glu;
pub mod layer_norm;
pub mod linear;
pub mod logit_cap;
pub mod lora;
pub mod rms_norm;
pub mod rope;
pub mod softmax;
pub(crate) mod view;
pub(crate) mod weight;
pub mod xielu;

use candle_core::Tensor;

use crate::error::{ModelError, Result};
use backend::Backend;

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
