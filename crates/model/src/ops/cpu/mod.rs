//! What the fused CPU versions of the ops are made of: slices of tensors, matrix products,
//! vectorised functions.

pub(crate) mod gemm;
pub(crate) mod isa;
pub(crate) mod job;
pub(crate) mod math;
pub(crate) mod pairs;
pub(crate) mod panels;
pub(crate) mod product;
mod rounded;
pub(crate) mod tile;
pub(crate) mod transpose;
pub(crate) mod view;
#[cfg(target_arch = "x86_64")]
mod x86;
