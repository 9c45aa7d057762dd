//! The weight files of a made-up model, as Hugging Face writes them: safetensors in shards, and
//! their index. They are made piece by piece, so that a model of any size needs the memory of a
//! piece, and every piece from the seed and its own place, so that threads change no byte. Fresh
//! weights as transformers draws them: matrices and biases of the `initializer_range`; norms too,
//! about 1. Never here: `config.json`, tokenizers, disks.

mod format;
mod values;

use std::collections::BTreeMap;

use serde_json::Value;

pub use self::format::FloatFormat;
use self::values::Values;
use crate::{
    ModelConfig,
    config::properties::{MlpActivation, NormKind},
    error::Result,
    shards::{self, ShardPlan, TensorPlan},
};

/// What a made-up model's weights follow from, beside its configuration.
#[derive(Clone, Copy, Debug)]
pub struct RandomWeightsRecipe {
    /// How values are stored.
    pub format: FloatFormat,
    /// The same seed makes the same bytes.
    pub seed: u64,
    /// `initializer_range`: the standard deviation.
    pub initializer_range: f32,
    /// Bytes of a shard, unless one tensor has more.
    pub shard_bytes: u64,
}

/// The weight files of a made-up model, planned.
pub struct RandomWeights {
    recipe: RandomWeightsRecipe,
    shards: Vec<ShardPlan>,
    /// What the values of a tensor follow from, by its name.
    draws: BTreeMap<String, Draw>,
}

/// What a tensor's values follow from.
#[derive(Clone, Copy)]
struct Draw {
    /// What its values scatter about.
    centre: f32,
    /// Its place in the model, which selects its random numbers.
    place: u64,
}

struct PlannedTensor {
    name: String,
    shape: Vec<usize>,
    centre: f32,
    place: u64,
}

impl RandomWeights {
    /// The files of a decoder.
    ///
    /// # Errors
    /// The sizes overflow.
    pub fn plan(config: &ModelConfig, recipe: RandomWeightsRecipe) -> Result<Self> {
        let (mut tensors, mut draws) = (Vec::new(), BTreeMap::new());
        for PlannedTensor {
            name,
            shape,
            centre,
            place,
        } in list_tensors(config)
        {
            draws.insert(name.clone(), Draw { centre, place });
            let format = recipe.format;
            tensors.push(TensorPlan {
                name,
                shape,
                format,
            });
        }
        Ok(Self {
            recipe,
            shards: shards::plan(tensors, recipe.shard_bytes)?,
            draws,
        })
    }

    /// The files, in the order of their names.
    pub fn shards(&self) -> &[ShardPlan] {
        &self.shards
    }

    /// Weights in all.
    pub fn parameters(&self) -> u64 {
        self.shards.iter().map(ShardPlan::parameters).sum()
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.shards.iter().map(ShardPlan::bytes).sum()
    }

    /// `model.safetensors.index.json`; `None` where there is one file.
    pub fn index(&self) -> Option<Value> {
        shards::index(&self.shards)
    }

    /// The bytes of a file, in pieces of at most 16 MiB, each made when it is asked for.
    pub fn pieces<'a>(&'a self, shard: &'a ShardPlan) -> impl Iterator<Item = Vec<u8>> + 'a {
        let values = Values {
            format: self.recipe.format,
            seed: self.recipe.seed,
            spread: self.recipe.initializer_range,
        };
        let drawn = shard.tensors.iter().map(|t| (self.draws[&t.name], t.len()));
        let data = drawn.flat_map(move |(draw, len)| values.pieces(draw.place, len, draw.centre));
        std::iter::once(shard.header.clone()).chain(data)
    }
}

/// The tensors of a decoder, in the order in which transformers lists them.
fn list_tensors(config: &ModelConfig) -> Vec<PlannedTensor> {
    let (v, e) = (config.vocab_size, config.hidden_size);
    // What makes a norm multiply by 1.
    let one = match config.norm_kind {
        NormKind::Rms | NormKind::LayerNorm => 1.0,
        NormKind::RmsPlusOne => 0.0,
    };
    let mut list: Vec<(String, Vec<usize>, f32)> =
        vec![("model.embed_tokens.weight".to_owned(), vec![v, e], 0.0)];
    for layer in 0..config.num_hidden_layers {
        let at = format!("model.layers.{layer}");
        for projection in config.projections() {
            let name = projection.name();
            let Some((out, inner)) = config.projection_shape(name) else {
                continue;
            };
            let at = format!("{at}.{}.{name}", projection.module());
            list.push((format!("{at}.weight"), vec![out, inner], 0.0));
            if config.biases.contains(&projection) {
                list.push((format!("{at}.bias"), vec![out], 0.0));
            }
        }
        list.extend(
            config
                .norms
                .names()
                .map(|norm| (format!("{at}.{norm}.weight"), vec![e], one)),
        );
        list.extend(inner_tensors(config, &at, one));
    }
    list.push(("model.norm.weight".to_owned(), vec![e], one));
    if !config.tie_word_embeddings {
        list.push(("lm_head.weight".to_owned(), vec![v, e], 0.0));
    }
    let numbered = list.into_iter().zip(0..);
    let planned = numbered.map(|((name, shape, centre), place)| PlannedTensor {
        name,
        shape,
        centre,
        place,
    });
    planned.collect()
}

/// What some families have within attention and mlp.
fn inner_tensors(config: &ModelConfig, at: &str, one: f32) -> Vec<(String, Vec<usize>, f32)> {
    let mut list = Vec::new();
    if let Some(norm) = &config.qk_norm {
        let heads = [config.num_attention_heads, config.num_key_value_heads];
        for (name, heads) in norm.names.iter().zip(heads) {
            let shape = norm.span.weight_shape(heads, config.head_dim);
            list.push((format!("{at}.self_attn.{name}.weight"), shape, one));
        }
    }
    if config.activation == MlpActivation::Xielu {
        // The inverse softplus of 0.8 and of 0.3, as fresh models have them.
        for (name, value) in [("alpha_p", 0.203_374), ("alpha_n", -1.050_225)] {
            list.push((format!("{at}.mlp.act_fn.{name}"), vec![1], value));
        }
    }
    list
}

#[cfg(test)]
mod tests;
