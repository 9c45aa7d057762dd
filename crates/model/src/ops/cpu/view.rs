//! A candle tensor on the CPU seen as a slice, and back. The only place that knows candle's storage.

use std::{marker::PhantomData, ops::Range};

use candle_core::{DType, Device, Storage, Tensor, WithDType};

use parking_lot::RwLockReadGuard;

use crate::error::ModelError;

/// A contiguous CPU tensor as a slice; holds the storage's read lock.
pub(crate) struct View<'a, T> {
    guard: RwLockReadGuard<'a, Storage>,
    range: Range<usize>,
    kind: PhantomData<T>,
}

impl<'a, T: WithDType> View<'a, T> {
    /// Fails if `tensor` is not on the CPU, not contiguous or of another dtype.
    pub(crate) fn new(tensor: &'a Tensor, op: &'static str) -> Result<Self, ModelError> {
        let (guard, layout) = tensor.storage_and_layout();
        let refuse =
            |why: &str| ModelError::Op { op, problem: format!("{why}: {:?} {:?}", tensor.shape(), tensor.dtype()) };
        let (start, end) = layout.contiguous_offsets().ok_or_else(|| refuse("not contiguous"))?;
        match &*guard {
            Storage::Cpu(storage) => storage.as_slice::<T>().map_err(ModelError::candle(op))?,
            _ => return Err(refuse("not on the CPU")),
        };
        Ok(Self { guard, range: start..end, kind: PhantomData })
    }

    /// The values, row after row.
    pub(crate) fn slice(&self) -> &[T] {
        match &*self.guard {
            Storage::Cpu(storage) => storage.as_slice::<T>().map_or(&[], |all| &all[self.range.clone()]),
            _ => &[],
        }
    }
}

/// Whether the fused CPU versions take this tensor.
pub(crate) fn is_fused(tensor: &Tensor) -> bool {
    tensor.device().is_cpu() && tensor.dtype() == DType::F32
}

/// An f32 tensor of `shape` over `values`, without a copy.
pub(crate) fn tensor(values: Vec<f32>, shape: impl Into<candle_core::Shape>) -> Result<Tensor, ModelError> {
    Tensor::from_vec(values, shape, &Device::Cpu).map_err(ModelError::candle("tensor"))
}

/// `n` values that the caller writes, all of them, before anything reads them: what came before them in memory, or NaN
/// where debug assertions are on. Filling every output with zeros first costs a tenth of a step.
pub(crate) fn unfilled(n: usize) -> Vec<f32> {
    if cfg!(debug_assertions) {
        return vec![f32::NAN; n];
    }
    let mut values = Vec::with_capacity(n);
    // SAFETY: the capacity is there, any bits are an f32, and every op writes its whole output before it hands it on
    // (the tests run with debug assertions, where what is not written is NaN).
    #[allow(clippy::uninit_vec)]
    unsafe {
        values.set_len(n);
    }
    values
}
