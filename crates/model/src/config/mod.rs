//! What a decoder is: its sizes and the properties in which families differ, read from `config.json` (both the older and transformers 5's way of writing RoPE and dtype)
//! or from GGUF metadata. Never here: tensors.

mod families;
mod family_keys;
mod gguf;
pub(crate) mod gguf_families;
mod gguf_keys;
pub(crate) mod gguf_written;
mod json;
mod key;
mod keys;
mod layers;
pub mod properties;
pub mod rope;
mod rope_json;
mod values;

use std::path::Path;

use self::properties::{BlockNorms, MlpActivation, NormKind, PositionScale, QkNorm, RopePairs};
use self::rope::RotatedPart;
pub use self::rope::{Rope, RopeScaling};
use crate::{
    error::{ModelError, Result},
    ops::attend::{Heads, Scores},
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
    /// What every norm does.
    pub norm_kind: NormKind,
    /// Added under the root of every norm.
    pub norm_eps: f64,
    /// Where a block has norms.
    pub norms: BlockNorms,
    /// Norms of queries and keys.
    pub qk_norm: Option<QkNorm>,
    /// Positions, of every layer that rotates or of those that do not slide.
    pub rope: Rope,
    /// Positions of layers that slide, where they have their own.
    pub local_rope: Option<Rope>,
    /// Values of each head that are rotated.
    pub rotary_dim: usize,
    /// Which of them are pairs.
    pub rope_pairs: RopePairs,
    /// Sliding window of each layer; `None`: the layer sees everything before.
    pub sliding_windows: Vec<Option<usize>>,
    /// Whether each layer rotates queries and keys.
    pub rotated: Vec<bool>,
    /// Factor of the scores; `None`: 1 / sqrt(D).
    pub score_scale: Option<f64>,
    /// How queries grow with their position.
    pub position_scale: Option<PositionScale>,
    /// c of the scores' c · tanh(score / c).
    pub attention_soft_cap: Option<f64>,
    /// The mlp's function.
    pub activation: MlpActivation,
    /// Factor of the embedding's rows.
    pub embedding_multiplier: f64,
    /// Factor of what attention and mlp add to the residual stream.
    pub residual_multiplier: f64,
    /// Factor of the logits.
    pub logits_multiplier: f64,
    /// c of the logits' c · tanh(logit / c).
    pub final_soft_cap: Option<f64>,
    /// Projections with a bias, in every layer.
    pub biases: Vec<Projection>,
    /// Whether queries, keys and values are one projection.
    pub merged_qkv: bool,
    /// Whether gate and up are one projection.
    pub merged_gate_up: bool,
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

    /// LongRoPE of a GGUF file, whose divisors are among its tensors.
    pub(crate) fn long_rope_of_gguf(
        header: &hub::gguf::Header,
        short_factor: Vec<f64>,
        long_factor: Vec<f64>,
    ) -> Result<rope::LongRope> {
        gguf::long_rope(header, short_factor, long_factor)
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
            scores: self.scores(),
        }
    }

    fn scores(&self) -> Scores {
        let plain = Scores::of_size(self.head_dim);
        Scores {
            scale: self.score_scale.map_or(plain.scale, |scale| scale as f32),
            soft_cap: self.attention_soft_cap.map(|cap| cap as f32),
        }
    }

    /// What of each head is rotated.
    pub fn rotated_part(&self) -> RotatedPart {
        RotatedPart {
            size: self.head_dim,
            rotated: self.rotary_dim,
            pairs: self.rope_pairs,
        }
    }

    /// The projections of a block, in the order of the forward.
    pub fn projections(&self) -> Vec<Projection> {
        use Projection::{Down, Gate, GateUp, K, O, Q, Qkv, Up, V};
        let mut all = match self.merged_qkv {
            true => vec![Qkv, O],
            false => vec![Q, K, V, O],
        };
        match (self.activation, self.merged_gate_up) {
            (MlpActivation::Xielu, _) => all.push(Up),
            (MlpActivation::Gated(_), true) => all.push(GateUp),
            (MlpActivation::Gated(_), false) => all.extend([Gate, Up]),
        }
        all.push(Down);
        all
    }

    /// (out, in) of a projection, by its weight name; `None` where a block has none such.
    pub fn projection_shape(&self, name: &str) -> Option<(usize, usize)> {
        let (e, f) = (self.hidden_size, self.intermediate_size);
        let (q, kv) = (
            self.num_attention_heads * self.head_dim,
            self.num_key_value_heads * self.head_dim,
        );
        let projection = Projection::by_name(name).filter(|p| self.projections().contains(p))?;
        Some(match projection {
            Projection::Q => (q, e),
            Projection::K | Projection::V => (kv, e),
            Projection::O => (e, q),
            Projection::Gate | Projection::Up => (f, e),
            Projection::Down => (e, f),
            Projection::Qkv => (q + 2 * kv, e),
            Projection::GateUp => (2 * f, e),
        })
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
        self.check_positions(file)?;
        self.check_factors(file)?;
        Ok(self)
    }

    /// What is rotated, and by what.
    fn check_positions(&self, file: &Path) -> Result<()> {
        let refuse = |key: &str, problem: String| {
            Err(ModelError::Config {
                file: file.to_owned(),
                key: key.into(),
                problem,
            })
        };
        if self.rotary_dim == 0 || !self.rotary_dim.is_multiple_of(2) {
            let problem = format!("{} values of a head are no pairs", self.rotary_dim);
            return refuse("partial_rotary_factor", problem);
        }
        for rope in [Some(&self.rope), self.local_rope.as_ref()]
            .into_iter()
            .flatten()
        {
            if !(rope.theta > 1.0 && rope.theta.is_finite()) {
                return refuse("rope_theta", format!("{} is not above 1", rope.theta));
            }
            if let RopeScaling::Long(long) = &rope.scaling {
                for (key, list) in [
                    ("short_factor", &long.short_factor),
                    ("long_factor", &long.long_factor),
                ] {
                    if list.len() != self.rotary_dim / 2 {
                        let (have, want) = (list.len(), self.rotary_dim / 2);
                        return refuse(key, format!("{have} factors for {want} pairs"));
                    }
                }
            }
        }
        Ok(())
    }

    /// Numbers that rows or scores are multiplied with or divided by.
    fn check_factors(&self, file: &Path) -> Result<()> {
        let factors = [
            ("attention scale", self.score_scale),
            ("embedding multiplier", Some(self.embedding_multiplier)),
            ("residual multiplier", Some(self.residual_multiplier)),
            ("logits multiplier", Some(self.logits_multiplier)),
            ("soft-cap of the scores", self.attention_soft_cap),
            ("soft-cap of the logits", self.final_soft_cap),
        ];
        if !(self.norm_eps > 0.0 && self.norm_eps < 1.0) {
            let key = match self.norm_kind {
                NormKind::LayerNorm => "layer_norm_eps",
                NormKind::Rms | NormKind::RmsPlusOne => "rms_norm_eps",
            };
            return Err(ModelError::Config {
                file: file.to_owned(),
                key: key.into(),
                problem: format!("{} is not between 0 and 1", self.norm_eps),
            });
        }
        for (what, factor) in factors {
            if let Some(factor) = factor.filter(|f| !(f.is_finite() && *f > 0.0)) {
                return Err(ModelError::Config {
                    file: file.to_owned(),
                    key: what.into(),
                    problem: format!("{factor} is not above 0"),
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
