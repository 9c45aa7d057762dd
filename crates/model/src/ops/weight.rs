//! A frozen matrix (out, in) as the product wants it: packed for the CPU's kernel when it is
//! loaded, or a tensor elsewhere.

use candle_core::{DType, Device, Tensor};
use half::bf16;
use kernels::{Panels, quantised::Blocks};

use super::view::{self, View};
use crate::{
    error::{ModelError, Result},
    profile::{Op, enter},
};

/// A frozen weight; its values never change and have no gradient.
pub struct Weight(WeightForm);

/// A backend's own form of the values.
enum WeightForm {
    /// Packed for the CPU's kernels.
    Panels(Panels),
    /// As it is: on other devices, and where rows are not f32.
    Tensor(Tensor),
}

impl Weight {
    /// Packs a CPU tensor (out, in) of f32 or bf16; any other stays as it is.
    ///
    /// # Errors
    /// It has not two dimensions, or is not contiguous.
    pub fn new(tensor: Tensor) -> Result<Self> {
        let (out, inner) = tensor.dims2()?;
        let panels = match (tensor.device(), tensor.dtype()) {
            (Device::Cpu, DType::F32) => {
                Panels::from_f32(&view::floats(&tensor, "weight")?, out, inner)
            }
            (Device::Cpu, DType::BF16) => {
                Panels::from_bf16(&View::<bf16>::new(&tensor, "weight")?, out, inner)
            }
            _ => return Ok(Self(WeightForm::Tensor(tensor))),
        };
        Ok(Self(WeightForm::Panels(panels)))
    }

    /// Keeps quantised blocks as they are, on the CPU; products decode them by piece.
    pub(crate) fn from_blocks(blocks: Blocks) -> Self {
        Self(WeightForm::Panels(Panels::from_blocks(blocks)))
    }

    /// (out, in)
    pub fn dims(&self) -> (usize, usize) {
        match &self.0 {
            WeightForm::Panels(panels) => (panels.out(), panels.inner()),
            WeightForm::Tensor(tensor) => tensor.dims2().unwrap_or_default(),
        }
    }

    /// Bytes of the values, in memory or in their mapped file.
    pub(crate) fn bytes(&self) -> usize {
        match &self.0 {
            WeightForm::Panels(panels) => panels.bytes(),
            WeightForm::Tensor(tensor) => tensor.elem_count() * tensor.dtype().size_in_bytes(),
        }
    }

    /// The packed values.
    ///
    /// # Errors
    /// It is a tensor, which the kernels do not take.
    pub(crate) fn panels(&self, op: &'static str) -> Result<&Panels> {
        match &self.0 {
            WeightForm::Panels(panels) => Ok(panels),
            WeightForm::Tensor(tensor) => Err(ModelError::op(
                op,
                format!(
                    "weight of {:?} on {:?}; f32 or bf16",
                    tensor.dtype(),
                    tensor.device()
                ),
            )),
        }
    }

    /// The values as a tensor, for the composed ops.
    ///
    /// # Errors
    /// It was packed: the composed ops run where nothing is.
    pub(crate) fn tensor(&self, op: &'static str) -> Result<&Tensor> {
        match &self.0 {
            WeightForm::Tensor(tensor) => Ok(tensor),
            WeightForm::Panels(_) => Err(ModelError::op(
                op,
                "the weight is packed for f32 rows on the CPU",
            )),
        }
    }

    /// Rows `ids` of the weight in f32: (n, in). What an embedding looks up; every id is below
    /// `out`.
    pub(crate) fn rows(&self, ids: &[u32], device: &Device) -> Result<Tensor> {
        let _running = enter(Op::Embed, 0);
        let inner = self.dims().1;
        match &self.0 {
            WeightForm::Tensor(tensor) => Ok(tensor
                .index_select(&Tensor::new(ids, device)?, 0)?
                .to_dtype(DType::F32)?),
            WeightForm::Panels(panels) => view::tensor(panels.rows(ids), (ids.len(), inner)),
        }
    }
}
