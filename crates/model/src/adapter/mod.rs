//! LoRA adapters: their matrices and gradients. Read and written as PEFT folders.

pub mod peft;
mod peft_config;
mod python_pattern;
mod targets;

use std::collections::BTreeMap;

use candle_core::Tensor;
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
}

impl LoraWeights {
    /// `weight` (out, in), row by row, and the update: w + scale · B A, in f32.
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
        Ok(pairs.map(|(w, u)| w + scale * u).collect())
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
    /// rows of `in`.
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
                        scale: config.alpha / config.rank as f64,
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
            .map(|w| w.a.elem_count() + w.b.elem_count())
            .sum()
    }

    /// Fails unless every update fits the model, naming the first that does not.
    pub(crate) fn check(&self, model: &ModelConfig) -> Result<()> {
        for (place, weights) in &self.weights {
            let (out, inner) = shape(model, place.projection)?;
            let (a, b) = (weights.a.dims(), weights.b.dims());
            let fits = place.layer < model.num_hidden_layers
                && a.len() == 2
                && b == [out, a[0]]
                && a[1] == inner;
            if !fits {
                let layers = model.num_hidden_layers;
                let problem = format!(
                    "adapter of `{place}`: A {a:?}, B {b:?}; the model has {layers} layers and ({out}, {inner}) there"
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
    /// Adds one projection's gradients to what is there.
    pub fn add(&mut self, place: LayerProjection, grads: LoraGradients) -> Result<()> {
        let sum = match self.0.remove(&place) {
            None => grads,
            Some(old) => LoraGradients {
                a: (old.a + grads.a)?,
                b: (old.b + grads.b)?,
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
