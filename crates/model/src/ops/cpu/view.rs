//! A candle tensor on the CPU seen as a slice, and back. The only place that knows candle's
//! storage.

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
        let refuse = |why: &str| ModelError::Op {
            op,
            problem: format!("{why}: {:?} {:?}", tensor.shape(), tensor.dtype()),
        };
        let (start, end) = layout
            .contiguous_offsets()
            .ok_or_else(|| refuse("not contiguous"))?;
        match &*guard {
            Storage::Cpu(storage) => storage.as_slice::<T>().map_err(ModelError::candle(op))?,
            _ => return Err(refuse("not on the CPU")),
        };
        Ok(Self {
            guard,
            range: start..end,
            kind: PhantomData,
        })
    }

    /// The values, row after row.
    pub(crate) fn slice(&self) -> &[T] {
        match &*self.guard {
            Storage::Cpu(storage) => storage
                .as_slice::<T>()
                .map_or(&[], |all| &all[self.range.clone()]),
            _ => &[],
        }
    }
}

/// Shows `read` the values of `tensor` in f32, row-major; in their place where they lie so on
/// the CPU, else a copy.
///
/// # Errors
/// The values cannot be copied.
pub fn with_values<T>(tensor: &Tensor, read: impl FnOnce(&[f32]) -> T) -> Result<T, ModelError> {
    if is_fused(tensor) && tensor.is_contiguous() {
        return Ok(read(View::<f32>::new(tensor, "values")?.slice()));
    }
    let copy = tensor
        .to_device(&Device::Cpu)
        .and_then(|t| t.to_dtype(DType::F32)?.flatten_all()?.to_vec1());
    Ok(read(&copy.map_err(ModelError::candle("values"))?))
}

/// Whether the fused CPU versions take this tensor.
pub(crate) fn is_fused(tensor: &Tensor) -> bool {
    tensor.device().is_cpu() && tensor.dtype() == DType::F32
}

/// An f32 tensor of `shape` over `values`, without a copy.
pub(crate) fn tensor(
    values: Vec<f32>,
    shape: impl Into<candle_core::Shape>,
) -> Result<Tensor, ModelError> {
    Tensor::from_vec(values, shape, &Device::Cpu).map_err(ModelError::candle("tensor"))
}

/// What any bits are a value of.
///
/// # Safety
/// Every pattern of bits must be one.
pub(crate) unsafe trait AnyBits: Copy {
    /// Stands where nothing was written, and makes what is computed of it NaN.
    const UNWRITTEN: Self;
}

// SAFETY: any bits are an f32.
unsafe impl AnyBits for f32 {
    const UNWRITTEN: Self = Self::NAN;
}

/// `n` values that the caller writes, all of them, before anything reads them: what came before
/// them in memory, or NaN where debug assertions are on. Filling every output with zeros first
/// costs a tenth of a step.
pub(crate) fn unfilled<T: AnyBits>(n: usize) -> Vec<T> {
    if cfg!(debug_assertions) {
        return vec![T::UNWRITTEN; n];
    }
    let mut values = Vec::with_capacity(n);
    // SAFETY: the capacity is there, any bits are a value, and every op writes its whole output
    // before it hands it on (the tests run with debug assertions, where what is not written is
    // NaN).
    #[allow(clippy::uninit_vec)]
    unsafe {
        values.set_len(n);
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_row_after_row_whatever_the_tensor() {
        let x = tensor((0..6_u8).map(f32::from).collect(), (2, 3)).expect("a tensor");
        let shown = |x: &Tensor| with_values(x, <[f32]>::to_vec).expect("shown");
        assert_eq!(shown(&x), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(shown(&x.narrow(0, 1, 1).expect("a row")), [3.0, 4.0, 5.0]);
        assert_eq!(
            shown(&x.narrow(1, 1, 2).expect("columns")),
            [1.0, 2.0, 4.0, 5.0]
        );
        assert_eq!(
            shown(&x.t().expect("turned")),
            [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]
        );
        assert_eq!(
            shown(&x.to_dtype(DType::BF16).expect("bf16")),
            [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
        );
        let place = View::<f32>::new(&x, "test")
            .expect("a view")
            .slice()
            .as_ptr();
        assert_eq!(
            with_values(&x, |values| values.as_ptr()).expect("shown"),
            place,
            "no copy"
        );
    }
}
