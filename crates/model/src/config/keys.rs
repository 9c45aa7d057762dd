//! Every key of `config.json` that the classes of transformers 5.24 read, its default there, and
//! what is done with it here: used, refused unless it says that a part is absent, idle, or
//! harmless. Here are those of every class; `family_keys.rs` has the others. Never here: what a
//! value means.
//!
//! A key that is absent has the class's default. A null is an absence only where the class says
//! so; elsewhere the class refuses it, and so does this table.

use serde_json::{Map, Value};

use super::{
    families::{BEYOND, FAMILIES, Family},
    key::{Key, as_written, refused, used},
    values::Object,
};
use crate::error::{Result, brief};

/// Of every family, unless its own list has the key: what its base class, the RoPE of all classes
/// and the model's code read.
const COMMON: &[Key] = &[
    as_written("model_type"),
    used("hidden_act", "\"silu\""),
    used("rms_norm_eps", "1e-6"),
    used("tie_word_embeddings", "false"),
    as_written("rope_parameters"),
    as_written("rope_scaling"),
    as_written("rope_theta"),
    as_written("partial_rotary_factor"),
    as_written("original_max_position_embeddings"),
    as_written("quantization_config"),
    refused("is_causal", &["true"]),
    refused("per_layer_config", &["null"]),
    refused("configuration_files", &["null"]),
    refused("text_config", &["null"]),
];

/// Keys on which no logit depends: training, generation, labels, and what programs note about
/// themselves.
const HARMLESS: &[&str] = &[
    "_attn_implementation",
    "_attn_implementation_autoset",
    "_attn_implementation_internal",
    "_commit_hash",
    "_name_or_path",
    "add_cross_attention",
    "architectures",
    "assistant_confidence_threshold",
    "assistant_lookbehind",
    "attention_dropout",
    "attn_implementation",
    "auto_map",
    "bad_words_ids",
    "begin_suppress_tokens",
    "bos_token_id",
    "cache_implementation",
    "chunk_size_feed_forward",
    "cross_attention_hidden_size",
    "decoder_start_token_id",
    "diversity_penalty",
    "do_sample",
    "dtype",
    "early_stopping",
    "embd_pdrop",
    "encoder_no_repeat_ngram_size",
    "encoder_repetition_penalty",
    "eod_token_id",
    "eos_token_id",
    "epsilon_cutoff",
    "eta_cutoff",
    "exponential_decay_length_penalty",
    "finetuning_task",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "id2label",
    "initializer_range",
    "is_decoder",
    "is_encoder_decoder",
    "is_llama_config",
    "label2id",
    "length_penalty",
    "max_length",
    "min_length",
    "name_or_path",
    "no_repeat_ngram_size",
    "num_assistant_tokens",
    "num_assistant_tokens_schedule",
    "num_beam_groups",
    "num_beams",
    "num_labels",
    "num_return_sequences",
    "output_attentions",
    "output_hidden_states",
    "output_scores",
    "pad_token_id",
    "prefix",
    "pretraining_tp",
    "problem_type",
    "remove_invalid_values",
    "repetition_penalty",
    "resid_pdrop",
    "residual_dropout",
    "return_dict",
    "return_dict_in_generate",
    "sep_token_id",
    "suppress_tokens",
    "target_lookbehind",
    "task_specific_params",
    "temperature",
    "tie_encoder_decoder",
    "tie_last_hidden_states",
    "tokenizer_class",
    "top_k",
    "top_p",
    "torch_dtype",
    "torchscript",
    "transformers.js_config",
    "transformers_version",
    "typical_p",
    "unsloth_fixed",
    "unsloth_version",
    "use_bfloat16",
    "use_cache",
];

/// A file with its class's defaults filled in.
pub(super) struct Filled {
    pub(super) family: &'static Family,
    /// Every key of the table that has a value, and every other one of the file.
    pub(super) values: Value,
    /// Keys that the class has not, with a value that looks as if it did something.
    pub(super) passed_over: Vec<String>,
}

/// The keys of a family's files.
fn all_keys(family: &Family) -> impl Iterator<Item = &'static Key> {
    let own = family.keys;
    let is_own = |key: &&Key| own.iter().any(|other| other.name == key.name);
    own.iter()
        .chain(COMMON.iter().filter(move |key| !is_own(key)))
}

/// The family, or the part that this decoder has not.
fn family(config: &Object<'_>) -> Result<&'static Family> {
    let name = config.text("model_type").unwrap_or("none");
    if let Some(family) = FAMILIES.iter().find(|family| family.name == name) {
        return Ok(family);
    }
    let members = config.members();
    let nested = members.get("text_config").and_then(Value::as_object);
    let says_so = |key: &str| {
        let holders = [Some(&members), nested];
        let mut values = holders.into_iter().flatten().filter_map(|m| m.get(key));
        values.any(|value| !is_idle(value) && value.as_f64() != Some(0.0))
    };
    let problem = match BEYOND.iter().find(|(key, _)| says_so(key)) {
        Some((key, part)) => format!("`{name}` has {part} (`{key}`), which is not supported"),
        None => {
            let names: Vec<&str> = FAMILIES.iter().map(|family| family.name).collect();
            format!(
                "`{name}` is none of the supported families: {}",
                names.join(", ")
            )
        }
    };
    config.error("model_type", problem)
}

/// Fills the defaults in and refuses what the class refuses and what this decoder cannot be.
pub(super) fn fill(config: &Object<'_>) -> Result<Filled> {
    let family = family(config)?;
    let mut values = config.members();
    let mut unknown = values.clone();
    for key in all_keys(family) {
        unknown.remove(key.name);
        match values.get(key.name) {
            Some(Value::Null) if !key.nullable => {
                return config.error(
                    key.name,
                    "is null, which transformers refuses; leave the key out for its default",
                );
            }
            Some(_) => refuse(config, key, &values)?,
            None => insert_default(config, key, &mut values)?,
        }
    }
    for name in HARMLESS {
        unknown.remove(*name);
    }
    Ok(Filled {
        family,
        values: Value::Object(values),
        passed_over: unknown
            .into_iter()
            .filter(|(_, value)| !is_idle(value))
            .map(|(name, _)| name)
            .collect(),
    })
}

fn refuse(config: &Object<'_>, key: &Key, values: &Map<String, Value>) -> Result<()> {
    let Some(value) = values.get(key.name).filter(|_| !key.only.is_empty()) else {
        return Ok(());
    };
    if key.only.contains(&value.to_string().as_str()) {
        return Ok(());
    }
    config.error(
        key.name,
        format!("{} is not supported; only {} is", brief(value), key.only[0]),
    )
}

fn insert_default(config: &Object<'_>, key: &Key, values: &mut Map<String, Value>) -> Result<()> {
    let Some(default) = key.default else {
        return Ok(());
    };
    match serde_json::from_str(default) {
        Ok(value) => values.insert(key.name.into(), value),
        Err(e) => return config.error(key.name, format!("the default is not JSON: {e}")),
    };
    Ok(())
}

/// Whether a value says that a thing is not there.
fn is_idle(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_treated_in_two_ways() {
        for family in FAMILIES {
            let mut names: Vec<&str> = all_keys(family)
                .map(|key| key.name)
                .chain(HARMLESS.iter().copied())
                .collect();
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all, "{}", family.name);
        }
    }

    #[test]
    fn defaults_are_json_and_families_have_a_name_of_their_own() {
        for (at, family) in FAMILIES.iter().enumerate() {
            for key in all_keys(family) {
                for text in key.default.iter().chain(key.only) {
                    serde_json::from_str::<Value>(text).expect(key.name);
                }
            }
            if let Some(text) = family.rope.absent {
                serde_json::from_str::<Value>(text).expect(family.name);
            }
            assert!(FAMILIES[..at].iter().all(|other| other.name != family.name));
        }
    }
}
