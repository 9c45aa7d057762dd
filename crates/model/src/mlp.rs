//! The mlp: down(activation(gate(x)) · up(x)), or down(activation(up(x))).

use candle_core::Tensor;

use crate::{
    adapter::Gradients,
    config::{ModelConfig, properties::MlpActivation},
    error::{ModelError, Result},
    linear::{Backward, Keep, Linear, LinearSaved},
    ops::{
        gated,
        glu::{self, GateActivation},
        xielu::{self, Xielu},
    },
    projection::{LayerProjection, Projection},
    weights::WeightFiles,
};

/// One layer's mlp.
pub(crate) struct Mlp {
    /// What reads the normed rows: gate and up, both as one, or up alone.
    pub(crate) inputs: Vec<Linear>,
    pub(crate) down_proj: Linear,
    activation: Activation,
}

/// From the neurons' inputs to their values.
#[derive(Clone, Copy)]
pub(crate) enum Activation {
    /// activation(gate) · up
    Gated(GateActivation),
    /// Of up alone.
    Xielu(Xielu),
}

impl Activation {
    /// The neurons' values, of what [`MlpSaved::gated`] shows: all (N, F).
    pub(crate) fn of(self, gate: &Tensor, up: &Tensor) -> Result<Tensor> {
        match self {
            Self::Gated(activation) => glu::forward(activation, gate, up),
            Self::Xielu(xielu) => xielu::forward(&xielu, up),
        }
    }
}

/// What backward needs.
pub(crate) struct MlpSaved {
    inputs: Vec<LinearSaved>,
    down_proj: LinearSaved,
    /// The projections themselves, both (N, F): of gate and up; without a gate up twice, of
    /// which an mlp's neuron is on where it is above 0 too.
    gated: Option<(Tensor, Tensor)>,
}

impl MlpSaved {
    /// The projections of gate and up, both (N, F).
    pub(crate) fn gated(&self) -> Option<(&Tensor, &Tensor)> {
        self.gated.as_ref().map(|(gate, up)| (gate, up))
    }
}

impl Mlp {
    pub(crate) fn load(
        files: &mut WeightFiles,
        config: &ModelConfig,
        layer: usize,
    ) -> Result<Self> {
        let inputs: &[Projection] = match (config.activation, config.merged_gate_up) {
            (MlpActivation::Xielu, _) => &[Projection::Up],
            (MlpActivation::Gated(_), true) => &[Projection::GateUp],
            (MlpActivation::Gated(_), false) => &[Projection::Gate, Projection::Up],
        };
        let inputs = inputs
            .iter()
            .map(|&projection| Linear::load(files, config, LayerProjection { layer, projection }))
            .collect::<Result<_>>()?;
        let projection = Projection::Down;
        Ok(Self {
            inputs,
            down_proj: Linear::load(files, config, LayerProjection { layer, projection })?,
            activation: match config.activation {
                MlpActivation::Gated(activation) => Activation::Gated(activation),
                MlpActivation::Xielu => Activation::Xielu(load_xielu(files, layer)?),
            },
        })
    }

    /// What becomes of the neurons' inputs.
    pub(crate) fn activation(&self) -> Activation {
        self.activation
    }

    /// The mlp of `x` (N, E), which is after the norm, plus `residual` (N, E) where it is given.
    /// `neuron_factors` (F), where given, multiply the neurons' activations; backward knows
    /// nothing of them.
    pub(crate) fn forward(
        &self,
        x: &Tensor,
        residual: Option<&Tensor>,
        neuron_factors: Option<&Tensor>,
        keep: Keep,
    ) -> Result<(Tensor, MlpSaved)> {
        let mut lowered = self
            .inputs
            .iter()
            .map(|input| input.lower(x, keep))
            .collect::<Result<Vec<_>>>()?;
        let keeps = matches!(keep, Keep::ForBackward { .. });
        // What DoRA scales is no part of the fused products.
        let is_scaled = self.inputs.iter().any(Linear::is_scaled);
        let (act, gated) = match (self.activation, self.inputs.as_slice()) {
            (Activation::Gated(activation), [gate, up]) if !is_scaled => {
                let (gate, up) = (gate.projected(&lowered[0]), up.projected(&lowered[1]));
                let gated = gated::forward(activation, x, &gate, &up, keeps)?;
                (gated.act, gated.parts)
            }
            (activation, inputs) => {
                let outputs = Linear::forward_all(inputs, x, &mut lowered)?;
                let parts = split(outputs, activation)?;
                (activation.of(&parts.0, &parts.1)?, keeps.then_some(parts))
            }
        }; // (N, F)
        let act = match neuron_factors {
            None => act,
            Some(factors) => act.broadcast_mul(&factors.to_dtype(act.dtype())?)?,
        };
        let (y, down_proj) = self.down_proj.forward(&act, residual, keep)?; // (N, E)
        let inputs = lowered.into_iter().map(|low| low.into_saved()).collect();
        Ok((
            y,
            MlpSaved {
                inputs,
                down_proj,
                gated,
            },
        ))
    }

    /// `dy` (N, E) -> gradient of the normed rows, `None` if `need_dx` is false.
    pub(crate) fn backward(
        &self,
        saved: &MlpSaved,
        dy: &Tensor,
        need_dx: bool,
        gradients: &mut Gradients,
    ) -> Result<Option<Tensor>> {
        let down = self.down_proj.backward(&saved.down_proj, dy, gradients)?;
        let Some((gate, up)) = &saved.gated else {
            return Err(ModelError::op("mlp", "nothing was kept for backward"));
        };
        let outputs = match self.activation {
            Activation::Xielu(xielu) => {
                vec![xielu::backward(&xielu, up, &Backward::sum(&[down])?)?]
            }
            Activation::Gated(activation) => {
                let (d_gate, d_up) = if down.is_dropped() {
                    glu::backward(activation, gate, up, &Backward::sum(&[down])?)?
                } else {
                    gated::backward(activation, &down.share(), gate, up)?
                }; // (N, F)
                match self.inputs.len() {
                    1 => vec![Tensor::cat(&[&d_gate, &d_up], 1)?],
                    _ => vec![d_gate, d_up],
                }
            }
        };
        let shares = self
            .inputs
            .iter()
            .zip(&saved.inputs)
            .zip(&outputs)
            .map(|((input, saved), dy)| input.backward(saved, dy, gradients))
            .collect::<Result<Vec<_>>>()?;
        if need_dx {
            Ok(Some(Backward::sum(&shares)?))
        } else {
            Ok(None)
        }
    }
}

/// Gate and up, of two projections or of a merged one; up twice where there is no gate.
fn split(outputs: Vec<Tensor>, activation: Activation) -> Result<(Tensor, Tensor)> {
    match (outputs.as_slice(), activation) {
        ([one], Activation::Xielu(_)) => Ok((one.clone(), one.clone())),
        ([one], Activation::Gated(_)) => {
            let width = one.dims2()?.1 / 2;
            let part = |at: usize| one.narrow(1, at, width)?.contiguous();
            Ok((part(0)?, part(width)?))
        }
        ([gate, up], Activation::Gated(_)) => Ok((gate.clone(), up.clone())),
        _ => Err(ModelError::op("mlp", "one projection or two")),
    }
}

/// The parameters as files have them: before the softplus that keeps them above 0. The slope at 0
/// and the place where the exponential is cut are constants that newer files carry.
fn load_xielu(files: &mut WeightFiles, layer: usize) -> Result<Xielu> {
    let at = format!("model.layers.{layer}.mlp.act_fn");
    let mut number = |name: &str, shape: &[usize]| -> Result<f32> {
        let tensor = files.take_f32(&format!("{at}.{name}"), shape)?;
        Ok(tensor.flatten_all()?.to_vec1::<f32>()?[0])
    };
    let (positive, negative) = (number("alpha_p", &[1])?, number("alpha_n", &[1])?);
    let linear = match files.has(&format!("{at}.beta")) {
        true => {
            let tensor = files.take_f32(&format!("{at}.beta"), &[])?;
            tensor.to_scalar::<f32>()?
        }
        false => 0.5,
    };
    files.ignore(&format!("{at}.eps"));
    Ok(Xielu {
        positive: softplus(positive),
        negative: linear + softplus(negative),
        linear,
    })
}

fn softplus(x: f32) -> f32 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}
