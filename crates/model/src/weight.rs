//! A frozen matrix (out, in) as the product wants it: packed for the CPU's kernel when it is
//! loaded, or a tensor elsewhere.

use candle_core::{DType, Device, Tensor};
use half::bf16;
use rayon::prelude::*;

use crate::{
    error::{ModelError, Result},
    ops::cpu::{
        panels::Panels,
        view::{self, View},
    },
    profile::{Op, enter},
    quantised::Blocks,
};

/// A frozen weight; its values never change and have no gradient.
pub struct Weight(Kind);

enum Kind {
    /// Packed, on the CPU.
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
                Panels::from_f32(View::<f32>::new(&tensor, "weight")?.slice(), out, inner)
            }
            (Device::Cpu, DType::BF16) => {
                Panels::from_bf16(View::<bf16>::new(&tensor, "weight")?.slice(), out, inner)
            }
            _ => return Ok(Self(Kind::Tensor(tensor))),
        };
        Ok(Self(Kind::Panels(panels)))
    }

    /// Keeps quantised blocks as they are, on the CPU; products decode them by piece.
    pub(crate) fn from_blocks(blocks: Blocks) -> Self {
        Self(Kind::Panels(Panels::from_blocks(blocks)))
    }

    /// (out, in)
    pub fn dims(&self) -> (usize, usize) {
        match &self.0 {
            Kind::Panels(panels) => (panels.out(), panels.inner()),
            Kind::Tensor(tensor) => tensor.dims2().unwrap_or_default(),
        }
    }

    /// Bytes of the values, in memory or in their mapped file.
    pub(crate) fn bytes(&self) -> usize {
        match &self.0 {
            Kind::Panels(panels) => panels.bytes(),
            Kind::Tensor(tensor) => tensor.elem_count() * tensor.dtype().size_in_bytes(),
        }
    }

    /// The packed values; fails for a weight that the fused ops do not take.
    pub(crate) fn panels(&self, op: &'static str) -> Result<&Panels> {
        match &self.0 {
            Kind::Panels(panels) => Ok(panels),
            Kind::Tensor(tensor) => Err(ModelError::op(
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
            Kind::Tensor(tensor) => Ok(tensor),
            Kind::Panels(_) => Err(ModelError::op(
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
            Kind::Tensor(tensor) => Ok(tensor
                .index_select(&Tensor::new(ids, device)?, 0)?
                .to_dtype(DType::F32)?),
            Kind::Panels(panels) => {
                let mut values = view::unfilled(ids.len() * inner);
                values
                    .par_chunks_mut(inner.max(1))
                    .zip(ids)
                    .for_each(|(values, &id)| panels.row(id as usize, values));
                view::tensor(values, (ids.len(), inner))
            }
        }
    }
}
