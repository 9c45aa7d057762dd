//! GGUF metadata of the `llama` and `qwen2` architectures (Mistral's files are `llama`'s).

use std::path::Path;

use hub::gguf::{Header, Value};

use super::{
    ModelConfig, Rope, RopeScaling,
    rope::{Yarn, yarn_mscale},
};
use crate::{
    error::{ModelError, Result},
    projection::{LayerProjection, Projection},
    weights::gguf::hugging_face_name,
};

struct Metadata<'a> {
    file: &'a Path,
    header: &'a Header,
    architecture: String,
}

impl<'a> Metadata<'a> {
    /// Of one of the supported architectures.
    fn open(file: &'a Path, header: &'a Header) -> Result<Self> {
        let architecture = match header.metadata.get("general.architecture") {
            Some(Value::Text(name)) => name.clone(),
            _ => String::new(),
        };
        let meta = Self {
            file,
            header,
            architecture,
        };
        if ["llama", "qwen2"].contains(&meta.architecture.as_str()) {
            return Ok(meta);
        }
        let problem = format!(
            "`{}` is not supported; llama and qwen2 are",
            meta.architecture
        );
        meta.error("general.architecture", problem)
    }

    fn error<T>(&self, key: &str, problem: impl Into<String>) -> Result<T> {
        Err(ModelError::Config {
            file: self.file.to_owned(),
            key: key.into(),
            problem: problem.into(),
        })
    }

    fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.architecture)
    }

    fn size(&self, key: &str) -> Result<Option<usize>> {
        let key = self.key(key);
        match self.header.metadata.get(&key) {
            None => Ok(None),
            Some(Value::Unsigned(n)) => Ok(Some(*n as usize)),
            Some(Value::Signed(n)) if *n >= 0 => Ok(Some(*n as usize)),
            Some(_) => self.error(&key, "is not a whole number"),
        }
    }

    fn number(&self, key: &str) -> Result<Option<f64>> {
        let key = self.key(key);
        match self.header.metadata.get(&key) {
            None => Ok(None),
            Some(Value::Float(x)) if x.is_finite() => Ok(Some(*x)),
            Some(Value::Unsigned(n)) => Ok(Some(*n as f64)),
            Some(_) => self.error(&key, "is not a number"),
        }
    }

    fn positive(&self, key: &str) -> Result<Option<f64>> {
        match self.number(key)? {
            Some(number) if number <= 0.0 => {
                self.error(&self.key(key), format!("{number} is not above 0"))
            }
            number => Ok(number),
        }
    }

    fn need<T>(&self, key: &str, value: Option<T>) -> Result<T> {
        value.map_or_else(|| self.error(&self.key(key), "is missing"), Ok)
    }

    fn need_size(&self, key: &str) -> Result<usize> {
        self.need(key, self.size(key)?)
    }
}

pub(super) fn read(file: &Path, header: &Header) -> Result<ModelConfig> {
    let meta = Metadata::open(file, header)?;
    let heads = meta.need_size("attention.head_count")?;
    let hidden_size = meta.need_size("embedding_length")?;
    let head_dim = match meta.size("attention.key_length")? {
        Some(size) => size,
        None if heads > 0 && hidden_size.is_multiple_of(heads) => hidden_size / heads,
        None => return meta.error(&meta.key("attention.key_length"), "is missing"),
    };
    if meta
        .size("rope.dimension_count")?
        .is_some_and(|d| d != head_dim)
    {
        return meta.error(
            &meta.key("rope.dimension_count"),
            "rotating only a part of each head is not supported",
        );
    }
    let layers = meta.need_size("block_count")?;
    let window = meta.size("attention.sliding_window")?.filter(|&w| w > 0);
    let mut model = ModelConfig {
        vocab_size: vocab_size(&meta)?,
        hidden_size,
        intermediate_size: meta.need_size("feed_forward_length")?,
        num_hidden_layers: layers,
        num_attention_heads: heads,
        num_key_value_heads: meta.size("attention.head_count_kv")?.unwrap_or(heads),
        head_dim,
        rms_norm_eps: meta.need(
            "attention.layer_norm_rms_epsilon",
            meta.number("attention.layer_norm_rms_epsilon")?,
        )?,
        rope: Rope {
            theta: meta.need("rope.freq_base", meta.number("rope.freq_base")?)?,
            scaling: scaling(&meta)?,
        },
        sliding_windows: Vec::new(),
        biases: biases(header),
        tie_word_embeddings: !header.tensors.iter().any(|t| t.name == "output.weight"),
        max_position_embeddings: meta.size("context_length")?.unwrap_or(0),
    }
    .check(file)?;
    // Only now: nothing is allocated for an absurd number of layers.
    model.sliding_windows = vec![window; layers];
    Ok(model)
}

/// Metadata is silent about biases: those of the first layer, which every other layer must then
/// have too.
fn biases(header: &Header) -> Vec<Projection> {
    Projection::ALL
        .into_iter()
        .filter(|&projection| {
            let first = LayerProjection {
                layer: 0,
                projection,
            };
            let bias = format!("{first}.bias");
            header
                .tensors
                .iter()
                .any(|t| hugging_face_name(&t.name).as_ref() == Some(&bias))
        })
        .collect()
}

/// The embedding's rows; metadata may leave the size out, but not contradict it.
fn vocab_size(meta: &Metadata<'_>) -> Result<usize> {
    let Some([rows, _]) = meta
        .header
        .tensor("token_embd.weight")
        .map(|t| t.shape.as_slice())
    else {
        return meta.error("token_embd.weight", "is missing or not a matrix");
    };
    match meta.size("vocab_size")? {
        Some(size) if size != *rows => meta.error(
            &meta.key("vocab_size"),
            format!("is {size}, but token_embd.weight has {rows} rows"),
        ),
        _ => Ok(*rows),
    }
}

/// `rope_freqs.weight`, where it is there, is found when the weights are read.
fn scaling(meta: &Metadata<'_>) -> Result<RopeScaling> {
    let kind = match meta.header.metadata.get(&meta.key("rope.scaling.type")) {
        Some(Value::Text(kind)) => kind.as_str(),
        _ => "none",
    };
    let factor = meta.positive("rope.scaling.factor")?;
    match kind {
        "none" => Ok(RopeScaling::None),
        "linear" => Ok(RopeScaling::Linear {
            factor: meta.need("rope.scaling.factor", factor)?,
        }),
        "yarn" => {
            let factor = meta.need("rope.scaling.factor", factor)?;
            let context = meta.need_size("rope.scaling.original_context_length")?;
            Ok(RopeScaling::Yarn(Yarn {
                factor,
                original_max_position_embeddings: context as f64,
                beta_fast: meta
                    .positive("rope.scaling.yarn_beta_fast")?
                    .unwrap_or(32.0),
                beta_slow: meta.positive("rope.scaling.yarn_beta_slow")?.unwrap_or(1.0),
                attention_factor: meta.positive("rope.scaling.attn_factor")?.unwrap_or(1.0)
                    * yarn_mscale(factor, 1.0),
                truncate: true,
            }))
        }
        other => meta.error(
            &meta.key("rope.scaling.type"),
            format!("`{other}` is not supported"),
        ),
    }
}
