//! The gated mlp: down(silu(gate(x)) · up(x)).

use candle_core::Tensor;

use crate::{
    adapter::Gradients,
    config::ModelConfig,
    error::{ModelError, Result},
    linear::{Backward, Keep, Linear, LinearSaved},
    ops::{
        gated::{self, Gated},
        linear, swiglu,
    },
    projection::{LayerProjection, Projection},
    weights::WeightFiles,
};

/// One layer's mlp.
pub(crate) struct Mlp {
    pub(crate) gate_proj: Linear,
    pub(crate) up_proj: Linear,
    pub(crate) down_proj: Linear,
}

/// What backward needs.
pub(crate) struct MlpSaved {
    gate_proj: LinearSaved,
    up_proj: LinearSaved,
    down_proj: LinearSaved,
    /// The projections themselves, both (N, F).
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
        let (e, f) = (config.hidden_size, config.intermediate_size);
        let mut linear = |projection, shape| {
            Linear::load(files, config, LayerProjection { layer, projection }, shape)
        };
        Ok(Self {
            gate_proj: linear(Projection::Gate, (f, e))?,
            up_proj: linear(Projection::Up, (f, e))?,
            down_proj: linear(Projection::Down, (e, f))?,
        })
    }

    /// `residual` (N, E) + the mlp of `x` (N, E), which is after the norm. `neuron_factors` (F),
    /// where given, multiply the neurons' activations; backward knows nothing of them.
    pub(crate) fn forward(
        &self,
        x: &Tensor,
        residual: &Tensor,
        neuron_factors: Option<&Tensor>,
        keep: Keep,
    ) -> Result<(Tensor, MlpSaved)> {
        let (mut gate_low, mut up_low) =
            (self.gate_proj.lower(x, keep)?, self.up_proj.lower(x, keep)?);
        let (gate, up) = (
            self.gate_proj.projected(&gate_low),
            self.up_proj.projected(&up_low),
        );
        let is_kept = matches!(keep, Keep::ForBackward { .. });
        let gated = if self.gate_proj.is_scaled() || self.up_proj.is_scaled() {
            // What is scaled is no part of the fused products.
            let [gate, up]: [Tensor; 2] = linear::forward_all(x, &[gate, up], None)?
                .try_into()
                .map_err(|_| ModelError::op("mlp", "two projections"))?;
            let gate = self.gate_proj.finish(gate, None, &mut gate_low)?;
            let up = self.up_proj.finish(up, None, &mut up_low)?;
            let act = swiglu::forward(&gate, &up)?;
            Gated {
                parts: is_kept.then_some((gate, up)),
                act,
            }
        } else {
            gated::forward(x, &gate, &up, is_kept)?
        }; // (N, F)
        let act = match neuron_factors {
            None => gated.act,
            Some(factors) => gated
                .act
                .broadcast_mul(&factors.to_dtype(gated.act.dtype())?)?,
        };
        let (y, down_proj) = self.down_proj.forward(&act, Some(residual), keep)?; // (N, E)
        let (gate_proj, up_proj) = (gate_low.into_saved(), up_low.into_saved());
        Ok((
            y,
            MlpSaved {
                gate_proj,
                up_proj,
                down_proj,
                gated: gated.parts,
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
        let (d_gate, d_up) = if down.is_dropped() {
            swiglu::backward(gate, up, &Backward::sum(&[down])?)?
        } else {
            gated::backward(&down.share(), gate, up)?
        }; // (N, F)
        let gate = self
            .gate_proj
            .backward(&saved.gate_proj, &d_gate, gradients)?;
        let up = self.up_proj.backward(&saved.up_proj, &d_up, gradients)?;
        if need_dx {
            Ok(Some(Backward::sum(&[gate, up])?))
        } else {
            Ok(None)
        }
    }
}
