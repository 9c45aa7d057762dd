//! Which version of an op runs. Never here: an op.

use candle_core::{DType, Tensor};

/// The versions of an op.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    /// The crate `kernels`: f32 rows on the CPU.
    Cpu,
    /// candle's operations: every other device, and every other dtype of rows.
    Composed,
}

impl Backend {
    /// The version that takes these rows.
    pub(crate) fn of(rows: &Tensor) -> Self {
        if rows.device().is_cpu() && rows.dtype() == DType::F32 {
            Self::Cpu
        } else {
            Self::Composed
        }
    }
}
