//! A candle tensor on the CPU seen as a slice, and back. The only place that knows candle's
//! storage.

use std::{
    marker::PhantomData,
    ops::{Deref, Range},
};

use candle_core::{DType, Device, Storage, Tensor, WithDType};
use parking_lot::RwLockReadGuard;

use super::backend::Backend;
use crate::error::{ModelError, Result};

/// A contiguous CPU tensor as a slice; holds the storage's read lock.
pub(crate) struct View<'a, T> {
    guard: RwLockReadGuard<'a, Storage>,
    range: Range<usize>,
    kind: PhantomData<T>,
}

impl<'a, T: WithDType> View<'a, T> {
    /// Fails if `tensor` is not on the CPU, not contiguous or of another dtype.
    pub(crate) fn new(tensor: &'a Tensor, op: &'static str) -> Result<Self> {
        let (guard, layout) = tensor.storage_and_layout();
        let refuse = |why: &str| {
            ModelError::op(
                op,
                format!("{why}: {:?} {:?}", tensor.shape(), tensor.dtype()),
            )
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
}

/// The values, row after row.
impl<T: WithDType> Deref for View<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &*self.guard {
            Storage::Cpu(storage) => storage
                .as_slice::<T>()
                .map_or(&[], |all| &all[self.range.clone()]),
            _ => &[],
        }
    }
}

/// A view of f32.
pub(crate) fn floats<'a>(tensor: &'a Tensor, op: &'static str) -> Result<View<'a, f32>> {
    View::new(tensor, op)
}

/// [`floats`] where there is a tensor.
pub(crate) fn floats_if<'a>(
    tensor: Option<&'a Tensor>,
    op: &'static str,
) -> Result<Option<View<'a, f32>>> {
    tensor.map(|tensor| floats(tensor, op)).transpose()
}

/// Shows `read` the values of `tensor` in f32, row-major; in their place where they lie so on
/// the CPU, else a copy.
///
/// # Errors
/// The values cannot be copied.
pub fn with_values<T>(tensor: &Tensor, read: impl FnOnce(&[f32]) -> T) -> Result<T> {
    if Backend::of(tensor) == Backend::Cpu && tensor.is_contiguous() {
        return Ok(read(&floats(tensor, "values")?));
    }
    let copy = tensor
        .to_device(&Device::Cpu)
        .and_then(|t| t.to_dtype(DType::F32)?.flatten_all()?.to_vec1());
    Ok(read(&copy.map_err(ModelError::candle("values"))?))
}

/// An f32 tensor of `shape` over `values`, without a copy.
pub(crate) fn tensor(values: Vec<f32>, shape: impl Into<candle_core::Shape>) -> Result<Tensor> {
    Tensor::from_vec(values, shape, &Device::Cpu).map_err(ModelError::candle("tensor"))
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
        let place = floats(&x, "test").expect("a view").as_ptr();
        assert_eq!(
            with_values(&x, |values| values.as_ptr()).expect("shown"),
            place,
            "no copy"
        );
    }
}
