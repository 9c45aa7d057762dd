//! Every key of `config.json` that the classes of transformers 5.24 read for the three families
//! (`LlamaConfig`, `MistralConfig`, `Qwen2Config` and their base), its default there, and what is
//! done with it here: used, refused unless it has its default, or harmless. Never here: what a value means.
//!
//! A key that is absent has the class's default. A null is an absence only where the class says
//! so; elsewhere the class refuses it, and so does this table.

use serde_json::{Map, Value};

use super::values::Object;
use crate::error::{Result, brief};

/// A key of a class that has a part in the decoder. [`HARMLESS`] has the others.
pub(super) struct Key {
    name: &'static str,
    /// As JSON; `None`: an absent key means something that no value says.
    default: Option<&'static str>,
    nullable: bool,
    /// Whether any other value than the default is refused: this decoder has no such part.
    only_default: bool,
}

const fn used(name: &'static str, default: &'static str) -> Key {
    Key {
        name,
        default: Some(default),
        nullable: false,
        only_default: false,
    }
}

/// Null is a value of the class's type.
const fn nullable(name: &'static str, default: &'static str) -> Key {
    Key {
        nullable: true,
        ..used(name, default)
    }
}

/// Whoever reads it looks at the file itself.
const fn as_written(name: &'static str) -> Key {
    Key {
        default: None,
        ..nullable(name, "")
    }
}

const fn refused(name: &'static str, default: &'static str) -> Key {
    Key {
        only_default: true,
        ..nullable(name, default)
    }
}

const LLAMA: &[Key] = &[
    used("vocab_size", "32000"),
    used("hidden_size", "4096"),
    used("intermediate_size", "11008"),
    used("num_hidden_layers", "32"),
    used("num_attention_heads", "32"),
    nullable("num_key_value_heads", "null"),
    nullable("head_dim", "null"),
    used("max_position_embeddings", "2048"),
    used("attention_bias", "false"),
    used("mlp_bias", "false"),
];

const MISTRAL: &[Key] = &[
    used("vocab_size", "32000"),
    used("hidden_size", "4096"),
    used("intermediate_size", "14336"),
    used("num_hidden_layers", "32"),
    used("num_attention_heads", "32"),
    used("num_key_value_heads", "8"),
    nullable("head_dim", "null"),
    used("max_position_embeddings", "131072"),
    nullable("sliding_window", "4096"),
    nullable("layer_types", "null"),
];

const QWEN2: &[Key] = &[
    used("vocab_size", "151936"),
    used("hidden_size", "4096"),
    used("intermediate_size", "22016"),
    used("num_hidden_layers", "32"),
    used("num_attention_heads", "32"),
    nullable("num_key_value_heads", "32"),
    Key {
        nullable: false,
        ..as_written("head_dim")
    },
    used("max_position_embeddings", "32768"),
    used("use_sliding_window", "false"),
    nullable("sliding_window", "4096"),
    used("max_window_layers", "28"),
    nullable("layer_types", "null"),
];

/// Of every family: what its base class, the RoPE of all classes and the model's code read.
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
    refused("is_causal", "true"),
    refused("per_layer_config", "null"),
    refused("configuration_files", "null"),
    refused("text_config", "null"),
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
    "chunk_size_feed_forward",
    "cross_attention_hidden_size",
    "decoder_start_token_id",
    "diversity_penalty",
    "do_sample",
    "dtype",
    "early_stopping",
    "encoder_no_repeat_ngram_size",
    "encoder_repetition_penalty",
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

/// The families whose forward this decoder is; others would load and be wrong.
pub(super) const FAMILIES: [(&str, &[Key]); 3] =
    [("llama", LLAMA), ("mistral", MISTRAL), ("qwen2", QWEN2)];

/// A file with its class's defaults filled in.
pub(super) struct Filled {
    /// Every key of the table that has a value, and every other one of the file.
    pub(super) values: Value,
    /// Keys that the class has not, with a value that looks as if it did something.
    pub(super) passed_over: Vec<String>,
}

/// Fills the defaults in and refuses what the class refuses and what this decoder cannot be.
pub(super) fn fill(config: &Object<'_>) -> Result<Filled> {
    let family = config.text("model_type").unwrap_or("none");
    let Some((_, table)) = FAMILIES.iter().find(|(name, _)| *name == family) else {
        let names = FAMILIES.map(|(name, _)| name).join(", ");
        return config.error(
            "model_type",
            format!("`{family}` is none of the supported families: {names}"),
        );
    };
    let mut values = config.members();
    let mut unknown = values.clone();
    for key in COMMON.iter().chain(table.iter()) {
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
        values: Value::Object(values),
        passed_over: unknown
            .into_iter()
            .filter(|(_, value)| !is_idle(value))
            .map(|(name, _)| name)
            .collect(),
    })
}

fn refuse(config: &Object<'_>, key: &Key, values: &Map<String, Value>) -> Result<()> {
    let (true, Some(value)) = (key.only_default, values.get(key.name)) else {
        return Ok(());
    };
    let default = key.default.unwrap_or("null");
    let shown = value.to_string();
    if shown == default {
        return Ok(());
    }
    config.error(
        key.name,
        format!("{} is not supported; only {default} is", brief(value)),
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
        for (family, table) in FAMILIES {
            let mut names: Vec<&str> = COMMON
                .iter()
                .chain(table)
                .map(|key| key.name)
                .chain(HARMLESS.iter().copied())
                .collect();
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all, "{family}");
        }
    }

    #[test]
    fn defaults_are_json() {
        for key in COMMON.iter().chain(LLAMA).chain(MISTRAL).chain(QWEN2) {
            if let Some(default) = key.default {
                serde_json::from_str::<Value>(default).expect(key.name);
            }
        }
    }
}
