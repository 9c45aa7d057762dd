//! GGUF metadata of the `llama` and `qwen2` architectures (Mistral's files are `llama`'s).

use std::path::Path;

use hub::gguf::{Header, Value};

use super::{
    ModelConfig, Rope, RopeScaling, gguf_keys,
    properties::{BlockNorms, GateActivation, MlpActivation, NormKind, RopePairs},
    rope::{Yarn, yarn_mscale},
};
use crate::{
    error::{ModelError, Result},
    projection::{LayerProjection, Projection},
    weights::gguf::{ROPE_FACTORS, hugging_face_name},
};

/// llama.cpp's base where the file names none.
const DEFAULT_THETA: f64 = 10_000.0;

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

    /// A list is a value for each layer; all must be the same.
    fn size(&self, key: &str) -> Result<Option<usize>> {
        let key = self.key(key);
        let mut value = self.header.metadata.get(&key);
        if let Some(Value::List(list)) = value {
            if list.windows(2).any(|pair| pair[0] != pair[1]) {
                return self.error(&key, "differs from layer to layer, which is not supported");
            }
            value = list.first();
        }
        match value {
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
    if let Some((key, value)) = gguf_keys::refused(header, &meta.architecture) {
        return meta.error(&meta.key(key), format!("{value} is not supported"));
    }
    let heads = meta.need_size("attention.head_count")?;
    let hidden_size = meta.need_size("embedding_length")?;
    let layers = meta.need_size("block_count")?;
    let head_dim = head_dim(&meta, hidden_size, heads)?;
    check_windows(&meta)?;
    let mut model = ModelConfig {
        vocab_size: vocab_size(&meta)?,
        hidden_size,
        intermediate_size: meta.need_size("feed_forward_length")?,
        num_hidden_layers: layers,
        num_attention_heads: heads,
        num_key_value_heads: meta.size("attention.head_count_kv")?.unwrap_or(heads),
        head_dim,
        norm_kind: NormKind::Rms,
        norm_eps: meta.need(
            "attention.layer_norm_rms_epsilon",
            meta.number("attention.layer_norm_rms_epsilon")?,
        )?,
        norms: BlockNorms::BEFORE,
        qk_norm: None,
        rope: Rope {
            theta: meta.number("rope.freq_base")?.unwrap_or(DEFAULT_THETA),
            scaling: scaling(&meta)?,
        },
        local_rope: None,
        rotary_dim: head_dim,
        rope_pairs: RopePairs::Halves,
        sliding_windows: Vec::new(),
        rotated: Vec::new(),
        score_scale: None,
        position_scale: None,
        attention_soft_cap: None,
        activation: MlpActivation::Gated(GateActivation::Silu),
        embedding_multiplier: 1.0,
        residual_multiplier: 1.0,
        logits_multiplier: 1.0,
        final_soft_cap: None,
        biases: biases(header),
        merged_qkv: false,
        merged_gate_up: false,
        tie_word_embeddings: !header.tensors.iter().any(|t| t.name == "output.weight"),
        max_position_embeddings: meta.size("context_length")?.unwrap_or(0),
    }
    .check(file)?;
    // Only now: nothing is allocated for an absurd number of layers.
    model.sliding_windows = vec![None; layers];
    model.rotated = vec![true; layers];
    Ok(model)
}

/// Keys, values and what is rotated of them have one size.
fn head_dim(meta: &Metadata<'_>, hidden_size: usize, heads: usize) -> Result<usize> {
    let size = match meta.size("attention.key_length")? {
        Some(size) => size,
        None if heads > 0 && hidden_size.is_multiple_of(heads) => hidden_size / heads,
        None => return meta.error(&meta.key("attention.key_length"), "is missing"),
    };
    for (key, problem) in [
        (
            "attention.value_length",
            "values of another size than keys are not supported",
        ),
        (
            "rope.dimension_count",
            "rotating only a part of each head is not supported",
        ),
    ] {
        if let Some(other) = meta.size(key)?.filter(|other| *other != size) {
            return meta.error(
                &meta.key(key),
                format!("is {other} where keys have {size}: {problem}"),
            );
        }
    }
    Ok(size)
}

/// llama.cpp has no windows in these architectures. A window that no prompt of the context can
/// leave changes nothing; any other one would make one file two models.
fn check_windows(meta: &Metadata<'_>) -> Result<()> {
    let (key, context) = (
        "attention.sliding_window",
        meta.size("context_length")?.unwrap_or(usize::MAX),
    );
    match meta.size(key)? {
        Some(window) if window > 0 && window < context => meta.error(
            &meta.key(key),
            format!(
                "{window}: llama.cpp passes over windows of this architecture; use the model's Hugging Face folder"
            ),
        ),
        _ => Ok(()),
    }
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
        None => "linear",
        Some(Value::Text(kind)) => kind.as_str(),
        Some(_) => return meta.error(&meta.key("rope.scaling.type"), "is not a text"),
    };
    if meta.architecture != "llama" && meta.header.tensor(ROPE_FACTORS).is_some() {
        return meta.error(ROPE_FACTORS, "is a tensor of the llama architecture only");
    }
    let factor = factor(meta)?;
    let sharper = meta.positive("rope.scaling.attn_factor")?.unwrap_or(1.0);
    if sharper != 1.0 && kind != "yarn" {
        return meta.error(
            &meta.key("rope.scaling.attn_factor"),
            format!("{sharper} is not supported without YaRN"),
        );
    }
    match kind {
        "none" => Ok(RopeScaling::None),
        "linear" if factor == 1.0 => Ok(RopeScaling::None),
        "linear" => Ok(RopeScaling::Linear { factor }),
        "yarn" => {
            let context = match meta.size("rope.scaling.original_context_length")? {
                Some(context) => context,
                None => meta.need_size("context_length")?,
            };
            Ok(RopeScaling::Yarn(Yarn {
                factor,
                original_max_position_embeddings: context as f64,
                beta_fast: 32.0,
                beta_slow: 1.0,
                attention_factor: sharper * yarn_mscale(factor, 1.0),
                truncate: true,
            }))
        }
        other => meta.error(
            &meta.key("rope.scaling.type"),
            format!("`{other}` is not supported; none, linear and yarn are"),
        ),
    }
}

/// The older key counts where the newer one is absent; 0 and nothing are 1.
fn factor(meta: &Metadata<'_>) -> Result<f64> {
    for key in ["rope.scaling.factor", "rope.scale_linear"] {
        match meta.number(key)? {
            None => (),
            Some(0.0) => return Ok(1.0),
            Some(_) => return meta.need(key, meta.positive(key)?),
        }
    }
    Ok(1.0)
}
