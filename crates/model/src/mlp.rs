//! The gated mlp: down(silu(gate(x)) · up(x)).

use candle_core::Tensor;

use crate::{
    adapter::{Gradients, Place, Projection},
    config::ModelConfig,
    error::Result,
    linear::{Keep, Linear, LinearSaved},
    ops::{add, swiglu},
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
    gate: Tensor,
    up: Tensor,
}

impl Mlp {
    pub(crate) fn load(files: &mut WeightFiles, config: &ModelConfig, layer: usize) -> Result<Self> {
        let (e, f) = (config.hidden_size, config.intermediate_size);
        let mut linear = |projection, shape| Linear::load(files, config, Place { layer, projection }, shape);
        Ok(Self {
            gate_proj: linear(Projection::Gate, (f, e))?,
            up_proj: linear(Projection::Up, (f, e))?,
            down_proj: linear(Projection::Down, (e, f))?,
        })
    }

    /// `x` (N, E) after the norm -> (N, E)
    pub(crate) fn forward(&self, x: &Tensor, keep: Keep) -> Result<(Tensor, MlpSaved)> {
        let (gate, gate_saved) = self.gate_proj.forward(x, keep)?; // (N, F)
        let (up, up_saved) = self.up_proj.forward(x, keep)?; // (N, F)
        let act = swiglu::forward(&gate, &up)?; // (N, F)
        let (y, down_saved) = self.down_proj.forward(&act, keep)?; // (N, E)
        Ok((y, MlpSaved { gate_proj: gate_saved, up_proj: up_saved, down_proj: down_saved, gate, up }))
    }

    /// `dy` (N, E) -> gradient of the normed rows, `None` if `need_dx` is false.
    pub(crate) fn backward(
        &self,
        saved: &MlpSaved,
        dy: &Tensor,
        need_dx: bool,
        gradients: &mut Gradients,
    ) -> Result<Option<Tensor>> {
        let Some(d_act) = self.down_proj.backward(&saved.down_proj, dy, true, gradients)? else { return Ok(None) };
        let (d_gate, d_up) = swiglu::backward(&saved.gate, &saved.up, &d_act)?; // (N, F)
        let from_gate = self.gate_proj.backward(&saved.gate_proj, &d_gate, need_dx, gradients)?;
        let from_up = self.up_proj.backward(&saved.up_proj, &d_up, need_dx, gradients)?;
        match (from_gate, from_up) {
            (Some(gate), Some(up)) => Ok(Some(add::forward(&gate, &up)?)),
            _ => Ok(None),
        }
    }
}
