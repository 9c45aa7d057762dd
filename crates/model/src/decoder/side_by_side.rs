//! Several texts continued side by side, each after keys and values of its own: the weights are
//! read once for all of them. Never here: which token comes next.

use candle_core::Tensor;

use super::{Decoder, ForwardPass, KvCache, Layer};
use crate::{error::Result, ops::attend::LayerKv, rows::Rows};

impl Decoder {
    /// Keys and values of each of `texts` (S, none empty), and the residual stream of their last
    /// rows: (S, E).
    pub fn prefill_each(&self, texts: &[&[u32]]) -> Result<(Vec<KvCache>, Tensor)> {
        let rows = Rows::new(texts.iter().map(|text| text.len()), 0);
        let ids = texts.concat();
        let pass = ForwardPass::after(None);
        let (layers, x) = self.run_keeping(&ids, &rows, pass)?;
        let mut caches = Vec::with_capacity(texts.len());
        for (sequence, text) in texts.iter().enumerate() {
            let start = rows.range(sequence).start;
            let of_layer = |kv: &LayerKv| kv.part(start, text.len());
            caches.push(KvCache {
                layers: layers.iter().map(of_layer).collect::<Result<_>>()?,
                length: text.len(),
            });
        }
        let last: Vec<u32> = (0..texts.len())
            .map(|sequence| rows.range(sequence).end as u32 - 1)
            .collect();
        Ok((caches, self.select(&x, &last)?))
    }

    /// Continues each of `caches` (S) by one token of `ids`; returns the residual stream of the
    /// new rows: (S, E). To the bit as if each were continued alone.
    pub fn extend_each(&self, ids: &[u32], caches: &mut [KvCache]) -> Result<Tensor> {
        let rows = Rows::apart(caches.iter().map(KvCache::len));
        let layers = (0..self.blocks.len())
            .map(|layer| LayerKv::of_each(caches.iter().map(|cache| &cache.layers[layer])))
            .collect::<Result<_>>()?;
        let before = KvCache { layers, length: 0 };
        let pass = ForwardPass::after(Some(&before));
        let (layers, x) = self.run_keeping(ids, &rows, pass)?;
        for (sequence, cache) in caches.iter_mut().enumerate() {
            for (kv, new) in cache.layers.iter_mut().zip(&layers) {
                *kv = kv.followed_by(&new.part(sequence, 1)?)?;
            }
            cache.length += 1;
        }
        Ok(x)
    }

    /// The residual stream of all rows, and each layer's keys and values of them.
    fn run_keeping(
        &self,
        ids: &[u32],
        rows: &Rows,
        pass: ForwardPass<'_>,
    ) -> Result<(Vec<LayerKv>, Tensor)> {
        let mut layers = Vec::with_capacity(self.blocks.len());
        let (x, _) = self.run(ids, rows, pass, &mut |layer, _, kv, _| {
            if let Layer::After(_) = layer {
                layers.extend(kv);
            }
            Ok(None)
        })?;
        Ok((layers, x))
    }
}
