//! The project's own operations over flat rows, each a pair of plain functions: `forward` and a written-out `backward`.
//!
//! Every op has a fused CPU version (f32 slices, all cores) and one composed of candle operations, which runs on every
//! other device and is the yardstick in tests, where candle's autograd and finite differences in f64 check the backward.
//! A frozen weight has no gradient and none is computed. f32 accumulation everywhere.

pub mod add;
pub mod attend;
pub mod cross_entropy;
pub mod linear;
pub mod lora;
pub mod rms_norm;
pub mod rope;
pub mod softmax;
pub mod swiglu;

pub(crate) mod cpu;
