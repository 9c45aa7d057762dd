//! What the fused CPU versions of the ops are made of: slices of tensors, one matrix product, vectorised functions.

pub(crate) mod gemm;
pub(crate) mod math;
pub(crate) mod tile;
pub(crate) mod view;
