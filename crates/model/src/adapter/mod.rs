//! LoRA adapters: their matrices and gradients. Read and written as PEFT folders.

pub mod peft;
mod peft_config;
mod python_pattern;
mod targets;

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use crate::{
    config::ModelConfig,
    error::{ModelError, Result},
    ops::{self, lora::LoraGradients},
    projection::{LayerProjection, Projection},
};

/// The update of one projection.
#[derive(Clone, Debug)]
pub struct LoraWeights {
    /// (R, in), f32
    pub a: Tensor,
    /// (out, R), f32
    pub b: Tensor,
    /// alpha / rank, or alpha / sqrt(rank) where PEFT's `use_rslora` is set.
    pub scale: f64,
    /// DoRA's lengths of the rows of the weight with its update (arXiv 2402.09353): (out), f32.
    pub magnitude: Option<Tensor>,
    /// Rows of A and columns of B, at their ends, that training leaves as they are: what a start
    /// in the weight takes out of it again.
    pub frozen: usize,
}

impl LoraWeights {
    /// `weight` (out, in), row by row, and the update: w + scale · B A, in f32; with magnitudes, each
    /// row of this length.
    ///
    /// # Errors
    /// The shapes do not fit.
    pub(crate) fn add_to(&self, weight: Vec<f32>) -> Result<Vec<f32>> {
        let update = ops::lora::raise(&self.b, &self.a)?.flatten_all()?; // (out · in)
        if update.elem_count() != weight.len() {
            return Err(ModelError::op("merge", "the update has another shape"));
        }
        let scale = self.scale as f32;
        let update = update.to_vec1::<f32>()?;
        let pairs = weight.into_par_iter().zip(update);
        let mut sum: Vec<f32> = pairs.map(|(w, u)| w + scale * u).collect();
        if let Some(magnitude) = &self.magnitude {
            let magnitude = magnitude.to_vec1::<f32>()?;
            let width = sum.len() / magnitude.len().max(1);
            let rows = sum.par_chunks_mut(width.max(1)).zip(&magnitude);
            rows.for_each(|(row, m)| {
                let square: f64 = row.iter().map(|&w| f64::from(w) * f64::from(w)).sum();
                let factor = f64::from(*m) / square.sqrt();
                row.iter_mut().for_each(|w| *w *= factor as f32);
            });
        }
        Ok(sum)
    }

    /// The same on a device.
    pub(crate) fn to_device(&self, device: &Device) -> Result<Self> {
        let magnitude = self.magnitude.as_ref();
        Ok(Self {
            a: self.a.to_device(device)?,
            b: self.b.to_device(device)?,
            magnitude: magnitude.map(|m| m.to_device(device)).transpose()?,
            ..*self
        })
    }
}

/// How an adapter is made; names as PEFT's.
#[derive(Clone, Debug, PartialEq)]
pub struct LoraConfig {
    /// R
    pub rank: usize,
    /// The update is scaled by alpha / rank.
    pub alpha: f64,
    /// Share of the update's inputs dropped in training.
    pub dropout: f64,
    /// Projections with an update, in every layer.
    pub targets: Vec<Projection>,
    /// Whether it is scaled by alpha / sqrt(rank) instead (arXiv 2312.03732).
    pub rslora: bool,
    /// Whether it has magnitudes (DoRA, arXiv 2402.09353).
    pub dora: bool,
}

impl LoraConfig {
    /// The factor of an update of a rank.
    pub fn scale(&self, rank: usize) -> f64 {
        let divisor = rank as f64;
        self.alpha / if self.rslora { divisor.sqrt() } else { divisor }
    }
}

/// An adapter of a model.
#[derive(Clone, Debug)]
pub struct Adapter {
    /// How it was made.
    pub config: LoraConfig,
    /// One update per place.
    pub weights: BTreeMap<LayerProjection, LoraWeights>,
}

impl Adapter {
    /// A new adapter on every layer, B zero, A from `initial(in, count)`: `count` values for
    /// rows of `in`. Magnitudes are for [`crate::Decoder::start_magnitudes`].
    pub fn new(
        config: LoraConfig,
        model: &ModelConfig,
        mut initial: impl FnMut(usize, usize) -> Vec<f32>,
    ) -> Result<Self> {
        let mut weights = BTreeMap::new();
        for layer in 0..model.num_hidden_layers {
            for &projection in &config.targets {
                let (out, inner) = shape(model, projection)?;
                let a = Tensor::from_vec(
                    initial(inner, config.rank * inner),
                    (config.rank, inner),
                    &candle_core::Device::Cpu,
                )?;
                let b = Tensor::zeros(
                    (out, config.rank),
                    candle_core::DType::F32,
                    &candle_core::Device::Cpu,
                )?;
                weights.insert(
                    LayerProjection { layer, projection },
                    LoraWeights {
                        a,
                        b,
                        scale: config.scale(config.rank),
                        magnitude: None,
                        frozen: 0,
                    },
                );
            }
        }
        Ok(Self { config, weights })
    }

    /// Trained values in all.
    pub fn parameters(&self) -> usize {
        self.weights
            .values()
            .map(|w| {
                let rank = w.a.dims().first().copied().unwrap_or(1).max(1);
                let factors = (w.a.elem_count() + w.b.elem_count()) / rank * (rank - w.frozen);
                factors + w.magnitude.as_ref().map_or(0, Tensor::elem_count)
            })
            .sum()
    }

    /// Fails unless every update fits the model, naming the first that does not.
    pub(crate) fn check(&self, model: &ModelConfig) -> Result<()> {
        for (place, weights) in &self.weights {
            let (out, inner) = shape(model, place.projection)?;
            let (a, b) = (weights.a.dims(), weights.b.dims());
            let magnitude = weights.magnitude.as_ref().map(Tensor::dims);
            let fits = place.layer < model.num_hidden_layers
                && a.len() == 2
                && b == [out, a[0]]
                && a[1] == inner
                && magnitude.is_none_or(|dims| dims == [out]);
            if !fits {
                let layers = model.num_hidden_layers;
                let problem = format!(
                    "adapter of `{place}`: A {a:?}, B {b:?}, magnitudes {magnitude:?}; the model has {layers} layers and ({out}, {inner}) there"
                );
                return Err(ModelError::Input(problem));
            }
        }
        Ok(())
    }
}

fn shape(model: &ModelConfig, projection: Projection) -> Result<(usize, usize)> {
    model.projection_shape(projection.name()).ok_or_else(|| {
        let names: Vec<&str> = model.projections().iter().map(|p| p.name()).collect();
        ModelError::Input(format!(
            "an adapter on `{}`: this model has no such projection; it has {}",
            projection.name(),
            names.join(", ")
        ))
    })
}

/// Gradients of an adapter's matrices, summed over micro-batches.
#[derive(Default)]
pub struct Gradients(BTreeMap<LayerProjection, LoraGradients>);

impl Gradients {
    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds one projection's gradients to what is there.
    pub fn add(&mut self, place: LayerProjection, grads: LoraGradients) -> Result<()> {
        let sum = match self.0.remove(&place) {
            None => grads,
            Some(old) => LoraGradients {
                a: (old.a + grads.a)?,
                b: (old.b + grads.b)?,
                magnitude: match (old.magnitude, grads.magnitude) {
                    (Some(old), Some(new)) => Some((old + new)?),
                    _ => None,
                },
            },
        };
        self.0.insert(place, sum);
        Ok(())
    }

    /// Gradients of A and B at a place. A missing one is an error: something was not reached by
    /// backward.
    pub fn get(&self, place: LayerProjection) -> Result<&LoraGradients> {
        self.0
            .get(&place)
            .ok_or_else(|| ModelError::op("gradients", format!("`{place}` got no gradient")))
    }
}
