//! One pre-norm residual block. Names of the residual stream: `resid_pre`, `resid_mid`, `resid_post`.

use candle_core::Tensor;

use crate::{
    adapter::Gradients,
    attention::{Attention, AttentionSaved},
    config::ModelConfig,
    error::Result,
    linear::{Keep, Linear},
    mlp::{Mlp, MlpSaved},
    ops::{add, attend::LayerKv, rms_norm, rope::Angles},
    rows::Rows,
    weights::WeightFiles,
};

/// Attention and mlp, each behind its norm.
pub(crate) struct Block {
    input_layernorm: Tensor, // (E)
    self_attn: Attention,
    post_attention_layernorm: Tensor, // (E)
    mlp: Mlp,
    eps: f64,
}

/// What backward needs.
pub(crate) struct BlockSaved {
    resid_pre: Tensor,
    resid_mid: Tensor,
    attention: AttentionSaved,
    mlp: MlpSaved,
}

impl Block {
    pub(crate) fn load(files: &mut WeightFiles, config: &ModelConfig, layer: usize) -> Result<Self> {
        let norm = |files: &mut WeightFiles, name: &str| {
            files.take_f32(&format!("model.layers.{layer}.{name}.weight"), &[config.hidden_size])
        };
        Ok(Self {
            input_layernorm: norm(files, "input_layernorm")?,
            self_attn: Attention::load(files, config, layer)?,
            post_attention_layernorm: norm(files, "post_attention_layernorm")?,
            mlp: Mlp::load(files, config, layer)?,
            eps: config.rms_norm_eps,
        })
    }

    /// Over flat rows: `x` (N, E) -> (N, E), with this layer's keys and values.
    pub(crate) fn forward(
        &self,
        rows: &Rows,
        angles: &Angles,
        x: &Tensor,
        prefix: Option<&LayerKv>,
        keep: Keep,
    ) -> Result<(Tensor, LayerKv, Option<BlockSaved>)> {
        let normed = rms_norm::forward(x, &self.input_layernorm, self.eps)?;
        let (attn_out, kv, attention) = self.self_attn.forward(rows, angles, &normed, prefix, keep)?;
        let resid_mid = add::forward(x, &attn_out)?; // (N, E)
        let normed = rms_norm::forward(&resid_mid, &self.post_attention_layernorm, self.eps)?;
        let (mlp_out, mlp) = self.mlp.forward(&normed, keep)?;
        let resid_post = add::forward(&resid_mid, &mlp_out)?; // (N, E)
        let saved = match keep {
            Keep::Nothing => None,
            Keep::ForBackward { .. } => Some(BlockSaved { resid_pre: x.clone(), resid_mid, attention, mlp }),
        };
        Ok((resid_post, kv, saved))
    }

    /// `dy` (N, E), the gradient of the block's output -> that of its input, `None` if nothing below is trained.
    pub(crate) fn backward(
        &self,
        rows: &Rows,
        angles: &Angles,
        saved: BlockSaved,
        dy: &Tensor,
        need_dx: bool,
        gradients: &mut Gradients,
    ) -> Result<Option<Tensor>> {
        let Some(d_normed) = self.mlp.backward(&saved.mlp, dy, true, gradients)? else { return Ok(None) };
        let through = rms_norm::backward(&saved.resid_mid, &self.post_attention_layernorm, self.eps, &d_normed)?;
        let d_mid = add::forward(dy, &through)?; // (N, E)
        let Some(d_normed) = self.self_attn.backward(rows, angles, &saved.attention, &d_mid, need_dx, gradients)?
        else {
            return Ok(None);
        };
        let through = rms_norm::backward(&saved.resid_pre, &self.input_layernorm, self.eps, &d_normed)?;
        Ok(Some(add::forward(&d_mid, &through)?))
    }

    /// The seven projections, in the order of the forward.
    pub(crate) fn projections(&mut self) -> [&mut Linear; 7] {
        let (attention, mlp) = (&mut self.self_attn, &mut self.mlp);
        [
            &mut attention.q_proj,
            &mut attention.k_proj,
            &mut attention.v_proj,
            &mut attention.o_proj,
            &mut mlp.gate_proj,
            &mut mlp.up_proj,
            &mut mlp.down_proj,
        ]
    }
}
