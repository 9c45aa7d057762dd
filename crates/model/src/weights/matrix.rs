//! Large matrices of a model, as tensors or as the quantised blocks they stay in. Never here:
//! norms and biases.

use candle_core::Tensor;
use kernels::quantised::{BlockFormat, Blocks};
use schema::task::Precision;

use super::{Source, WeightFiles};
use crate::{error::Result, projection::Projection};

/// A projection, the embedding or the head.
pub(crate) enum Matrix {
    /// Floats on the model's device.
    Tensor(Tensor),
    /// Quantised values, on the CPU.
    Blocks(Blocks),
}

impl WeightFiles {
    /// The matrix, of shape (out, in) or (V, E), as the model's precision has it.
    ///
    /// # Errors
    /// As [`WeightFiles::take_f32`]; and where blocks would be kept on a device that has no product
    /// with them.
    pub(crate) fn take_matrix(&mut self, name: &str, shape: [usize; 2]) -> Result<Matrix> {
        self.claim(name, &shape)?;
        let blocks = match self.precision {
            Precision::Packed => self.stored_blocks(name)?,
            Precision::Nf4 if is_projection(name) => Some(self.nf4(name, shape)?),
            Precision::F32 | Precision::Bf16 | Precision::Nf4 => None,
        };
        let Some(blocks) = blocks else {
            return self
                .read_tensor(name, &shape, self.dtype(name))
                .map(Matrix::Tensor);
        };
        need_cpu(name, self.precision, crate::device::name(&self.device))
            .map_err(|problem| self.error(name, problem))?;
        Ok(Matrix::Blocks(blocks))
    }

    fn stored_blocks(&self, name: &str) -> Result<Option<Blocks>> {
        match &self.source {
            Source::Folder(shards) => shards.blocks(name),
            Source::Gguf(file) => file.blocks(name),
        }
    }

    /// As stored where that is NF4, else quantised from the stored values.
    fn nf4(&self, name: &str, shape: [usize; 2]) -> Result<Blocks> {
        match self.stored_blocks(name)? {
            Some(blocks) if blocks.format() == BlockFormat::Nf4 => return Ok(blocks),
            Some(blocks) if blocks.format() == BlockFormat::Fp4 => {
                return Err(self.error(
                    name,
                    format!("tensor `{name}` is stored as fp4; use dtype packed"),
                ));
            }
            _ => {}
        }
        let values = self.read(name)?.into_f32();
        Blocks::quantise_nf4(&values, shape.into()).map_err(|problem| {
            self.error(name, format!("tensor `{name}` cannot be NF4: {problem}"))
        })
    }
}

/// Only the CPU has a product with blocks.
fn need_cpu(name: &str, precision: Precision, device: &str) -> std::result::Result<(), String> {
    if device == "cpu" {
        return Ok(());
    }
    Err(format!(
        "tensor `{name}` would stay quantised with dtype {precision}, which {device} has no product for; use device cpu, \
         or dtype bf16 or f32"
    ))
}

/// Whether a weight is one of the seven that bitsandbytes quantises.
fn is_projection(name: &str) -> bool {
    let part = name
        .strip_suffix(".weight")
        .and_then(|n| n.rsplit('.').next());
    part.is_some_and(|part| Projection::by_name(part).is_some())
}

#[cfg(test)]
mod tests;
