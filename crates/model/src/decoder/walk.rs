//! Walks through the blocks: shows each layer to a visitor, which may replace its residual
//! stream. For capture, lens, patching and silencing. Never here: what is computed from it.

use candle_core::Tensor;

use super::{Decoder, ForwardPass, KvCache, Layer};
use crate::{
    block::BlockSaved, error::Result, linear::Keep, mlp::Activation, ops::attend::LayerKv,
    rows::Rows,
};

/// One layer, as a walk shows it.
pub struct LayerView<'a> {
    /// Where.
    pub layer: Layer,
    /// The residual stream after it: (N, E).
    pub residual: &'a Tensor,
    /// The block's gates before their activation and its up projections, (N, F) each; up twice
    /// where there is no gate. `None` after the embedding, and where they were not asked for.
    pub mlp: Option<(&'a Tensor, &'a Tensor)>,
    activation: Option<Activation>,
}

impl LayerView<'_> {
    /// The neurons' values, what `down_proj` reads: (N, F).
    ///
    /// # Errors
    /// None that a device in order has.
    pub fn neurons(&self) -> Result<Option<Tensor>> {
        let (Some((gate, up)), Some(activation)) = (self.mlp, self.activation) else {
            return Ok(None);
        };
        activation.of(gate, up).map(Some)
    }
}

/// How much a walk shows of a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WalkDetail {
    /// The residual stream.
    #[default]
    Residual,
    /// The neurons too.
    Neurons,
}

impl WalkDetail {
    /// A forward for backward keeps the parts of the mlp.
    fn keep(self) -> Keep {
        match self {
            Self::Residual => Keep::Nothing,
            Self::Neurons => Keep::ForBackward { dropout: None },
        }
    }
}

/// Called at each layer; what it returns replaces the residual stream (N, E).
pub type Visitor<'a> = dyn FnMut(LayerView<'_>) -> Result<Option<Tensor>> + 'a;

fn show<'a>(layer: Layer, residual: &'a Tensor, saved: Option<&'a BlockSaved>) -> LayerView<'a> {
    LayerView {
        layer,
        residual,
        mlp: saved.and_then(BlockSaved::gated),
        activation: saved.map(BlockSaved::activation),
    }
}

impl Decoder {
    /// As [`Decoder::hidden`], showing the residual stream (N, E) at every layer on the way.
    pub fn walk(
        &self,
        input_ids: &[u32],
        rows: &Rows,
        prefix: Option<&KvCache>,
        visit: &mut dyn FnMut(Layer, &Tensor) -> Result<()>,
    ) -> Result<Tensor> {
        let visit = &mut |seen: LayerView<'_>| visit(seen.layer, seen.residual).map(|()| None);
        self.walk_through(input_ids, rows, prefix, WalkDetail::Residual, visit)
    }

    /// As [`Decoder::walk`], with as much of each layer as `detail` says; what `visit` returns
    /// replaces the residual stream. Keys and values of later layers are of the changed stream,
    /// those of earlier ones are not touched.
    pub fn walk_through(
        &self,
        input_ids: &[u32],
        rows: &Rows,
        prefix: Option<&KvCache>,
        detail: WalkDetail,
        visit: &mut Visitor<'_>,
    ) -> Result<Tensor> {
        let see = &mut |layer, x: &Tensor, _, saved: Option<BlockSaved>| {
            visit(show(layer, x, saved.as_ref()))
        };
        let pass = ForwardPass {
            keep: detail.keep(),
            ..ForwardPass::after(prefix)
        };
        Ok(self.run(input_ids, rows, pass, see)?.0)
    }

    /// Keys and values of `input_ids` after what `before` holds, and the residual stream of
    /// their rows.
    pub fn prefill(
        &self,
        input_ids: &[u32],
        before: Option<&KvCache>,
    ) -> Result<(KvCache, Tensor)> {
        let pass = ForwardPass::after(before);
        self.prefill_pass(input_ids, pass, &mut |_| Ok(None))
    }

    /// As [`Decoder::prefill`], shown and changed on the way as by [`Decoder::walk_through`].
    pub fn prefill_through(
        &self,
        input_ids: &[u32],
        before: Option<&KvCache>,
        detail: WalkDetail,
        visit: &mut Visitor<'_>,
    ) -> Result<(KvCache, Tensor)> {
        let pass = ForwardPass {
            keep: detail.keep(),
            ..ForwardPass::after(before)
        };
        self.prefill_pass(input_ids, pass, visit)
    }

    /// As [`Decoder::prefill_through`], with everything that a pass may have.
    pub(super) fn prefill_pass(
        &self,
        input_ids: &[u32],
        pass: ForwardPass<'_>,
        visit: &mut Visitor<'_>,
    ) -> Result<(KvCache, Tensor)> {
        let before = pass.prefix;
        let held = before.map_or(0, KvCache::len);
        let rows = Rows::new([input_ids.len()], held);
        let mut layers: Vec<LayerKv> = Vec::with_capacity(self.blocks.len());
        let (x, _) = self.run(input_ids, &rows, pass, &mut |layer, x, kv, saved| {
            if let (Layer::After(layer), Some(mut kv)) = (layer, kv) {
                if let Some(old) = before.map(|before| &before.layers[layer - 1]) {
                    kv = LayerKv::new(
                        Tensor::cat(&[&old.k, &kv.k], 0)?,
                        Tensor::cat(&[&old.v, &kv.v], 0)?,
                    );
                }
                kv.pack(&self.config.heads(layer - 1))?;
                layers.push(kv);
            }
            visit(show(layer, x, saved.as_ref()))
        })?;
        Ok((
            KvCache {
                layers,
                length: held + input_ids.len(),
            },
            x,
        ))
    }
}
