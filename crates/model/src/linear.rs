//! A frozen projection and, while tuning, its low-rank update (arXiv 2106.09685, Eq. 3).

use candle_core::Tensor;

use crate::{
    adapter::{Gradients, LoraWeights},
    config::ModelConfig,
    error::{ModelError, Result},
    ops::{
        self,
        linear::{Projected, Share, Update},
        lora::{Dropout, LoraGradients},
        weight::Weight,
    },
    projection::LayerProjection,
    row_lengths::{self, RowScale},
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
    place: LayerProjection,
    weight: Weight, // (out, in)
    bias: Option<Tensor>,
    lora: Option<LoraWeights>,
    /// DoRA's factors, where the update has magnitudes.
    row_scale: Option<RowScale>,
    /// w·w of the weight's rows, once they were needed.
    squares: Option<Vec<f64>>,
}

/// What the update of one projection needs to be added, and its backward; nothing where nothing
/// is trained.
pub(crate) struct Lowered {
    /// scale · x Aᵀ: (N, R)
    low: Option<Tensor>,
    saved: Option<LoraSaved>,
}

/// What backward needs of one projection; nothing where nothing is trained.
pub(crate) struct LinearSaved {
    lora: Option<(Tensor, LoraSaved)>,
}

struct LoraSaved {
    /// The update's input (N, in), after dropout; shared with the other readers of the same
    /// rows where there is none.
    x: Tensor,
    dropout: Option<Dropout>,
    /// What DoRA's factors multiply: (N, out).
    product: Option<Tensor>,
}

impl Lowered {
    /// What is kept, once the forward is done.
    pub(crate) fn into_saved(self) -> LinearSaved {
        LinearSaved {
            lora: self.low.zip(self.saved),
        }
    }
}

impl Linear {
    /// Takes `<name>.weight`, and `<name>.bias` where the configuration has one.
    pub(crate) fn load(
        files: &mut WeightFiles,
        config: &ModelConfig,
        place: LayerProjection,
    ) -> Result<Self> {
        let (out, inner) = config
            .projection_shape(place.projection.name())
            .ok_or_else(|| ModelError::op("linear", place.to_string()))?;
        let name = place.weight_name();
        let weight = files.take_weight(&format!("{name}.weight"), [out, inner])?;
        let biased = config.biases.contains(&place.projection);
        let bias = if biased {
            Some(files.take_f32(&format!("{name}.bias"), &[out])?)
        } else {
            None
        };
        Ok(Self {
            place,
            weight,
            bias,
            lora: None,
            row_scale: None,
            squares: None,
        })
    }

    /// The projection's place.
    pub(crate) fn place(&self) -> LayerProjection {
        self.place
    }

    /// Bytes of the weight.
    pub(crate) fn bytes(&self) -> usize {
        self.weight.bytes()
    }

    /// Sets or removes the update; on the model's device.
    pub(crate) fn set_lora(&mut self, lora: Option<LoraWeights>) -> Result<()> {
        self.row_scale = match &lora {
            Some(update) => match &update.magnitude {
                Some(magnitude) => {
                    let lengths = self.row_lengths(update)?;
                    Some(RowScale::new(
                        &lengths,
                        magnitude,
                        &self.place.weight_name(),
                    )?)
                }
                None => None,
            },
            None => None,
        };
        self.lora = lora;
        Ok(())
    }

    /// Lengths of the rows of the weight with this update: (out).
    pub(crate) fn row_lengths(&mut self, update: &LoraWeights) -> Result<Vec<f32>> {
        let squares = match self.squares.take() {
            Some(squares) => squares,
            None => row_lengths::squares(&self.weight, update.a.device())?,
        };
        let lengths = row_lengths::of_sum(&squares, &self.weight, update);
        self.squares = Some(squares);
        lengths
    }

    /// The frozen weight.
    pub(crate) fn weight(&self) -> &Weight {
        &self.weight
    }

    /// Whether DoRA's factors lie between the products and the output.
    pub(crate) fn is_scaled(&self) -> bool {
        self.row_scale.is_some()
    }

    /// The rows that the update sees, in the low rank.
    pub(crate) fn lower(&self, x: &Tensor, keep: Keep) -> Result<Lowered> {
        let Some(lora) = &self.lora else {
            return Ok(Lowered {
                low: None,
                saved: None,
            });
        };
        let dropout = match keep {
            Keep::ForBackward { dropout: Some(d) } if d.share > 0.0 => {
                Some(d.derive(self.place.index()))
            }
            _ => None,
        };
        if dropout.is_some() && self.is_scaled() {
            let problem = "DoRA is trained without dropout: set the adapter's dropout to 0";
            return Err(ModelError::Input(problem.to_owned()));
        }
        let x = match dropout {
            Some(dropout) => dropout.apply(x)?,
            None => x.clone(),
        };
        let low = Some(ops::lora::forward(&x, &lora.a, lora.scale)?);
        Ok(Lowered {
            low,
            saved: matches!(keep, Keep::ForBackward { .. }).then_some(LoraSaved {
                x,
                dropout,
                product: None,
            }),
        })
    }

    /// The projection, for [`ops::linear`]; what [`Self::finish`] adds is left out.
    pub(crate) fn projected<'a>(&'a self, lowered: &'a Lowered) -> Projected<'a> {
        let update = self
            .lora
            .as_ref()
            .zip(lowered.low.as_ref())
            .map(|(lora, low)| Update { low, b: &lora.b });
        Projected {
            weight: &self.weight,
            bias: self.bias.as_ref().filter(|_| !self.is_scaled()),
            update,
        }
    }

    /// The output from what [`ops::linear`] made of [`Self::projected`], (N, out): with DoRA's
    /// factors, and then the bias and `residual`, where there are any. Without them it is the
    /// output already.
    pub(crate) fn finish(
        &self,
        product: Tensor,
        residual: Option<&Tensor>,
        lowered: &mut Lowered,
    ) -> Result<Tensor> {
        let Some(scale) = &self.row_scale else {
            return Ok(product);
        };
        let y = ops::dora::forward(&product, &scale.factor, self.bias.as_ref(), residual)?;
        if let Some(saved) = &mut lowered.saved {
            saved.product = Some(product);
        }
        Ok(y)
    }

    /// The outputs, each (N, out), of projections of the same rows (N, in).
    pub(crate) fn forward_all(
        inputs: &[Self],
        x: &Tensor,
        lowered: &mut [Lowered],
    ) -> Result<Vec<Tensor>> {
        let projections: Vec<_> = inputs
            .iter()
            .zip(&*lowered)
            .map(|(input, lowered)| input.projected(lowered))
            .collect();
        let products = ops::linear::forward_all(x, &projections, None)?;
        inputs
            .iter()
            .zip(lowered)
            .zip(products)
            .map(|((input, lowered), product)| input.finish(product, None, lowered))
            .collect()
    }

    /// (N, in) -> (N, out), plus `residual` (N, out).
    pub(crate) fn forward(
        &self,
        x: &Tensor,
        residual: Option<&Tensor>,
        keep: Keep,
    ) -> Result<(Tensor, LinearSaved)> {
        let mut lowered = self.lower(x, keep)?;
        let fused = residual.filter(|_| !self.is_scaled());
        let mut all = ops::linear::forward_all(x, &[self.projected(&lowered)], fused)?;
        let y = self.finish(all.remove(0), residual, &mut lowered)?;
        Ok((y, lowered.into_saved()))
    }

    /// Adds the update's gradients for `dy` (N, out) to `gradients`; what is left to do for the
    /// gradient of the rows.
    pub(crate) fn backward<'a>(
        &'a self,
        saved: &LinearSaved,
        dy: &Tensor,
        gradients: &mut Gradients,
    ) -> Result<Backward<'a>> {
        let mut backward = Backward {
            linear: self,
            dy: dy.clone(),
            d_low: None,
            dropout: None,
        };
        if let (Some(lora), Some((low, kept))) = (&self.lora, &saved.lora) {
            let d_magnitude = match (&self.row_scale, &kept.product) {
                (Some(scale), Some(product)) => {
                    let (d_product, d_factor) = ops::dora::backward(product, &scale.factor, dy)?;
                    backward.dy = d_product;
                    Some((d_factor * &scale.inverse)?)
                }
                _ => None,
            };
            let dy = &backward.dy;
            let d_low = ops::lora::backward_low(dy, &lora.b, lora.scale)?;
            let factors = ops::lora::backward(&kept.x, low, &d_low, dy)?;
            let found = LoraGradients {
                magnitude: d_magnitude,
                ..factors
            };
            gradients.add(self.place, found)?;
            (backward.d_low, backward.dropout) = (Some(d_low), kept.dropout);
        }
        Ok(backward)
    }
}

/// A projection's gradient on its way to the rows that it read.
pub(crate) struct Backward<'a> {
    linear: &'a Linear,
    /// Gradient of the products: that of the output, or what DoRA's factors leave of it.
    dy: Tensor,
    /// scale · dy B: (N, R)
    d_low: Option<Tensor>,
    dropout: Option<Dropout>,
}

impl Backward<'_> {
    /// The share of the gradient, for [`ops::linear`]; without the update's where dropout lies
    /// between.
    pub(crate) fn share(&self) -> Share<'_> {
        let lora = self.linear.lora.as_ref().filter(|_| self.dropout.is_none());
        let update = self
            .d_low
            .as_ref()
            .zip(lora)
            .map(|(d_low, lora)| (d_low, &lora.a));
        Share {
            dy: &self.dy,
            weight: &self.linear.weight,
            update,
        }
    }

    /// Whether the update saw dropped rows.
    pub(crate) fn is_dropped(&self) -> bool {
        self.dropout.is_some()
    }

    /// The update's share where it saw dropped rows: through the same mask.
    fn dropped_share(&self) -> Result<Option<Tensor>> {
        let (Some(dropout), Some(d_low), Some(lora)) =
            (self.dropout, &self.d_low, &self.linear.lora)
        else {
            return Ok(None);
        };
        Ok(Some(dropout.apply(&ops::lora::raise(d_low, &lora.a)?)?))
    }

    /// Gradient of the rows that all of these projections read: (N, in).
    pub(crate) fn sum(all: &[Self]) -> Result<Tensor> {
        let shares: Vec<Share<'_>> = all.iter().map(Self::share).collect();
        let mut start = None;
        for one in all {
            if let Some(share) = one.dropped_share()? {
                start = Some(match start {
                    Some(sum) => ops::add::forward(&sum, &share)?,
                    None => share,
                });
            }
        }
        ops::linear::backward_all(&shares, start.as_ref())
    }
}
