//! The decoder, written once for all families: they differ by properties of the configuration.
//!
//! Shapes: **N** flat rows, **S** sequences, **H** query heads, **G** key/value heads, **D**
//! head size, **E** hidden size, **F** mlp size, **V** vocabulary, **L** layers, **R** LoRA
//! rank.

mod angles;
mod load;
mod sampled;
mod side_by_side;
mod silenced;
mod starts;
mod streamed;
mod walk;

use candle_core::{Device, Tensor};

use crate::{
    adapter::{Adapter, Gradients},
    attention::{AttentionRows, RowAngles},
    block::{BlockPass, BlockSaved, DecoderBlock},
    config::ModelConfig,
    error::{ModelError, Result},
    linear::Keep,
    norm::Norm,
    ops::weight::Weight,
    ops::{
        self,
        attend::LayerKv,
        cross_entropy,
        divergence::{self, Divergence, Shares},
        logit_cap::{self, Head, LogitCap},
    },
    rows::Rows,
};

pub(crate) use load::open;
pub use sampled::SampledHead;
pub use silenced::{SilencedDecoder, SilencedNeurons};
pub use walk::{LayerView, Visitor, WalkDetail};

/// A place in the residual stream, before the final norm. (Hugging Face's last hidden state is
/// after it.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// Output of the embedding.
    Embedding,
    /// Output of block 1..=L.
    After(usize),
}

/// Keys and values of a run of tokens, one entry per layer: a plain value. [`Decoder::prefill`]
/// makes it, whoever reads it borrows it; it is only right for the adapter it was made with.
pub struct KvCache {
    layers: Vec<LayerKv>,
    length: usize,
}

impl KvCache {
    /// P, the tokens held.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

/// What [`Decoder::backward`] needs of a forward.
pub struct SavedForward {
    rows: Rows,
    angles: RowAngles,
    blocks: Vec<BlockKept>,
    /// As in the forward, so that one run again drops what the first did.
    keep: Keep,
}

/// What backward has of one block.
enum BlockKept {
    /// All that it needs.
    Activations(Box<BlockSaved>),
    /// The block's input (N, E): its forward is run again (arXiv 1604.06174, with blocks as
    /// segments).
    Input(Tensor),
}

/// How a forward differs from a plain one.
#[derive(Clone, Copy)]
struct ForwardPass<'a> {
    /// Keys and values before the first row.
    prefix: Option<&'a KvCache>,
    /// Rows of the result: (n); `None`: all.
    wanted: Option<&'a [u32]>,
    /// Neurons that are off.
    silenced: Option<&'a SilencedNeurons>,
    /// What is kept for backward.
    keep: Keep,
}

impl<'a> ForwardPass<'a> {
    /// Keeps nothing, and returns all rows.
    fn after(prefix: Option<&'a KvCache>) -> Self {
        Self {
            prefix,
            wanted: None,
            silenced: None,
            keep: Keep::Nothing,
        }
    }
}

/// Sees each layer's residual stream, its keys and values, and what its backward needs; what it
/// returns replaces the residual stream.
type Visit<'a> =
    dyn FnMut(Layer, &Tensor, Option<LayerKv>, Option<BlockSaved>) -> Result<Option<Tensor>> + 'a;

/// A model in memory.
pub struct Decoder {
    config: ModelConfig,
    embed_tokens: Weight, // (V, E)
    blocks: Vec<DecoderBlock>,
    norm: Norm,
    /// The same, with the logits' multiplier.
    head_norm: Norm,
    lm_head: Option<Weight>, // (V, E); None: the embedding
    logit_cap: Option<LogitCap>,
    device: Device,
    activation_checkpointing: bool,
}

impl Decoder {
    /// The model's shape.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Where its tensors live.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Sets, replaces or removes the adapter. Caches made before are wrong afterwards.
    pub fn set_adapter(&mut self, adapter: Option<&Adapter>) -> Result<()> {
        if let Some(adapter) = adapter {
            adapter.check(&self.config)?;
        }
        for block in &mut self.blocks {
            for linear in block.projections() {
                let mut lora = adapter
                    .and_then(|a| a.weights.get(&linear.place()))
                    .cloned();
                if let Some(lora) = &mut lora {
                    *lora = lora.to_device(&self.device)?;
                }
                linear.set_lora(lora)?;
            }
        }
        Ok(())
    }

    /// Whether a forward keeps only the input of each block, (L, N, E) in all, and backward
    /// runs the block's forward again. Changes memory and time, not one bit of a gradient.
    pub fn set_activation_checkpointing(&mut self, on: bool) {
        self.activation_checkpointing = on;
    }

    /// Rows of the embedding in f32: (N, E).
    fn embed(&self, input_ids: &[u32]) -> Result<Tensor> {
        if let Some(id) = input_ids
            .iter()
            .find(|&&id| id as usize >= self.config.vocab_size)
        {
            let size = self.config.vocab_size;
            return Err(ModelError::Input(format!(
                "token id {id} is outside the vocabulary of {size}; does the tokenizer belong to this model?"
            )));
        }
        let rows = self.embed_tokens.rows(input_ids, &self.device)?;
        Ok(match self.config.embedding_multiplier {
            1.0 => rows,
            factor => (rows * factor)?,
        })
    }

    /// Runs all blocks, calling `visit` with the residual stream at each layer; returns the
    /// last: (N, E), or (n, E) of the `wanted` rows alone.
    fn run(
        &self,
        input_ids: &[u32],
        rows: &Rows,
        pass: ForwardPass<'_>,
        visit: &mut Visit<'_>,
    ) -> Result<(Tensor, RowAngles)> {
        let held = pass.prefix.map_or(0, KvCache::len);
        if input_ids.len() != rows.len() || rows.prefix() != held || rows.is_empty() {
            let sizes = (input_ids.len(), rows.len(), rows.prefix(), held);
            return Err(ModelError::op(
                "decoder",
                format!("ids, rows, prefix, cache: {sizes:?}"),
            ));
        }
        let angles = angles::of_rows(&self.config, rows, &self.device)?;
        let mut x = self.embed(input_ids)?;
        if let Some(other) = visit(Layer::Embedding, &x, None, None)? {
            x = checked(Layer::Embedding, other, &x)?;
        }
        let wanted = pass
            .wanted
            .map(|index| Tensor::new(index, &self.device))
            .transpose()?;
        for (layer, block) in self.blocks.iter().enumerate() {
            // Only keys and values of the last block's rows are of use to others.
            let block_pass = BlockPass {
                prefix: pass.prefix.map(|p| &p.layers[layer]),
                wanted: wanted.as_ref().filter(|_| layer + 1 == self.blocks.len()),
                neuron_factors: pass.silenced.and_then(|off| off.factors(layer)),
                keep: pass.keep,
            };
            let (resid_post, kv, saved) = block.forward(
                AttentionRows {
                    rows,
                    angles: &angles,
                },
                &x,
                block_pass,
            )?;
            x = resid_post;
            if let Some(other) = visit(Layer::After(layer + 1), &x, Some(kv), saved)? {
                x = checked(Layer::After(layer + 1), other, &x)?;
            }
        }
        Ok((x, angles))
    }

    /// Residual stream after the last block, before the final norm: (N, E).
    pub fn hidden(
        &self,
        input_ids: &[u32],
        rows: &Rows,
        prefix: Option<&KvCache>,
    ) -> Result<Tensor> {
        self.unvisited(input_ids, rows, ForwardPass::after(prefix))
    }

    /// Rows `wanted` (n) of [`Decoder::hidden`], in their order, to the same bits: (n, E). What
    /// the last block would make of the other rows is not computed.
    pub fn hidden_at(
        &self,
        input_ids: &[u32],
        rows: &Rows,
        prefix: Option<&KvCache>,
        wanted: &[u32],
    ) -> Result<Tensor> {
        let pass = ForwardPass {
            wanted: Some(wanted),
            ..ForwardPass::after(prefix)
        };
        self.unvisited(input_ids, rows, pass)
    }

    /// A pass that nobody looks at: the last block's residual stream.
    fn unvisited(&self, input_ids: &[u32], rows: &Rows, pass: ForwardPass<'_>) -> Result<Tensor> {
        Ok(self
            .run(input_ids, rows, pass, &mut |_, _, _, _| Ok(None))?
            .0)
    }

    /// The final norm: (N, E) -> (N, E).
    pub fn final_norm(&self, hidden: &Tensor) -> Result<Tensor> {
        self.norm.forward(hidden)
    }

    /// What the head reads of residual rows: (N, E) -> (N, E).
    fn head_rows(&self, hidden: &Tensor) -> Result<Tensor> {
        self.head_norm.forward(hidden)
    }

    /// Final norm and head: residual rows (n, E) -> logits (n, V). Only rows that are scored
    /// should come here.
    pub fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        let head = self.head();
        let products = ops::linear::forward(&self.head_rows(hidden)?, head.weight, None)?;
        match head.cap {
            None => Ok(products),
            Some(cap) => logit_cap::forward(&products, cap),
        }
    }

    /// The output embedding (V, E), and the cap of its products.
    fn head(&self) -> Head<'_> {
        Head {
            weight: self.lm_head.as_ref().unwrap_or(&self.embed_tokens),
            cap: self.logit_cap.as_ref(),
        }
    }

    /// Rows `index` of (N, E): (n, E).
    pub fn select(&self, hidden: &Tensor, index: &[u32]) -> Result<Tensor> {
        Ok(hidden.index_select(&Tensor::new(index, &self.device)?, 0)?)
    }

    /// Forward that keeps what [`Decoder::backward`] needs.
    pub fn forward(
        &self,
        input_ids: &[u32],
        rows: &Rows,
        dropout: Option<ops::lora::Dropout>,
    ) -> Result<(Tensor, SavedForward)> {
        let keep = Keep::ForBackward { dropout };
        let mut blocks = Vec::with_capacity(self.blocks.len() + 1);
        let pass = ForwardPass {
            keep,
            ..ForwardPass::after(None)
        };
        let (x, angles) = self.run(input_ids, rows, pass, &mut |_, resid, _, saved| {
            if self.activation_checkpointing {
                blocks.push(BlockKept::Input(resid.clone()));
            } else {
                blocks.extend(saved.map(|saved| BlockKept::Activations(Box::new(saved))));
            }
            Ok(None)
        })?;
        blocks.truncate(self.blocks.len()); // the output of the last block is nobody's input
        Ok((
            x,
            SavedForward {
                rows: rows.clone(),
                angles,
                blocks,
                keep,
            },
        ))
    }

    /// Sum of cross-entropies (nats) of `targets` at `rows` (n, E) of the residual stream, one
    /// each.
    pub fn loss_of(&self, rows: &Tensor, targets: &[u32]) -> Result<f64> {
        Ok(
            cross_entropy::forward_backward(&self.head_rows(rows)?, self.head(), targets, false)?
                .sum,
        )
    }

    /// Sum of cross-entropies (nats) of `targets` at rows `learnt` of `hidden`, and its
    /// gradient by `hidden` (N, E).
    pub fn loss(
        &self,
        hidden: &Tensor,
        learnt: &[u32],
        targets: &[u32],
        with_gradient: bool,
    ) -> Result<(f64, Option<Tensor>)> {
        let rows = self.select(hidden, learnt)?; // (n, E)
        let normed = self.head_rows(&rows)?;
        let loss = cross_entropy::forward_backward(&normed, self.head(), targets, with_gradient)?;
        let Some(d_normed) = loss.d_hidden else {
            return Ok((loss.sum, None));
        };
        let d_rows = self.head_norm.backward(&rows, &d_normed, None)?;
        let d_hidden =
            hidden
                .zeros_like()?
                .index_add(&Tensor::new(learnt, &self.device)?, &d_rows, 0)?;
        Ok((loss.sum, Some(d_hidden)))
    }

    /// What the model says after residual rows (n, E), for [`Decoder::divergence`].
    pub fn shares(&self, hidden: &Tensor) -> Result<Shares> {
        Shares::of(&self.logits(hidden)?)
    }

    /// How far what final norm and head make of residual rows (n, E) is from `shares`; the
    /// gradient is by the rows.
    pub fn divergence(
        &self,
        hidden: &Tensor,
        shares: &Shares,
        with_gradient: bool,
    ) -> Result<Divergence> {
        let normed = self.head_rows(hidden)?;
        let mut found = divergence::forward_backward(&normed, self.head(), shares, with_gradient)?;
        if let Some(d_normed) = found.d_hidden.take() {
            found.d_hidden = Some(self.head_norm.backward(hidden, &d_normed, None)?);
        }
        Ok(found)
    }

    /// Gradients of the adapter's matrices for `d_hidden` (N, E), added to `gradients`. Stops
    /// at the lowest block: nothing below it is trained.
    pub fn backward(
        &self,
        saved: SavedForward,
        d_hidden: &Tensor,
        gradients: &mut Gradients,
    ) -> Result<()> {
        let SavedForward {
            rows,
            angles,
            blocks,
            keep,
        } = saved;
        let mut dy = d_hidden.clone();
        for (layer, (block, kept)) in self.blocks.iter().zip(blocks).enumerate().rev() {
            let at = AttentionRows {
                rows: &rows,
                angles: &angles,
            };
            let saved = match kept {
                BlockKept::Activations(saved) => *saved,
                BlockKept::Input(x) => {
                    let (_, _, saved) = block.forward(at, &x, BlockPass::plain(keep))?;
                    saved.ok_or_else(|| {
                        ModelError::op("decoder", "a forward for backward kept nothing")
                    })?
                }
            };
            match block.backward(at, saved, &dy, layer > 0, gradients)? {
                Some(dx) => dy = dx,
                None => break,
            }
        }
        Ok(())
    }
}

/// `other`, if it can replace `x`.
fn checked(layer: Layer, other: Tensor, x: &Tensor) -> Result<Tensor> {
    if other.dims() == x.dims() && other.dtype() == x.dtype() {
        return Ok(other);
    }
    let shapes = format!(
        "{layer:?}: {:?} cannot replace {:?}",
        other.dims(),
        x.dims()
    );
    Err(ModelError::op("decoder", shapes))
}
