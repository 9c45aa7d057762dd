//! One pre-norm residual block. Names of the residual stream: `resid_pre`, `resid_mid`,
//! `resid_post`.

use candle_core::Tensor;

use crate::{
    adapter::Gradients,
    attention::{Attention, AttentionSaved},
    config::ModelConfig,
    error::Result,
    linear::{Keep, Linear},
    mlp::{Mlp, MlpSaved},
    ops::{attend::LayerKv, rms_norm, rope::Angles},
    rows::Rows,
    weights::WeightFiles,
};

/// Attention and mlp, each behind its norm.
pub(crate) struct DecoderBlock {
    input_layernorm: Tensor, // (E)
    self_attn: Attention,
    post_attention_layernorm: Tensor, // (E)
    mlp: Mlp,
    eps: f64,
}

/// How one block's forward differs from a plain one.
#[derive(Clone, Copy)]
pub(crate) struct BlockPass<'a> {
    /// The layer's keys and values before the first row.
    pub(crate) prefix: Option<&'a LayerKv>,
    /// Rows of the output that are computed, where nothing is kept: (n); `None`: all.
    pub(crate) wanted: Option<&'a Tensor>,
    /// Factors of the mlp's neurons: (F); `None`: all are 1.
    pub(crate) neuron_factors: Option<&'a Tensor>,
    /// What is kept for backward.
    pub(crate) keep: Keep,
}

impl BlockPass<'_> {
    /// Over all rows, from the first token, with all neurons.
    pub(crate) fn plain(keep: Keep) -> Self {
        Self {
            prefix: None,
            wanted: None,
            neuron_factors: None,
            keep,
        }
    }
}

/// What backward needs.
pub(crate) struct BlockSaved {
    resid_pre: Tensor,
    resid_mid: Tensor,
    attention: AttentionSaved,
    mlp: MlpSaved,
}

impl BlockSaved {
    /// Gates before their activation and up projections: (N, F) each.
    pub(crate) fn gated(&self) -> Option<(&Tensor, &Tensor)> {
        self.mlp.gated()
    }
}

impl DecoderBlock {
    pub(crate) fn load(
        files: &mut WeightFiles,
        config: &ModelConfig,
        layer: usize,
    ) -> Result<Self> {
        let norm = |files: &mut WeightFiles, name: &str| {
            files.take_f32(
                &format!("model.layers.{layer}.{name}.weight"),
                &[config.hidden_size],
            )
        };
        Ok(Self {
            input_layernorm: norm(files, "input_layernorm")?,
            self_attn: Attention::load(files, config, layer)?,
            post_attention_layernorm: norm(files, "post_attention_layernorm")?,
            mlp: Mlp::load(files, config, layer)?,
            eps: config.rms_norm_eps,
        })
    }

    /// Over flat rows: `x` (N, E) -> (N, E), or (n, E) of the wanted rows, with this layer's
    /// keys and values.
    pub(crate) fn forward(
        &self,
        rows: &Rows,
        angles: &Angles,
        x: &Tensor,
        pass: BlockPass<'_>,
    ) -> Result<(Tensor, LayerKv, Option<BlockSaved>)> {
        let BlockPass {
            prefix,
            wanted,
            neuron_factors,
            keep,
        } = pass;
        let normed = rms_norm::forward(x, &self.input_layernorm, self.eps)?;
        let (resid_mid, kv, attention) = self
            .self_attn
            .forward(rows, angles, &normed, x, prefix, wanted, keep)?; // (N, E)
        let normed = rms_norm::forward(&resid_mid, &self.post_attention_layernorm, self.eps)?;
        let (resid_post, mlp) = self
            .mlp
            .forward(&normed, &resid_mid, neuron_factors, keep)?; // (N, E)
        let saved = match keep {
            Keep::Nothing => None,
            Keep::ForBackward { .. } => Some(BlockSaved {
                resid_pre: x.clone(),
                resid_mid,
                attention,
                mlp,
            }),
        };
        Ok((resid_post, kv, saved))
    }

    /// `dy` (N, E), the gradient of the block's output -> that of its input, `None` if nothing
    /// below is trained.
    pub(crate) fn backward(
        &self,
        rows: &Rows,
        angles: &Angles,
        saved: BlockSaved,
        dy: &Tensor,
        need_dx: bool,
        gradients: &mut Gradients,
    ) -> Result<Option<Tensor>> {
        let Some(d_normed) = self.mlp.backward(&saved.mlp, dy, true, gradients)? else {
            return Ok(None);
        };
        let weight = &self.post_attention_layernorm;
        let d_mid = rms_norm::backward(&saved.resid_mid, weight, self.eps, &d_normed, Some(dy))?; // (N, E)
        let Some(d_normed) =
            self.self_attn
                .backward(rows, angles, &saved.attention, &d_mid, need_dx, gradients)?
        else {
            return Ok(None);
        };
        let weight = &self.input_layernorm;
        Ok(Some(rms_norm::backward(
            &saved.resid_pre,
            weight,
            self.eps,
            &d_normed,
            Some(&d_mid),
        )?))
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
