//! The tuned lens (arXiv 2303.08112): every layer but the last has an affine translator, h + W h + b,
//! trained so that final norm and head turn it into the model's own final prediction. At W and b
//! of 0 it is the raw lens.
//!
//! As the reference implementation (AlignmentResearch/tuned-lens): the translator is added to
//! the state, the loss is the divergence KL(model || lens) at the same token, the gradient's
//! norm is clipped to 1, the learning rate falls to 0. Unlike it: training starts at a ridge
//! regression of the last states on the layer's (`regression`), not at the raw lens; an update
//! sees a part of the vocabulary, drawn anew (`vocabulary`); AdamW, which takes fewer tokens;
//! each layer is clipped by itself, so that no layer depends on another. Held-out divergences
//! are of the whole vocabulary (`score`). Never here: reading labels with it
//! ([`crate::lens`]).

mod file;
mod learner;
mod regression;
mod score;
#[cfg(test)]
mod tests;
mod token_states;
mod tuning;
mod vocabulary;

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};
use model::{
    ModelConfig, Weight,
    ops::linear::{self, Projected},
};

use crate::error::AnalyseError;

pub use tuning::{Tuning, train};

/// Rows whose distributions over the vocabulary are in memory at once.
const CHUNK: usize = 256;

/// The translators of one model.
pub struct TunedLens {
    /// Its training data (model, adapter, task, as given to [`train()`]) and settings.
    pub about: BTreeMap<String, String>,
    translators: Vec<Translator>,
    width: usize,
}

impl TunedLens {
    /// L: there is a translator for each of layers 0 to L - 1.
    pub fn layers(&self) -> usize {
        self.translators.len()
    }

    /// E.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Residual rows (n, E) after `layer`, below L, as they would be at the end: (n, E).
    ///
    /// # Errors
    /// There is no such layer; rows of another width.
    pub fn translate(&self, layer: usize, rows: &Tensor) -> Result<Tensor, AnalyseError> {
        let Some(translator) = self.translators.get(layer) else {
            let problem = format!("the tuned lens has layers 0 to {}", self.layers() - 1);
            return Err(AnalyseError::unusable(format!("layer {layer}"), problem));
        };
        translator.translate(rows)
    }

    /// Fails unless it has the model's shape.
    pub(crate) fn check(&self, config: &ModelConfig) -> Result<(), AnalyseError> {
        let (here, wanted) = (
            (self.layers(), self.width),
            (config.num_hidden_layers, config.hidden_size),
        );
        if here == wanted {
            return Ok(());
        }
        let problem = format!(
            "{} layers of width {}, the model has {} of {}",
            here.0, here.1, wanted.0, wanted.1
        );
        Err(AnalyseError::unusable(
            "the tuned lens",
            problem + "; train it for the model",
        ))
    }
}

/// W (E, E) and b (E), ready for a product.
struct Translator {
    weight: Weight,
    bias: Tensor,
}

impl Translator {
    /// Of row-major values.
    fn new(weight: &[f32], bias: &[f32], device: &Device) -> Result<Self, AnalyseError> {
        let width = bias.len();
        let weight = Tensor::from_slice(weight, (width, width), &Device::Cpu)?.to_device(device)?;
        let bias = Tensor::from_slice(bias, width, &Device::Cpu)?.to_device(device)?;
        Ok(Self {
            weight: Weight::new(weight)?,
            bias,
        })
    }

    /// h + W h + b of each row: (n, E) -> (n, E).
    fn translate(&self, rows: &Tensor) -> Result<Tensor, AnalyseError> {
        let projection = Projected {
            weight: &self.weight,
            bias: Some(&self.bias),
            update: None,
        };
        Ok(linear::forward_all(rows, &[projection], Some(rows))?.remove(0))
    }
}

/// Root of the mean square of the entries.
fn typical_size(rows: &Tensor) -> Result<f64, AnalyseError> {
    let values = read_values(rows)?;
    let squares: f64 = values.iter().map(|&v| f64::from(v) * f64::from(v)).sum();
    Ok((squares / values.len() as f64).sqrt())
}

/// The entries, row-major.
fn read_values(tensor: &Tensor) -> Result<Vec<f32>, AnalyseError> {
    Ok(tensor
        .to_device(&Device::Cpu)?
        .to_dtype(DType::F32)?
        .flatten_all()?
        .to_vec1()?)
}
