//! One layer's translator while it is trained. Never here: where states come from.

use candle_core::{Device, Tensor};
use model::{Decoder, ModelError, SampledHead, ops::divergence::Shares, ops::lora};
use train::adamw::{AdamMoments, AdamWConfig};

use super::{Translator, read_values, regression, typical_size};
use crate::error::AnalyseError;

/// Learning rate of W at the first update; it falls to 0 in a straight line.
const LEARNING_RATE: f64 = 3e-4;
/// Decay of W and b: to the raw lens (the reference's).
const WEIGHT_DECAY: f64 = 1e-3;
/// Norm to which a gradient is clipped (the reference's).
const CLIP: f64 = 1.0;

/// W and b of a layer with their optimiser.
pub(super) struct Learner {
    pub(super) weight: Vec<f32>,
    pub(super) bias: Vec<f32>,
    moments: [AdamMoments; 2],
    translator: Translator,
    /// Size of a state's entries, by the first update's rows: b is moved in units of it, as W
    /// is in those of a state.
    scale: f64,
}

/// Gradient of a batch's mean divergence.
pub(super) struct Gradient {
    pub(super) weight: Vec<f32>,
    pub(super) bias: Vec<f32>,
}

impl Learner {
    /// The raw lens of a model of this width.
    pub(super) fn new(width: usize, device: &Device) -> Result<Self, AnalyseError> {
        let (weight, bias) = (vec![0.0; width * width], vec![0.0; width]);
        let moments = [
            AdamMoments::zeros(weight.len()),
            AdamMoments::zeros(bias.len()),
        ];
        let translator = Translator::new(&weight, &bias, device)?;
        Ok(Self {
            weight,
            bias,
            moments,
            translator,
            scale: 1.0,
        })
    }

    pub(super) fn translate(&self, rows: &Tensor) -> Result<Tensor, AnalyseError> {
        self.translator.translate(rows)
    }

    /// Starts at what [`regression::fit`] finds.
    pub(super) fn start(&mut self, rows: &Tensor, last: &Tensor) -> Result<(), AnalyseError> {
        (self.weight, self.bias) = regression::fit(rows, last)?;
        self.translator = Translator::new(&self.weight, &self.bias, rows.device())?;
        Ok(())
    }

    /// Gradient of the sum of divergences by the translated rows, over the tokens of `head`:
    /// `rows` (n, E) of the layer -> (n, E).
    pub(super) fn backward(
        &self,
        model: &Decoder,
        rows: &Tensor,
        head: &SampledHead,
        shares: &Shares,
    ) -> Result<Tensor, AnalyseError> {
        let found = model.sampled_divergence(&self.translate(rows)?, head, shares)?;
        found.d_hidden.ok_or_else(|| {
            let problem = "a divergence without its gradient".to_owned();
            let op = "tuned lens";
            ModelError::Op { op, problem }.into()
        })
    }

    /// Update `at` of `updates`, from 0, with `rows` (N, E) and what [`Learner::backward`] says
    /// of them.
    pub(super) fn update(
        &mut self,
        (at, updates): (usize, usize),
        layer: usize,
        rows: &Tensor,
        d_rows: &Tensor,
    ) -> Result<(), AnalyseError> {
        if at == 0 {
            self.scale = typical_size(rows)?;
        }
        let gradient = Gradient::of(rows, d_rows)?;
        let gradient = gradient.clipped().ok_or_else(|| {
            ModelError::NotFinite(format!(
                "the gradient of layer {layer}'s translator in update {}",
                at + 1
            ))
        })?;
        let rate = LEARNING_RATE * (1.0 - at as f64 / updates as f64);
        let config = AdamWConfig::new(WEIGHT_DECAY);
        let [weight, bias] = &mut self.moments;
        config.update(at + 1, rate, &mut self.weight, weight, &gradient.weight);
        config.update(
            at + 1,
            rate * self.scale,
            &mut self.bias,
            bias,
            &gradient.bias,
        );
        self.translator = Translator::new(&self.weight, &self.bias, rows.device())?;
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn set(
        &mut self,
        weight: Vec<f32>,
        bias: Vec<f32>,
        device: &Device,
    ) -> Result<(), AnalyseError> {
        (self.weight, self.bias) = (weight, bias);
        self.translator = Translator::new(&self.weight, &self.bias, device)?;
        Ok(())
    }
}

impl Gradient {
    /// Of a mean over rows.
    pub(super) fn of(rows: &Tensor, d_rows: &Tensor) -> Result<Self, AnalyseError> {
        let share = 1.0 / rows.dim(0)? as f64;
        let weight = lora::raise(&d_rows.t()?.contiguous()?, rows)?; // (E, E)
        Ok(Self {
            weight: read_values(&(weight * share)?)?,
            bias: read_values(&(d_rows.sum(0)? * share)?)?,
        })
    }

    /// Scaled down where its norm is above [`CLIP`]; `None` where it is not finite.
    pub(super) fn clipped(mut self) -> Option<Self> {
        let squares = self
            .weight
            .iter()
            .chain(&self.bias)
            .map(|&g| f64::from(g) * f64::from(g));
        let norm = squares.sum::<f64>().sqrt();
        if norm > CLIP {
            let factor = (CLIP / norm) as f32;
            self.weight
                .iter_mut()
                .chain(&mut self.bias)
                .for_each(|g| *g *= factor);
        }
        norm.is_finite().then_some(self)
    }
}
