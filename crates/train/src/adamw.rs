//! AdamW (arXiv 1711.05101) over an adapter's matrices, in f32 as PyTorch computes it, and
//! clipping by the global norm.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use model::{Adapter, Gradients, LayerProjection};

use crate::error::TrainError;

/// Settings that stay the same over a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWConfig {
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of squares.
    pub beta2: f64,
    /// Added to the root.
    pub eps: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
}

impl AdamWConfig {
    /// PyTorch's betas and eps.
    pub fn new(weight_decay: f64) -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            weight_decay,
        }
    }

    /// The update `at`, from 1, of one matrix; all slices have one length.
    pub fn update(
        &self,
        at: usize,
        learning_rate: f64,
        values: &mut [f32],
        moments: &mut AdamMoments,
        gradient: &[f32],
    ) {
        let correction1 = 1.0 - self.beta1.powi(at as i32);
        let correction2 = 1.0 - self.beta2.powi(at as i32);
        let step = (learning_rate / correction1) as f32;
        let root = (correction2.sqrt()) as f32;
        let decay = (1.0 - learning_rate * self.weight_decay) as f32;
        let (b1, b2, eps) = (self.beta1 as f32, self.beta2 as f32, self.eps as f32);
        for (((p, m), v), &g) in values
            .iter_mut()
            .zip(&mut moments.m)
            .zip(&mut moments.v)
            .zip(gradient)
        {
            *p *= decay;
            *m += (g - *m) * (1.0 - b1);
            *v = *v * b2 + (1.0 - b2) * g * g;
            *p -= step * *m / (v.sqrt() / root + eps);
        }
    }
}

/// Which of an update's two matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Half {
    /// `lora_A`
    A,
    /// `lora_B`
    B,
}

impl Half {
    /// PEFT's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::A => "lora_A",
            Self::B => "lora_B",
        }
    }
}

/// Running means of one matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct AdamMoments {
    /// Of gradients.
    pub m: Vec<f32>,
    /// Of squared gradients.
    pub v: Vec<f32>,
}

impl AdamMoments {
    /// Of a matrix of `len` values, before its first update.
    pub fn zeros(len: usize) -> Self {
        Self {
            m: vec![0.0; len],
            v: vec![0.0; len],
        }
    }
}

/// The optimiser's state.
#[derive(Clone, Debug)]
pub struct AdamW {
    config: AdamWConfig,
    /// Updates made.
    pub updates: usize,
    /// Per matrix.
    pub moments: BTreeMap<(LayerProjection, Half), AdamMoments>,
}

impl AdamW {
    /// No update made yet.
    pub fn new(config: AdamWConfig) -> Self {
        Self {
            config,
            updates: 0,
            moments: BTreeMap::new(),
        }
    }

    /// One update of every matrix of `adapter`.
    pub fn update(
        &mut self,
        adapter: &mut Adapter,
        gradients: &HostGradients,
        learning_rate: f64,
    ) -> Result<(), TrainError> {
        self.updates += 1;
        for (&place, weights) in &mut adapter.weights {
            for (half, matrix) in [(Half::A, &mut weights.a), (Half::B, &mut weights.b)] {
                let gradient = gradients.get(place, half)?;
                let shape = matrix.shape().clone();
                let mut values = matrix.flatten_all()?.to_vec1::<f32>()?;
                let moments = self
                    .moments
                    .entry((place, half))
                    .or_insert_with(|| AdamMoments::zeros(values.len()));
                self.config
                    .update(self.updates, learning_rate, &mut values, moments, gradient);
                *matrix = Tensor::from_vec(values, shape, &Device::Cpu)?;
            }
        }
        Ok(())
    }
}

/// The gradients of all matrices on the host, scaled to the batch's mean loss and clipped.
pub struct HostGradients(BTreeMap<(LayerProjection, Half), Vec<f32>>);

impl HostGradients {
    /// Takes the gradients of every matrix of `adapter`, times `scale`. A missing or non-finite
    /// one is an error.
    pub fn take(
        adapter: &Adapter,
        gradients: &Gradients,
        scale: f64,
        step: usize,
    ) -> Result<Self, TrainError> {
        let mut all = BTreeMap::new();
        for &place in adapter.weights.keys() {
            let found = gradients.get(place)?;
            for (half, tensor) in [(Half::A, &found.a), (Half::B, &found.b)] {
                let mut values = tensor.flatten_all()?.to_vec1::<f32>()?;
                values.iter_mut().for_each(|g| *g *= scale as f32);
                if !values.iter().all(|g| g.is_finite()) {
                    let what = format!("the gradient of `{place}.{}`", half.name());
                    return Err(TrainError::NotFinite { step, what });
                }
                all.insert((place, half), values);
            }
        }
        Ok(Self(all))
    }

    /// One matrix's gradient.
    pub fn get(&self, place: LayerProjection, half: Half) -> Result<&[f32], TrainError> {
        let missing = || model::ModelError::Op {
            op: "adamw",
            problem: format!("`{place}.{}` got no gradient", half.name()),
        };
        Ok(self
            .0
            .get(&(place, half))
            .map(Vec::as_slice)
            .ok_or_else(missing)?)
    }

    /// Norm over all gradients; they are scaled down to `most` if it is larger (0: never), as
    /// PyTorch's `clip_grad_norm_`.
    pub fn clip(&mut self, most: f64) -> f64 {
        let norm = self
            .0
            .values()
            .flatten()
            .map(|&g| f64::from(g) * f64::from(g))
            .sum::<f64>()
            .sqrt();
        let factor = most / (norm + 1e-6);
        if most > 0.0 && factor < 1.0 {
            self.0
                .values_mut()
                .flatten()
                .for_each(|g| *g *= factor as f32);
        }
        norm
    }
}
