//! What a decoder is: the properties in which the Llama, Mistral and Qwen2 families differ,
//! read from `config.json` (both the older and transformers 5's way of writing RoPE and dtype)
//! or from GGUF metadata. Never here: tensors.

mod gguf;
mod gguf_keys;
mod json;
mod keys;
pub mod rope;
mod rope_json;
mod values;

use std::path::Path;

pub use self::rope::{Rope, RopeScaling};
use crate::{
    error::{ModelError, Result},
    ops::attend::Heads,
    projection::Projection,
};

/// The decoder's shape. Field names are `config.json`'s.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// V
    pub vocab_size: usize,
    /// E
    pub hidden_size: usize,
    /// F
    pub intermediate_size: usize,
    /// L
    pub num_hidden_layers: usize,
    /// H
    pub num_attention_heads: usize,
    /// G
    pub num_key_value_heads: usize,
    /// D; not always E / H.
    pub head_dim: usize,
    /// Added under the root of every norm.
    pub rms_norm_eps: f64,
    /// Positions.
    pub rope: Rope,
    /// Sliding window of each layer; `None`: the layer sees everything before.
    pub sliding_windows: Vec<Option<usize>>,
    /// Projections with a bias, in every layer.
    pub biases: Vec<Projection>,
    /// Whether the head is the embedding.
    pub tie_word_embeddings: bool,
    /// Longest context trained for; 0 where the file does not say.
    pub max_position_embeddings: usize,
}

impl ModelConfig {
    /// Reads `config.json`.
    pub fn from_json_file(path: &Path) -> Result<Self> {
        Ok(json::read(path)?.0)
    }

    /// What a `config.json` of this content would be; `file` stands for it in messages.
    pub fn from_json(file: &Path, written: &serde_json::Value) -> Result<Self> {
        Ok(json::of_value(file, written)?.0)
    }

    /// Reads GGUF metadata.
    pub fn from_gguf(path: &Path, header: &hub::gguf::Header) -> Result<Self> {
        gguf::read(path, header)
    }

    /// Reads `config.json` or GGUF metadata for a model that is loaded, and warns of keys that
    /// look as if they changed the numbers but are none of this kind of model's.
    pub(crate) fn of_loaded(path: &Path, header: Option<&hub::gguf::Header>) -> Result<Self> {
        let (config, passed_over) = match header {
            Some(header) => (gguf::read(path, header)?, gguf_keys::unknown(header)),
            None => json::read(path)?,
        };
        if !passed_over.is_empty() {
            tracing::warn!(
                "{}: passed over, since the reference program reads no such key for this kind of model: {}",
                path.display(),
                passed_over.join(", ")
            );
        }
        Ok(config)
    }

    /// The heads of one layer.
    pub fn heads(&self, layer: usize) -> Heads {
        Heads {
            query: self.num_attention_heads,
            key_value: self.num_key_value_heads,
            size: self.head_dim,
            window: self.sliding_windows[layer],
        }
    }

    /// (out, in) of a projection, by its weight name.
    pub fn projection_shape(&self, name: &str) -> Option<(usize, usize)> {
        let (e, f) = (self.hidden_size, self.intermediate_size);
        let (q, kv) = (
            self.num_attention_heads * self.head_dim,
            self.num_key_value_heads * self.head_dim,
        );
        match name {
            "q_proj" => Some((q, e)),
            "k_proj" | "v_proj" => Some((kv, e)),
            "o_proj" => Some((e, q)),
            "gate_proj" | "up_proj" => Some((f, e)),
            "down_proj" => Some((e, f)),
            _ => None,
        }
    }

    /// Refuses shapes that no decoder has; sizes are bounded so that nothing overflows later.
    fn check(self, file: &Path) -> Result<Self> {
        let refuse = |key: &str, problem: String| {
            Err(ModelError::Config {
                file: file.to_owned(),
                key: key.into(),
                problem,
            })
        };
        let sizes = [
            ("vocab_size", self.vocab_size, 1 << 24),
            ("hidden_size", self.hidden_size, 1 << 20),
            ("intermediate_size", self.intermediate_size, 1 << 22),
            ("num_hidden_layers", self.num_hidden_layers, 1 << 12),
            ("num_attention_heads", self.num_attention_heads, 1 << 14),
            ("num_key_value_heads", self.num_key_value_heads, 1 << 14),
            ("head_dim", self.head_dim, 1 << 14),
        ];
        for (key, value, most) in sizes {
            if value == 0 || value > most {
                return refuse(key, format!("{value} is not between 1 and {most}"));
            }
        }
        if !self
            .num_attention_heads
            .is_multiple_of(self.num_key_value_heads)
        {
            let heads = self.num_attention_heads;
            return refuse(
                "num_key_value_heads",
                format!("{} does not divide {heads} heads", self.num_key_value_heads),
            );
        }
        if !self.head_dim.is_multiple_of(2) {
            return refuse(
                "head_dim",
                format!("{} is odd; RoPE rotates pairs", self.head_dim),
            );
        }
        if !(self.rope.theta > 1.0 && self.rope.theta.is_finite()) {
            return refuse("rope_theta", format!("{} is not above 1", self.rope.theta));
        }
        if !(self.rms_norm_eps > 0.0 && self.rms_norm_eps < 1.0) {
            return refuse(
                "rms_norm_eps",
                format!("{} is not between 0 and 1", self.rms_norm_eps),
            );
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests;
