//! A model's properties as the metadata of a GGUF file: the inverse of `gguf.rs`. Whatever a file
//! cannot say is found by reading the metadata again, and refused. Never here: tensors' bytes,
//! tokenizers.

use std::{collections::BTreeMap, path::Path};

use hub::gguf::{Header, Value};

use super::{
    ModelConfig, Rope, RopeScaling, gguf,
    gguf_families::{Architecture, Factor, LocalTheta},
    properties::NormKind,
};
use crate::error::{ModelError, Result};

/// The metadata of a model, without its tokenizer.
pub(crate) fn describe(config: &ModelConfig, known: &Architecture) -> BTreeMap<String, Value> {
    let mut keys = Keys {
        architecture: known.name,
        written: BTreeMap::new(),
    };
    let architecture = Value::Text(known.name.to_owned());
    keys.written
        .insert("general.architecture".to_owned(), architecture);
    put_sizes(&mut keys, config);
    keys.float("rope.freq_base", config.rope.theta);
    put_scaling(&mut keys, config, known);
    put_windows(&mut keys, config, known);
    let factors = [
        (known.scores, config.score_scale.unwrap_or(0.0)),
        (known.embedding, config.embedding_multiplier),
        (known.residual, config.residual_multiplier),
        (known.logits, config.logits_multiplier),
    ];
    for (factor, value) in factors {
        match factor {
            Factor::Key(key) => keys.float(key, value),
            Factor::InverseOf(key) => keys.float(key, 1.0 / value),
            Factor::One | Factor::RootOfHidden => (),
        }
    }
    let caps = [
        ("attn_logit_softcapping", config.attention_soft_cap),
        ("final_logit_softcapping", config.final_soft_cap),
    ];
    for (key, cap) in caps {
        if let Some(cap) = cap {
            keys.float(key, cap);
        }
    }
    if let Some(growth) = config.position_scale {
        keys.float("attention.temperature_scale", growth.beta);
        keys.size(
            "rope.scaling.original_context_length",
            growth.context as usize,
        );
    }
    keys.written
}

/// Keys of one architecture.
struct Keys {
    architecture: &'static str,
    written: BTreeMap<String, Value>,
}

impl Keys {
    fn put(&mut self, key: &str, value: Value) {
        let key = format!("{}.{key}", self.architecture);
        self.written.insert(key, value);
    }

    fn size(&mut self, key: &str, size: usize) {
        self.put(key, Value::Unsigned(size as u64));
    }

    /// As files hold it.
    fn float(&mut self, key: &str, value: f64) {
        self.put(key, Value::Float(round(value)));
    }
}

fn put_sizes(keys: &mut Keys, config: &ModelConfig) {
    for (key, size) in [
        ("block_count", config.num_hidden_layers),
        ("context_length", config.max_position_embeddings),
        ("embedding_length", config.hidden_size),
        ("feed_forward_length", config.intermediate_size),
        ("attention.head_count", config.num_attention_heads),
        ("attention.head_count_kv", config.num_key_value_heads),
        ("attention.key_length", config.head_dim),
        ("attention.value_length", config.head_dim),
        ("rope.dimension_count", config.rotary_dim),
        ("vocab_size", config.vocab_size),
    ] {
        keys.size(key, size);
    }
    let eps = match config.norm_kind {
        NormKind::LayerNorm => "attention.layer_norm_epsilon",
        NormKind::Rms | NormKind::RmsPlusOne => "attention.layer_norm_rms_epsilon",
    };
    keys.float(eps, config.norm_eps);
}

/// Divisors of single angles are tensors.
fn put_scaling(keys: &mut Keys, config: &ModelConfig, known: &Architecture) {
    let context = "rope.scaling.original_context_length";
    match &config.rope.scaling {
        RopeScaling::None | RopeScaling::Llama3 { .. } | RopeScaling::Factors(_) => (),
        RopeScaling::Linear { factor } => {
            keys.put("rope.scaling.type", Value::Text("linear".to_owned()));
            keys.float("rope.scaling.factor", *factor);
        }
        RopeScaling::Long(long) => {
            keys.size(context, long.original_max_position_embeddings as usize);
            keys.float("rope.scaling.attn_factor", long.attention_factor);
        }
        RopeScaling::Yarn(yarn) => {
            keys.put("rope.scaling.type", Value::Text("yarn".to_owned()));
            keys.float("rope.scaling.factor", yarn.factor);
            keys.size(context, yarn.original_max_position_embeddings as usize);
            let own = [
                ("rope.scaling.yarn_beta_fast", yarn.beta_fast),
                ("rope.scaling.yarn_beta_slow", yarn.beta_slow),
            ];
            for (key, value) in own.into_iter().filter(|(key, _)| known.reads(key)) {
                keys.float(key, value);
            }
        }
    }
}

fn put_windows(keys: &mut Keys, config: &ModelConfig, known: &Architecture) {
    let slides = effective_windows(config);
    let (Some(window), Some(pattern)) = (slides.iter().flatten().next(), known.windows) else {
        return;
    };
    keys.size("attention.sliding_window", *window);
    if pattern.listed {
        let flags = slides.iter().map(|window| Value::Bool(window.is_some()));
        let list = Value::List(flags.collect());
        keys.put("attention.sliding_window_pattern", list);
    }
    let local = config.local_rope.as_ref();
    if let Some(local) = local.filter(|_| known.local_theta != LocalTheta::Same) {
        keys.float("rope.freq_base_swa", local.theta);
    }
}

/// A window that no text of the context leaves is none.
fn effective_windows(config: &ModelConfig) -> Vec<Option<usize>> {
    let context = config.max_position_embeddings;
    let windows = config.sliding_windows.iter();
    windows
        .map(|window| window.filter(|window| *window < context))
        .collect()
}

/// What a file with this header says is what `config` says, but for the divisors of angles, which
/// are tensors.
///
/// # Errors
/// The first property that llama.cpp's architecture has no place for.
pub(crate) fn check(config: &ModelConfig, header: &Header, folder: &Path) -> Result<()> {
    let (wanted, found) = (
        comparable(config),
        comparable(&gguf::read(&header.path, header)?),
    );
    macro_rules! differing {
        ($($field:ident)+) => {
            [$((stringify!($field), wanted.$field == found.$field)),+]
        };
    }
    let fields = differing!(
        vocab_size hidden_size intermediate_size num_hidden_layers num_attention_heads
        num_key_value_heads head_dim norm_kind norm_eps norms qk_norm rope local_rope rotary_dim
        rope_pairs sliding_windows rotated score_scale position_scale attention_soft_cap activation
        embedding_multiplier residual_multiplier logits_multiplier final_soft_cap biases merged_qkv
        merged_gate_up tie_word_embeddings max_position_embeddings
    );
    match fields.iter().find(|(_, is_same)| !is_same) {
        None => Ok(()),
        Some((field, _)) => Err(ModelError::Config {
            file: folder.to_owned(),
            key: (*field).to_owned(),
            problem:
                "is something that a GGUF file of this architecture cannot say; merge into a folder"
                    .to_owned(),
        }),
    }
}

/// As a file would say it: numbers rounded to f32, what is said twice said once.
fn comparable(config: &ModelConfig) -> ModelConfig {
    let windows = effective_windows(config);
    let slides = windows.iter().any(Option::is_some);
    let usual = (config.head_dim as f64).powf(-0.5);
    let local = config.local_rope.as_ref().filter(|_| slides);
    let mut biases = config.biases.clone();
    biases.sort_unstable();
    let mut same = ModelConfig {
        norm_eps: round(config.norm_eps),
        rope: comparable_rope(&config.rope),
        local_rope: local.map(comparable_rope),
        sliding_windows: windows,
        score_scale: Some(round(config.score_scale.unwrap_or(usual))),
        attention_soft_cap: config.attention_soft_cap.map(round),
        embedding_multiplier: round(config.embedding_multiplier),
        residual_multiplier: round(config.residual_multiplier),
        logits_multiplier: round(config.logits_multiplier),
        final_soft_cap: config.final_soft_cap.map(round),
        biases,
        ..config.clone()
    };
    if let Some(growth) = &mut same.position_scale {
        growth.beta = round(growth.beta);
    }
    if same.norm_kind == NormKind::RmsPlusOne {
        same.norm_kind = NormKind::Rms;
    }
    same
}

fn comparable_rope(rope: &Rope) -> Rope {
    let scaling = match rope.scaling.clone() {
        RopeScaling::Llama3 { .. } | RopeScaling::Long(_) | RopeScaling::Factors(_) => {
            RopeScaling::None
        }
        RopeScaling::Linear { factor } => RopeScaling::Linear {
            factor: round(factor),
        },
        RopeScaling::Yarn(mut yarn) => {
            yarn.factor = round(yarn.factor);
            yarn.beta_fast = round(yarn.beta_fast);
            yarn.beta_slow = round(yarn.beta_slow);
            yarn.attention_factor = round(yarn.attention_factor);
            RopeScaling::Yarn(yarn)
        }
        RopeScaling::None => RopeScaling::None,
    };
    Rope {
        theta: round(rope.theta),
        scaling,
    }
}

fn round(value: f64) -> f64 {
    f64::from(value as f32)
}
