//! A norm of the residual stream, of queries or of keys: its weight, and which function it is.

use candle_core::Tensor;

use crate::{
    config::{ModelConfig, properties::NormKind},
    error::{ModelError, Result},
    ops::{layer_norm, rms_norm},
    weights::WeightFiles,
};

/// One norm.
pub(crate) struct Norm {
    /// (W), which a root mean square divides by; (K, W) of a layer norm's K pieces of a row.
    weight: Tensor,
    is_centred: bool,
    eps: f64,
}

impl Norm {
    /// Takes `<name>.weight` of `shape`: rows of it are normed each by itself.
    pub(crate) fn load(
        files: &mut WeightFiles,
        config: &ModelConfig,
        name: &str,
        shape: &[usize],
    ) -> Result<Self> {
        let weight = files.take_f32(&format!("{name}.weight"), shape)?;
        let weight = match (config.norm_kind, shape) {
            (NormKind::Rms, [_]) => weight,
            (NormKind::RmsPlusOne, [_]) => (weight + 1.0)?,
            (NormKind::LayerNorm, [width]) => weight.reshape((1, *width))?,
            (NormKind::LayerNorm, [_, _]) => weight,
            _ => return Err(ModelError::op("norm", format!("`{name}` of {shape:?}"))),
        };
        Ok(Self {
            weight,
            is_centred: config.norm_kind == NormKind::LayerNorm,
            eps: config.norm_eps,
        })
    }

    /// The same norm, its results times `factor`.
    pub(crate) fn scaled(&self, factor: f64) -> Result<Self> {
        let weight = match factor == 1.0 {
            true => self.weight.clone(),
            false => (&self.weight * factor)?,
        };
        Ok(Self { weight, ..*self })
    }

    /// `x` (N, a multiple of the weight's length) -> the same shape.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let rows = self.split(x)?;
        let y = match self.is_centred {
            false => rms_norm::forward(&rows, &self.weight, self.eps),
            true => layer_norm::forward(&rows, &self.weight, self.eps),
        }?;
        Ok(y.reshape(x.shape())?)
    }

    /// Gradient of `x` for `dy`, and `start` added to it.
    pub(crate) fn backward(
        &self,
        x: &Tensor,
        dy: &Tensor,
        start: Option<&Tensor>,
    ) -> Result<Tensor> {
        let (rows, d_rows) = (self.split(x)?, self.split(dy)?);
        let start = start.map(|start| self.split(start)).transpose()?;
        let dx = match self.is_centred {
            false => rms_norm::backward(&rows, &self.weight, self.eps, &d_rows, start.as_ref()),
            true => layer_norm::backward(&rows, &self.weight, self.eps, &d_rows, start.as_ref()),
        }?;
        Ok(dx.reshape(x.shape())?)
    }

    /// Rows as long as the weight.
    fn split(&self, x: &Tensor) -> Result<Tensor> {
        let width = self.weight.elem_count();
        Ok(match x.dims2()?.1 == width {
            true => x.clone(),
            false => x.reshape(((), width))?,
        })
    }
}
