//! Every metadata key of the supported architectures that could change a number, and
//! what is done with it. llama.cpp is the reference (`llama_model_base::load_hparams`,
//! `src/models/*.cpp`): what it reads is used (by all architectures here, by some in
//! `gguf_families.rs`), what it ignores is refused unless it says nothing.

use hub::gguf::{Header, Value};

use super::{gguf_families::Architecture, rope::yarn_mscale};

/// Read by `gguf.rs`.
const USED: &[&str] = &[
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.layer_norm_rms_epsilon",
    "attention.sliding_window",
    "attention.value_length",
    "block_count",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.scale_linear",
    "rope.scaling.attn_factor",
    "rope.scaling.factor",
    "rope.scaling.original_context_length",
    "rope.scaling.type",
    "vocab_size",
];

/// llama.cpp passes over it and takes the usual factor, which some converted files spell out.
const YARN_ATTENTION: &str = "rope.scaling.yarn_attn_factor";

/// No logit depends on them.
const HARMLESS: &[&str] = &[
    "attention.layer_norm_epsilon",
    "pooling_type",
    "rope.scaling.finetuned",
    "tensor_data_layout",
];

/// Refused unless they have one of these values, a flag counting as 0 or 1. They belong to other
/// architectures, or to those of a later llama.cpp: a file that sets them means something that
/// this decoder does not compute.
const NEUTRAL: &[(&str, &[f64])] = &[
    ("attention.causal", &[1.0]),
    ("attention.clamp_kqv", &[0.0]),
    ("attention.max_alibi_bias", &[0.0]),
    ("attention.output_scale", &[0.0, 1.0]),
    ("attention.scale", &[0.0]),
    ("attention.temperature_length", &[0.0]),
    ("attention.temperature_scale", &[0.0]),
    ("attn_logit_softcapping", &[0.0]),
    ("embedding_scale", &[0.0, 1.0]),
    ("expert_count", &[0.0]),
    ("expert_shared_count", &[0.0]),
    ("expert_used_count", &[0.0]),
    ("final_logit_softcapping", &[0.0]),
    ("leading_dense_block_count", &[0.0]),
    ("logit_scale", &[0.0, 1.0]),
    ("nextn_predict_layers", &[0.0]),
    ("residual_scale", &[0.0, 1.0]),
    ("rope.dimension_sections", &[]),
    ("rope.freq_base_per_layer", &[]),
    ("rope.scaling.alpha", &[0.0, 1.0]),
    (YARN_ATTENTION, &[1.0]),
    ("rope.scaling.yarn_beta_fast", &[32.0]),
    ("rope.scaling.yarn_beta_slow", &[1.0]),
    ("rope.scaling.yarn_ext_factor", &[-1.0, 1.0]),
    ("rope.scaling.yarn_log_multiplier", &[0.0]),
    ("swin_norm", &[0.0]),
    ("use_parallel_residual", &[0.0]),
];

/// The first key that says something that is not computed: its name after the architecture's,
/// and its value.
pub(super) fn refused(header: &Header, known: &Architecture) -> Option<(&'static str, String)> {
    let others = NEUTRAL.iter().filter(|(key, _)| !known.reads(key));
    others.into_iter().find_map(|(key, neutral)| {
        let value = header.metadata.get(&format!("{}.{key}", known.name))?;
        let is_usual = |n: f64| {
            *key == YARN_ATTENTION && usual_yarn_attention(header, known) == Some(n as f32)
        };
        let says_nothing = number(value).is_some_and(|n| neutral.contains(&n) || is_usual(n));
        (!says_nothing).then(|| (*key, show(value)))
    })
}

fn usual_yarn_attention(header: &Header, known: &Architecture) -> Option<f32> {
    let value = |key: &str| header.metadata.get(&format!("{}.{key}", known.name));
    let is_yarn = matches!(value("rope.scaling.type"), Some(Value::Text(kind)) if kind == "yarn");
    let factor = number(value("rope.scaling.factor").filter(|_| is_yarn)?)?;
    Some(yarn_mscale(factor, 1.0) as f32)
}

/// The architecture's keys that no list above names.
pub(super) fn unknown(header: &Header) -> Vec<String> {
    let Some(Value::Text(architecture)) = header.metadata.get("general.architecture") else {
        return Vec::new();
    };
    let architecture_of_keys = Architecture::by_name(architecture);
    let is_known = |key: &str| {
        USED.contains(&key)
            || architecture_of_keys.is_some_and(|known| known.reads(key))
            || HARMLESS.contains(&key)
            || NEUTRAL.iter().any(|(name, _)| *name == key)
    };
    header
        .metadata
        .keys()
        .filter_map(|key| Some((key, key.strip_prefix(architecture)?.strip_prefix('.')?)))
        .filter(|(_, key)| !is_known(key))
        .map(|(key, _)| key.chars().take(80).flat_map(char::escape_debug).collect())
        .collect()
}

/// A number or a flag.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
        Value::Unsigned(n) => Some(*n as f64),
        Value::Signed(n) => Some(*n as f64),
        Value::Float(x) => Some(*x),
        Value::Text(_) | Value::List(_) => None,
    }
}

fn show(value: &Value) -> String {
    match value {
        Value::Bool(flag) => flag.to_string(),
        Value::Text(_) => "a text".into(),
        Value::List(list) => format!("a list of {}", list.len()),
        other => number(other).unwrap_or(f64::NAN).to_string(),
    }
}
