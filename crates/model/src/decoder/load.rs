//! A model's files to a decoder in memory. Every tensor is taken once.

use std::path::Path;

use candle_core::Device;
use hub::{ModelFiles, gguf::Header};
use schema::task::Precision;

use super::Decoder;
use crate::{
    adapter::peft,
    block::DecoderBlock,
    config::{ModelConfig, RopeScaling},
    error::{ModelError, Result},
    norm::Norm,
    ops::{logit_cap::LogitCap, weight::Weight},
    weights::{
        WeightFiles,
        gguf::{LONG_FACTORS, ROPE_FACTORS, SHORT_FACTORS},
    },
};

const EMBEDDING: &str = "model.embed_tokens.weight";
const HEAD: &str = "lm_head.weight";

impl Decoder {
    /// Loads a model's files. Every tensor must be there, have its shape, and be used.
    pub fn load(files: &ModelFiles, precision: Precision, device: &Device) -> Result<Self> {
        let (config, mut weights, _) = open(files, precision, device)?;
        let decoder = Self::build(config, &mut weights, device)?;
        weights.finish()?;
        Ok(decoder)
    }

    /// A model's embedding, first block, final norm and head alone: what it says is worth
    /// nothing, but its passes take a block's time ([`crate::speed`]).
    ///
    /// # Errors
    /// As [`Decoder::load`]; the other blocks' tensors are not looked at.
    pub fn load_first_block(
        files: &ModelFiles,
        precision: Precision,
        device: &Device,
    ) -> Result<Self> {
        let (config, mut weights, _) = open(files, precision, device)?;
        let config = ModelConfig {
            num_hidden_layers: 1,
            ..config
        };
        Self::build(config, &mut weights, device)
    }

    pub(super) fn build(
        config: ModelConfig,
        files: &mut WeightFiles,
        device: &Device,
    ) -> Result<Self> {
        let (v, e) = (config.vocab_size, config.hidden_size);
        let is_tied = config.tie_word_embeddings && is_head_the_embedding(files)?;
        let embed_tokens = files.take_weight(EMBEDDING, [v, e])?;
        let mut blocks = (0..config.num_hidden_layers)
            .map(|layer| DecoderBlock::load(files, &config, layer))
            .collect::<Result<Vec<_>>>()?;
        let norm = Norm::load(files, &config, "model.norm", &[e])?;
        let lm_head = if is_tied {
            files.ignore(HEAD);
            None
        } else {
            Some(files.take_weight(HEAD, [v, e])?)
        };
        let ends = embed_tokens.bytes() + lm_head.as_ref().map_or(0, Weight::bytes);
        let projections: usize = blocks
            .iter_mut()
            .flat_map(|block| block.projections())
            .map(|linear| linear.bytes())
            .sum();
        tracing::debug!(
            megabytes = (ends + projections) / 1_000_000,
            "weights are ready"
        );
        Ok(Self {
            head_norm: norm.scaled(config.logits_multiplier)?,
            logit_cap: config
                .final_soft_cap
                .map(|cap| LogitCap { cap, shift: None }),
            config,
            embed_tokens,
            blocks,
            norm,
            lm_head,
            device: device.clone(),
            activation_checkpointing: false,
        })
    }
}

/// The configuration and the tensors, and a GGUF file's header.
pub(crate) fn open(
    files: &ModelFiles,
    precision: Precision,
    device: &Device,
) -> Result<(ModelConfig, WeightFiles, Option<Header>)> {
    match files {
        ModelFiles::Folder { dir, weights } => {
            let config = ModelConfig::of_loaded(&dir.join("config.json"), None)?;
            if dir.join(peft::CONFIG).exists() {
                tracing::warn!(
                    "{}: the adapter in this folder is not put on the model, as transformers would do; name it as the adapter if it is meant",
                    dir.join(peft::CONFIG).display()
                );
            }
            Ok((
                config,
                WeightFiles::open_folder(weights, precision, device)?,
                None,
            ))
        }
        ModelFiles::Gguf { path } => {
            let header = Header::read(path)?;
            let mut config = ModelConfig::of_loaded(path, Some(&header))?;
            let mut weights = WeightFiles::open_gguf(&header, &config, precision, device)?;
            if weights.has(ROPE_FACTORS) {
                take_rope_factors(path, &mut config, &mut weights)?;
            }
            if weights.has(LONG_FACTORS) {
                take_long_factors(&header, &mut config, &mut weights)?;
            }
            Ok((config, weights, Some(header)))
        }
    }
}

/// Of files whose configuration ties the two. A head of other values than the embedding is a
/// head of its own all the same: transformers 5 believes the weights, not the configuration.
fn is_head_the_embedding(files: &WeightFiles) -> Result<bool> {
    if !files.has(HEAD) || !files.has(EMBEDDING) || files.are_same(HEAD, EMBEDDING)? {
        return Ok(true);
    }
    tracing::warn!(
        "tie_word_embeddings is true, but `{HEAD}` and `{EMBEDDING}` differ: both are used, as transformers does"
    );
    Ok(false)
}

fn take_rope_factors(
    path: &Path,
    config: &mut ModelConfig,
    weights: &mut WeightFiles,
) -> Result<()> {
    let refuse = |problem: String| ModelError::Weights {
        file: path.to_owned(),
        problem: format!("tensor `{ROPE_FACTORS}`: {problem}"),
    };
    let factors = divisors(ROPE_FACTORS, path, config, weights)?;
    config.rope = config
        .rope
        .with_factors(factors)
        .ok_or_else(|| refuse("is not supported together with YaRN".into()))?;
    Ok(())
}

/// Divisors of the angles, one for each pair.
fn divisors(
    name: &str,
    path: &Path,
    config: &ModelConfig,
    weights: &mut WeightFiles,
) -> Result<Vec<f32>> {
    let factors = weights
        .take_f32(name, &[config.rotary_dim / 2])?
        .to_device(&Device::Cpu)?
        .to_vec1::<f32>()?;
    match factors.iter().find(|f| !(f.is_finite() && **f > 0.0)) {
        None => Ok(factors),
        Some(factor) => Err(ModelError::Weights {
            file: path.to_owned(),
            problem: format!("tensor `{name}`: {factor} is not above 0"),
        }),
    }
}

/// LongRoPE's divisors, which GGUF files have as tensors.
fn take_long_factors(
    header: &Header,
    config: &mut ModelConfig,
    weights: &mut WeightFiles,
) -> Result<()> {
    let mut take = |name| -> Result<Vec<f64>> {
        let factors = divisors(name, &header.path, config, weights)?;
        Ok(factors.into_iter().map(f64::from).collect())
    };
    let (short_factor, long_factor) = (take(SHORT_FACTORS)?, take(LONG_FACTORS)?);
    config.rope.scaling = RopeScaling::Long(ModelConfig::long_rope_of_gguf(
        header,
        short_factor,
        long_factor,
    )?);
    Ok(())
}
