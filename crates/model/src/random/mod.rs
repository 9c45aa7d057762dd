//! The weight files of a made-up model, as Hugging Face writes them: safetensors in shards, and
//! their index. They are made piece by piece, so that a model of any size needs the memory of a
//! piece, and every piece from the seed and its own place, so that threads change no byte. Fresh
//! weights as transformers draws them: matrices and biases of the `initializer_range`; norms too,
//! about 1. Never here: `config.json`, tokenizers, disks.

mod format;
mod values;

use std::{collections::BTreeMap, path::Path};

use safetensors::tensor::{Metadata, TensorInfo};
use serde_json::{Value, json};

pub use self::format::FloatFormat;
use self::values::Values;
use crate::{
    ModelConfig,
    config::properties::{MlpActivation, NormKind},
    error::{ModelError, Result},
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
    shards: Vec<Shard>,
}

/// One file.
pub struct Shard {
    /// Its name in the model's folder.
    pub name: String,
    header: Vec<u8>,
    tensors: Vec<PlannedTensor>,
}

struct PlannedTensor {
    name: String,
    shape: Vec<usize>,
    /// What its values scatter about.
    centre: f32,
    /// Its place in the model, which selects its random numbers.
    place: u64,
}

impl PlannedTensor {
    fn len(&self) -> usize {
        self.shape.iter().product()
    }
}

impl RandomWeights {
    /// The files of a decoder.
    ///
    /// # Errors
    /// The sizes overflow.
    pub fn plan(config: &ModelConfig, recipe: RandomWeightsRecipe) -> Result<Self> {
        let size = |tensor: &PlannedTensor| tensor.len() as u64 * recipe.format.bytes() as u64;
        let mut groups: Vec<Vec<PlannedTensor>> = Vec::new();
        let mut room = 0;
        for tensor in list_tensors(config) {
            let bytes = size(&tensor);
            match groups.last_mut() {
                Some(group) if bytes <= room => group.push(tensor),
                _ => {
                    room = recipe.shard_bytes;
                    groups.push(vec![tensor]);
                }
            }
            room = room.saturating_sub(bytes);
        }
        let count = groups.len();
        let shards = groups.into_iter().zip(1..).map(|(mut tensors, number)| {
            let name = match count {
                1 => "model.safetensors".to_owned(),
                _ => format!("model-{number:05}-of-{count:05}.safetensors"),
            };
            tensors.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(Shard {
                header: write_header(&name, &tensors, recipe.format)?,
                name,
                tensors,
            })
        });
        Ok(Self {
            recipe,
            shards: shards.collect::<Result<_>>()?,
        })
    }

    /// The files, in the order of their names.
    pub fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// Weights in all.
    pub fn parameters(&self) -> u64 {
        let tensors = self.shards.iter().flat_map(|shard| &shard.tensors);
        tensors.map(|tensor| tensor.len() as u64).sum()
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        let headers = self.shards.iter().map(|shard| shard.header.len() as u64);
        headers.sum::<u64>() + self.parameters() * self.recipe.format.bytes() as u64
    }

    /// `model.safetensors.index.json`; `None` where there is one file.
    pub fn index(&self) -> Option<Value> {
        if self.shards.len() < 2 {
            return None;
        }
        let places = self.shards.iter().flat_map(|shard| {
            let names = shard.tensors.iter().map(|tensor| tensor.name.as_str());
            names.map(|name| (name, shard.name.as_str()))
        });
        let map: BTreeMap<&str, &str> = places.collect();
        let parameters = self.parameters();
        let bytes = parameters * self.recipe.format.bytes() as u64;
        Some(json!({
            "metadata": {"total_parameters": parameters, "total_size": bytes},
            "weight_map": map,
        }))
    }

    /// The bytes of a file, in pieces of at most 16 MiB, each made when it is asked for.
    pub fn pieces<'a>(&'a self, shard: &'a Shard) -> impl Iterator<Item = Vec<u8>> + 'a {
        let values = Values {
            format: self.recipe.format,
            seed: self.recipe.seed,
            spread: self.recipe.initializer_range,
        };
        let tensors = shard.tensors.iter();
        let data = tensors.flat_map(move |t| values.pieces(t.place, t.len(), t.centre));
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

/// A file's beginning: the length of the header, and the header, padded to a multiple of eight.
fn write_header(file: &str, tensors: &[PlannedTensor], format: FloatFormat) -> Result<Vec<u8>> {
    let refuse = |problem: String| ModelError::Weights {
        file: Path::new(file).to_owned(),
        problem,
    };
    let mut end = 0;
    let entries = tensors.iter().map(|tensor| {
        let begin = end;
        end += tensor.len() * format.bytes();
        let info = TensorInfo {
            dtype: format.dtype(),
            shape: tensor.shape.clone(),
            data_offsets: (begin, end),
        };
        (tensor.name.clone(), info)
    });
    let about = [("format".to_owned(), "pt".to_owned())].into();
    let header =
        Metadata::new(Some(about), entries.collect()).map_err(|e| refuse(e.to_string()))?;
    let mut text = serde_json::to_vec(&header).map_err(|e| refuse(e.to_string()))?;
    text.resize(text.len().next_multiple_of(8), b' ');
    Ok([&(text.len() as u64).to_le_bytes()[..], &text].concat())
}

#[cfg(test)]
mod tests;
