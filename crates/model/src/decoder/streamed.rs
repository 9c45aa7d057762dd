//! A forward in which each block is loaded when its turn comes and dropped after it: for a few rows
//! of a model that is larger than the memory. Never here: what the logits are for.

use candle_core::{Device, Tensor};
use hub::ModelFiles;
use schema::task::Precision;

use super::{Decoder, ForwardPass, Layer, load};
use crate::{
    adapter::Adapter,
    block::DecoderBlock,
    config::ModelConfig,
    error::{ModelError, Result},
    rows::Rows,
};

impl Decoder {
    /// Logits after the last token of each prompt, (S, V), in f32 on the CPU, as
    /// [`Decoder::load`], [`Decoder::set_adapter`] and a forward give them to the same bits.
    ///
    /// # Errors
    /// As those; a prompt is empty.
    pub fn stream_last_logits(
        files: &ModelFiles,
        adapter: Option<&Adapter>,
        prompts: &[Vec<u32>],
    ) -> Result<Tensor> {
        if prompts.iter().any(Vec::is_empty) {
            return Err(ModelError::Input("a prompt has no token".to_owned()));
        }
        let (config, mut weights, _) = load::open(files, Precision::F32, &Device::Cpu)?;
        if let Some(adapter) = adapter {
            adapter.check(&config)?;
        }
        let ends = ModelConfig {
            num_hidden_layers: 0,
            ..config.clone()
        };
        let mut decoder = Self::build(ends, &mut weights, &Device::Cpu)?;
        decoder.config = config.clone();
        let (ids, rows) = (prompts.concat(), Rows::new(prompts.iter().map(Vec::len), 0));
        let mut x = decoder.embed(&ids)?;
        for layer in 0..config.num_hidden_layers {
            decoder.blocks = vec![DecoderBlock::load(&mut weights, &config, layer)?];
            decoder.set_adapter(adapter)?;
            let before = x.clone();
            let mut visit =
                |at: Layer, _: &Tensor, _, _| Ok((at == Layer::Embedding).then(|| before.clone()));
            (x, _) = decoder.run(&ids, &rows, ForwardPass::after(None), &mut visit)?;
        }
        weights.finish()?;
        let last: Vec<u32> = (0..prompts.len())
            .map(|s| rows.range(s).end as u32 - 1)
            .collect();
        decoder.logits(&decoder.select(&x, &last)?)
    }
}
