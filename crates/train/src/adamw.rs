//! AdamW (arXiv 1711.05101) over an adapter's tensors, in f32 as PyTorch computes it, and
//! clipping by the global norm.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use model::{Adapter, Gradients, LayerProjection, adapter::LoraWeights, ops::lora::LoraGradients};

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
    /// Rate of B and of magnitudes, as a multiple of that of A: LoRA+ (arXiv 2402.12354), as PEFT's
    /// `create_loraplus_optimizer` groups them.
    pub b_ratio: f64,
}

impl AdamWConfig {
    /// PyTorch's betas and eps.
    pub fn new(weight_decay: f64) -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            weight_decay,
            b_ratio: 1.0,
        }
    }

    fn rate_factor(&self, part: AdapterPart) -> f64 {
        match part {
            AdapterPart::A => 1.0,
            AdapterPart::B | AdapterPart::Magnitude => self.b_ratio,
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

/// Which of an update's tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AdapterPart {
    /// `lora_A`
    A,
    /// `lora_B`
    B,
    /// DoRA's `lora_magnitude_vector`
    Magnitude,
}

impl AdapterPart {
    /// PEFT's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::A => "lora_A",
            Self::B => "lora_B",
            Self::Magnitude => "lora_magnitude_vector",
        }
    }

    /// The tensors of an update.
    pub fn of(weights: &LoraWeights) -> Vec<(Self, &Tensor)> {
        let magnitude = weights.magnitude.as_ref().map(|m| (Self::Magnitude, m));
        let factors = [(Self::A, &weights.a), (Self::B, &weights.b)];
        factors.into_iter().chain(magnitude).collect()
    }

    /// The same, to be changed.
    pub fn of_mut(weights: &mut LoraWeights) -> Vec<(Self, &mut Tensor)> {
        let magnitude = weights.magnitude.as_mut().map(|m| (Self::Magnitude, m));
        let factors = [(Self::A, &mut weights.a), (Self::B, &mut weights.b)];
        factors.into_iter().chain(magnitude).collect()
    }
}

/// Which values of a tensor are not trained.
#[derive(Clone, Copy)]
struct FrozenEnd {
    /// Values of a stretch, at whose end they are.
    stretch: usize,
    /// How many.
    count: usize,
}

impl FrozenEnd {
    /// Of a part of an update whose last rows of A and columns of B stay as they are.
    fn new(part: AdapterPart, weights: &LoraWeights) -> Result<Self, TrainError> {
        let (rank, inner) = weights.a.dims2()?;
        Ok(match part {
            AdapterPart::A => Self {
                stretch: rank * inner,
                count: weights.frozen * inner,
            },
            AdapterPart::B => Self {
                stretch: rank,
                count: weights.frozen,
            },
            AdapterPart::Magnitude => Self {
                stretch: 1,
                count: 0,
            },
        })
    }

    /// Whether there are none.
    fn is_empty(self) -> bool {
        self.count == 0
    }

    /// Gives `values` what `like` has there.
    fn restore(self, values: &mut [f32], like: &[f32]) {
        let pairs = values
            .chunks_mut(self.stretch)
            .zip(like.chunks(self.stretch));
        for (values, like) in pairs {
            let start = self.stretch - self.count;
            values[start..].copy_from_slice(&like[start..]);
        }
    }

    /// Makes these values 0.
    fn clear(self, values: &mut [f32]) {
        for values in values.chunks_mut(self.stretch) {
            values[self.stretch - self.count..].fill(0.0);
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

/// The gradient of one part, where there is one.
pub(crate) fn gradient_of(found: &LoraGradients, part: AdapterPart) -> Option<&Tensor> {
    match part {
        AdapterPart::A => Some(&found.a),
        AdapterPart::B => Some(&found.b),
        AdapterPart::Magnitude => found.magnitude.as_ref(),
    }
}

/// The optimiser's state.
#[derive(Clone, Debug)]
pub struct AdamW {
    config: AdamWConfig,
    /// Updates made.
    pub updates: usize,
    /// Per matrix.
    pub moments: BTreeMap<(LayerProjection, AdapterPart), AdamMoments>,
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
            let ends = frozen_ends(weights)?;
            for ((part, tensor), end) in AdapterPart::of_mut(weights).into_iter().zip(ends) {
                let gradient = gradients.get(place, part)?;
                let shape = tensor.shape().clone();
                let mut values = tensor.flatten_all()?.to_vec1::<f32>()?;
                let moments = self
                    .moments
                    .entry((place, part))
                    .or_insert_with(|| AdamMoments::zeros(values.len()));
                let rate = learning_rate * self.config.rate_factor(part);
                self.config
                    .update(self.updates, rate, &mut values, moments, gradient);
                if !end.is_empty() {
                    end.restore(&mut values, &tensor.flatten_all()?.to_vec1::<f32>()?);
                }
                *tensor = Tensor::from_vec(values, shape, &Device::Cpu)?;
            }
        }
        Ok(())
    }
}

/// The gradients of all matrices on the host, scaled to the batch's mean loss and clipped.
pub struct HostGradients(BTreeMap<(LayerProjection, AdapterPart), Vec<f32>>);

/// Of every part of an update, in the order of [`AdapterPart::of`].
fn frozen_ends(weights: &LoraWeights) -> Result<Vec<FrozenEnd>, TrainError> {
    let parts = AdapterPart::of(weights).into_iter();
    parts
        .map(|(part, _)| FrozenEnd::new(part, weights))
        .collect()
}

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
        for (&place, weights) in &adapter.weights {
            let found = gradients.get(place)?;
            let ends = frozen_ends(weights)?;
            for ((part, _), end) in AdapterPart::of(weights).into_iter().zip(ends) {
                let Some(tensor) = gradient_of(found, part) else {
                    continue; // what reads it names the place
                };
                let mut values = tensor.flatten_all()?.to_vec1::<f32>()?;
                values.iter_mut().for_each(|g| *g *= scale as f32);
                if !values.iter().all(|g| g.is_finite()) {
                    let what = format!("the gradient of `{place}.{}`", part.name());
                    return Err(TrainError::NotFinite { step, what });
                }
                if !end.is_empty() {
                    end.clear(&mut values);
                }
                all.insert((place, part), values);
            }
        }
        Ok(Self(all))
    }

    /// One matrix's gradient.
    pub fn get(&self, place: LayerProjection, part: AdapterPart) -> Result<&[f32], TrainError> {
        let missing = || model::ModelError::Op {
            op: "adamw",
            problem: format!("`{place}.{}` got no gradient", part.name()),
        };
        Ok(self
            .0
            .get(&(place, part))
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
