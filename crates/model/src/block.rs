//! One residual block: attention and mlp, each with a norm before it, after it, or both. Names of
//! the residual stream: `resid_pre`, `resid_mid`, `resid_post`.

use candle_core::Tensor;

use crate::{
    adapter::Gradients,
    attention::{Attention, AttentionRows, AttentionSaved},
    config::ModelConfig,
    error::Result,
    linear::{Keep, Linear},
    mlp::{Activation, Mlp, MlpSaved},
    norm::Norm,
    ops::{add, attend::LayerKv},
    weights::WeightFiles,
};

/// Attention and mlp, each with its norms.
pub(crate) struct DecoderBlock {
    before_attention: Option<Norm>,
    self_attn: Attention,
    after_attention: Joint,
    before_mlp: Option<Norm>,
    mlp: Mlp,
    after_mlp: Joint,
    /// Whether the mlp reads what attention reads.
    is_parallel: bool,
}

/// How an output is added to the residual stream.
struct Joint {
    norm: Option<Norm>,
    factor: f64,
}

impl Joint {
    /// Whether the output is added as it is, so that its product can do that.
    fn is_plain(&self) -> bool {
        self.norm.is_none() && self.factor == 1.0
    }

    /// The residual stream with `output` added, both (N, E).
    fn forward(&self, residual: &Tensor, output: &Tensor) -> Result<Tensor> {
        let normed = self.norm.as_ref().map(|norm| norm.forward(output));
        let normed = normed.transpose()?;
        let output = normed.as_ref().unwrap_or(output);
        match self.factor == 1.0 {
            true => add::forward(residual, output),
            false => add::forward_scaled(residual, output, self.factor),
        }
    }

    /// Gradient of the output: `dy` (N, E) is that of the residual stream after it.
    fn backward(&self, output: Option<&Tensor>, dy: &Tensor) -> Result<Tensor> {
        let scaled = match self.factor == 1.0 {
            true => dy.clone(),
            false => (dy * self.factor)?,
        };
        match (&self.norm, output) {
            (Some(norm), Some(output)) => norm.backward(output, &scaled, None),
            _ => Ok(scaled),
        }
    }
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
    /// What attention and mlp put out, where a norm comes after them.
    outputs: [Option<Tensor>; 2],
    activation: Activation,
}

impl BlockSaved {
    /// Gates before their activation and up projections: (N, F) each.
    pub(crate) fn gated(&self) -> Option<(&Tensor, &Tensor)> {
        self.mlp.gated()
    }

    /// From these to the neurons' values.
    pub(crate) fn activation(&self) -> Activation {
        self.activation
    }
}

impl DecoderBlock {
    pub(crate) fn load(
        files: &mut WeightFiles,
        config: &ModelConfig,
        layer: usize,
    ) -> Result<Self> {
        let norm = |files: &mut WeightFiles, name: Option<&str>| {
            let at = |name: &str| format!("model.layers.{layer}.{name}");
            name.map(|name| Norm::load(files, config, &at(name), &[config.hidden_size]))
                .transpose()
        };
        let factor = config.residual_multiplier;
        let names = config.norms;
        Ok(Self {
            before_attention: norm(files, names.before_attention)?,
            self_attn: Attention::load(files, config, layer)?,
            after_attention: Joint {
                norm: norm(files, names.after_attention)?,
                factor,
            },
            before_mlp: norm(files, names.before_mlp)?,
            mlp: Mlp::load(files, config, layer)?,
            after_mlp: Joint {
                norm: norm(files, names.after_mlp)?,
                factor,
            },
            is_parallel: names.parallel,
        })
    }

    /// Over flat rows: `x` (N, E) -> (N, E), or (n, E) of the wanted rows, with this layer's
    /// keys and values.
    pub(crate) fn forward(
        &self,
        at: AttentionRows<'_>,
        x: &Tensor,
        pass: BlockPass<'_>,
    ) -> Result<(Tensor, LayerKv, Option<BlockSaved>)> {
        let BlockPass {
            prefix,
            wanted,
            neuron_factors,
            keep,
        } = pass;
        let normed = normed(&self.before_attention, x)?;
        let joint = &self.after_attention;
        let residual = joint.is_plain().then_some(x);
        let (y, kv, attention) = self
            .self_attn
            .forward(at, &normed, residual, prefix, wanted, keep)?; // (N, E)
        let (resid_mid, attention_output) = match joint.is_plain() {
            true => (y, None),
            false => (joint.forward(&select(x, wanted)?, &y)?, Some(y)),
        };
        let normed = match self.is_parallel {
            true => select(&normed, wanted)?,
            false => self::normed(&self.before_mlp, &resid_mid)?,
        };
        let joint = &self.after_mlp;
        let residual = joint.is_plain().then_some(&resid_mid);
        let (y, mlp) = self.mlp.forward(&normed, residual, neuron_factors, keep)?; // (N, E)
        let (resid_post, mlp_output) = match joint.is_plain() {
            true => (y, None),
            false => (joint.forward(&resid_mid, &y)?, Some(y)),
        };
        let saved = match keep {
            Keep::Nothing => None,
            Keep::ForBackward { .. } => Some(BlockSaved {
                resid_pre: x.clone(),
                resid_mid,
                attention,
                mlp,
                outputs: [
                    attention_output.filter(|_| self.after_attention.norm.is_some()),
                    mlp_output.filter(|_| self.after_mlp.norm.is_some()),
                ],
                activation: self.mlp.activation(),
            }),
        };
        Ok((resid_post, kv, saved))
    }

    /// `dy` (N, E), the gradient of the block's output -> that of its input, `None` if nothing
    /// below is trained.
    pub(crate) fn backward(
        &self,
        at: AttentionRows<'_>,
        saved: BlockSaved,
        dy: &Tensor,
        need_dx: bool,
        gradients: &mut Gradients,
    ) -> Result<Option<Tensor>> {
        let [attention_output, mlp_output] = &saved.outputs;
        let d_output = self.after_mlp.backward(mlp_output.as_ref(), dy)?;
        let Some(d_mlp) = self.mlp.backward(&saved.mlp, &d_output, true, gradients)? else {
            return Ok(None);
        };
        let d_mid = match (&self.before_mlp, self.is_parallel) {
            (_, true) => dy.clone(),
            (Some(norm), _) => norm.backward(&saved.resid_mid, &d_mlp, Some(dy))?,
            (None, _) => add::forward(dy, &d_mlp)?,
        }; // (N, E)
        let d_output = self
            .after_attention
            .backward(attention_output.as_ref(), &d_mid)?;
        let Some(mut d_normed) =
            self.self_attn
                .backward(at, &saved.attention, &d_output, need_dx, gradients)?
        else {
            return Ok(None);
        };
        if self.is_parallel {
            d_normed = add::forward(&d_normed, &d_mlp)?;
        }
        Ok(Some(match &self.before_attention {
            Some(norm) => norm.backward(&saved.resid_pre, &d_normed, Some(&d_mid))?,
            None => add::forward(&d_mid, &d_normed)?,
        }))
    }

    /// The projections, in the order of the forward.
    pub(crate) fn projections(&mut self) -> impl Iterator<Item = &mut Linear> {
        let (attention, mlp) = (&mut self.self_attn, &mut self.mlp);
        attention
            .inputs
            .iter_mut()
            .chain([&mut attention.o_proj])
            .chain(&mut mlp.inputs)
            .chain([&mut mlp.down_proj])
    }
}

/// What is read of the residual stream.
fn normed(norm: &Option<Norm>, x: &Tensor) -> Result<Tensor> {
    norm.as_ref()
        .map_or_else(|| Ok(x.clone()), |n| n.forward(x))
}

/// The rows that are wanted.
fn select(x: &Tensor, wanted: Option<&Tensor>) -> Result<Tensor> {
    Ok(match wanted {
        None => x.clone(),
        Some(index) => x.index_select(index, 0)?,
    })
}
