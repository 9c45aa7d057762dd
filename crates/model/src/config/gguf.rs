//! GGUF metadata of the `llama` and `qwen2` architectures (Mistral's files are `llama`'s).

use std::path::Path;

use hub::gguf::{Header, Value};

use super::{
    ModelConfig, Rope, RopeScaling,
    rope::{Yarn, yarn_mscale},
};
use crate::error::{ModelError, Result};

struct Metadata<'a> {
    file: &'a Path,
    header: &'a Header,
    architecture: String,
}

impl Metadata<'_> {
    fn error<T>(&self, key: &str, problem: impl Into<String>) -> Result<T> {
        Err(ModelError::Config { file: self.file.to_owned(), key: key.into(), problem: problem.into() })
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
            Some(_) => self.error(&key, "is no whole number"),
        }
    }

    fn number(&self, key: &str) -> Result<Option<f64>> {
        let key = self.key(key);
        match self.header.metadata.get(&key) {
            None => Ok(None),
            Some(Value::Float(x)) if x.is_finite() => Ok(Some(*x)),
            Some(Value::Unsigned(n)) => Ok(Some(*n as f64)),
            Some(_) => self.error(&key, "is no number"),
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
    let architecture = match header.metadata.get("general.architecture") {
        Some(Value::Text(name)) => name.clone(),
        _ => String::new(),
    };
    let meta = Metadata { file, header, architecture };
    if !["llama", "qwen2"].contains(&meta.architecture.as_str()) {
        return meta
            .error("general.architecture", format!("`{}` is not supported; llama and qwen2 are", meta.architecture));
    }
    let heads = meta.need_size("attention.head_count")?;
    let hidden_size = meta.need_size("embedding_length")?;
    let head_dim = match meta.size("attention.key_length")? {
        Some(size) => size,
        None if heads > 0 && hidden_size.is_multiple_of(heads) => hidden_size / heads,
        None => return meta.error(&meta.key("attention.key_length"), "is missing"),
    };
    if meta.size("rope.dimension_count")?.is_some_and(|d| d != head_dim) {
        return meta.error(&meta.key("rope.dimension_count"), "a part of each head is turned: not supported");
    }
    let layers = meta.need_size("block_count")?;
    let window = meta.size("attention.sliding_window")?.filter(|&w| w > 0);
    ModelConfig {
        vocab_size: vocab_size(&meta)?,
        hidden_size,
        intermediate_size: meta.need_size("feed_forward_length")?,
        num_hidden_layers: layers,
        num_attention_heads: heads,
        num_key_value_heads: meta.size("attention.head_count_kv")?.unwrap_or(heads),
        head_dim,
        rms_norm_eps: meta
            .need("attention.layer_norm_rms_epsilon", meta.number("attention.layer_norm_rms_epsilon")?)?,
        rope: Rope { theta: meta.need("rope.freq_base", meta.number("rope.freq_base")?)?, scaling: scaling(&meta)? },
        sliding_windows: vec![window; layers.min(1 << 12)],
        tie_word_embeddings: !header.tensors.iter().any(|t| t.name == "output.weight"),
        max_position_embeddings: meta.size("context_length")?.unwrap_or(0),
    }
    .check(file)
}

/// The embedding's rows: metadata may leave the size out.
fn vocab_size(meta: &Metadata<'_>) -> Result<usize> {
    match meta.header.tensors.iter().find(|t| t.name == "token_embd.weight").map(|t| t.shape.as_slice()) {
        Some([rows, _]) => Ok(*rows),
        _ => meta.error("token_embd.weight", "is missing or no matrix"),
    }
}

/// `rope_freqs.weight`, where it is there, is found when the weights are read.
fn scaling(meta: &Metadata<'_>) -> Result<RopeScaling> {
    let kind = match meta.header.metadata.get(&meta.key("rope.scaling.type")) {
        Some(Value::Text(kind)) => kind.as_str(),
        _ => "none",
    };
    let factor = meta.number("rope.scaling.factor")?;
    match kind {
        "none" => Ok(RopeScaling::None),
        "linear" => Ok(RopeScaling::Linear { factor: meta.need("rope.scaling.factor", factor)? }),
        "yarn" => {
            let factor = meta.need("rope.scaling.factor", factor)?;
            let context = meta.need_size("rope.scaling.original_context_length")?;
            Ok(RopeScaling::Yarn(Yarn {
                factor,
                original_max_position_embeddings: context as f64,
                beta_fast: meta.number("rope.scaling.yarn_beta_fast")?.unwrap_or(32.0),
                beta_slow: meta.number("rope.scaling.yarn_beta_slow")?.unwrap_or(1.0),
                attention_factor: meta.number("rope.scaling.attn_factor")?.unwrap_or(1.0) * yarn_mscale(factor, 1.0),
                truncate: true,
            }))
        }
        other => meta.error(&meta.key("rope.scaling.type"), format!("`{other}` is not supported")),
    }
}
