//! A frozen projection and, while tuning, its low-rank update (arXiv 2106.09685, Eq. 3).

use candle_core::Tensor;

use crate::{
    adapter::{Gradients, LoraWeights, Place},
    config::ModelConfig,
    error::Result,
    ops::{self, lora::Dropout},
    weights::WeightFiles,
};

/// What a forward keeps.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keep {
    /// Nothing: evaluation and capture.
    Nothing,
    /// What backward needs; `dropout` falls on the adapters' inputs.
    ForBackward {
        /// Its seed is mixed with each projection's place.
        dropout: Option<Dropout>,
    },
}

/// y = x Wᵀ + b, plus the update where there is one.
pub(crate) struct Linear {
    place: Place,
    weight: Tensor, // (out, in)
    bias: Option<Tensor>,
    lora: Option<LoraWeights>,
}

/// What backward needs of one projection; nothing where nothing is trained.
pub(crate) struct LinearSaved {
    lora: Option<LoraSaved>,
}

struct LoraSaved {
    /// The update's input (N, in), after dropout; shared with the other readers of the same rows where there is none.
    x: Tensor,
    saved: ops::lora::Saved,
    dropout: Option<Dropout>,
}

impl Linear {
    /// Takes `<name>.weight` of `shape` (out, in), and `<name>.bias` where the configuration has one.
    pub(crate) fn load(
        files: &mut WeightFiles,
        config: &ModelConfig,
        place: Place,
        (out, inner): (usize, usize),
    ) -> Result<Self> {
        let name = place.weight_name();
        let weight = files.take(&format!("{name}.weight"), &[out, inner])?;
        let biased = config.biases.contains(&place.projection);
        let bias = if biased { Some(files.take_f32(&format!("{name}.bias"), &[out])?) } else { None };
        Ok(Self { place, weight, bias, lora: None })
    }

    /// The projection's place.
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// Sets or removes the update.
    pub(crate) fn set_lora(&mut self, lora: Option<LoraWeights>) {
        self.lora = lora;
    }

    /// (N, in) -> (N, out)
    pub(crate) fn forward(&self, x: &Tensor, keep: Keep) -> Result<(Tensor, LinearSaved)> {
        let base = ops::linear::forward(x, &self.weight, self.bias.as_ref())?;
        let Some(lora) = &self.lora else { return Ok((base, LinearSaved { lora: None })) };
        let dropout = match keep {
            Keep::ForBackward { dropout: Some(d) } if d.share > 0.0 => Some(d.derive(self.place.index())),
            _ => None,
        };
        let x = match dropout {
            Some(dropout) => dropout.apply(x)?,
            None => x.clone(),
        };
        let (y, saved) = ops::lora::forward(&x, &lora.a, &lora.b, lora.scale, base)?;
        let lora = matches!(keep, Keep::ForBackward { .. }).then_some(LoraSaved { x, saved, dropout });
        Ok((y, LinearSaved { lora }))
    }

    /// `dy` (N, out) -> dx (N, in); `None` if nothing below is trained. The update's gradients are added to `gradients`.
    pub(crate) fn backward(
        &self,
        saved: &LinearSaved,
        dy: &Tensor,
        need_dx: bool,
        gradients: &mut Gradients,
    ) -> Result<Option<Tensor>> {
        let dx = if need_dx { Some(ops::linear::backward(dy, &self.weight)?) } else { None };
        let (Some(lora), Some(kept)) = (&self.lora, &saved.lora) else { return Ok(dx) };
        let Some(dropout) = kept.dropout else {
            let (grads, dx) = ops::lora::backward(&kept.x, &lora.a, &lora.b, lora.scale, &kept.saved, dy, dx)?;
            gradients.add(self.place, grads)?;
            return Ok(dx);
        };
        // The update saw dropped rows: its share of dx goes through the same mask.
        let zero = dx.as_ref().map(Tensor::zeros_like).transpose()?;
        let (grads, share) = ops::lora::backward(&kept.x, &lora.a, &lora.b, lora.scale, &kept.saved, dy, zero)?;
        gradients.add(self.place, grads)?;
        match (dx, share) {
            (Some(dx), Some(share)) => Ok(Some(ops::add::forward(&dx, &dropout.apply(&share)?)?)),
            (dx, _) => Ok(dx),
        }
    }
}
