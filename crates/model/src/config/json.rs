//! `config.json`, as transformers 4 and 5 write it, read as transformers 5.24 reads it.

use std::path::Path;

use schema::disk::DiskError;
use serde_json::Value;

use super::{ModelConfig, keys, rope_json, values::Object};
use crate::{
    error::{ModelError, Result, brief},
    projection::Projection,
};

/// The decoder of a file, and the keys that had no part in it though they look as if they should.
pub(super) fn read(file: &Path) -> Result<(ModelConfig, Vec<String>)> {
    let text = std::fs::read_to_string(file).map_err(DiskError::at("read", file))?;
    let written: Value = serde_json::from_str(&text).map_err(|e| ModelError::Config {
        file: file.to_owned(),
        key: format!("line {}", e.line()),
        problem: format!("not valid JSON: {e}"),
    })?;
    of_value(file, &written)
}

/// As [`read`], of a file's content.
pub(super) fn of_value(file: &Path, written: &Value) -> Result<(ModelConfig, Vec<String>)> {
    let filled = keys::fill(&Object::new(file, written))?;
    let config = Object::new(file, &filled.values);
    check_activation(&config)?;
    check_quantisation(&config)?;
    let (rope, rope_passed_over) = rope_json::read(&config)?;
    let layers = config.need_size("num_hidden_layers")?;
    let heads = config.need_size("num_attention_heads")?;
    let mut model = ModelConfig {
        vocab_size: config.need_size("vocab_size")?,
        hidden_size: config.need_size("hidden_size")?,
        intermediate_size: config.need_size("intermediate_size")?,
        num_hidden_layers: layers,
        num_attention_heads: heads,
        num_key_value_heads: config.size("num_key_value_heads")?.unwrap_or(heads),
        head_dim: head_dim(&config, heads)?,
        rms_norm_eps: config.need("rms_norm_eps", config.number("rms_norm_eps")?)?,
        rope,
        sliding_windows: Vec::new(),
        biases: biases(&config)?,
        tie_word_embeddings: config.need_flag("tie_word_embeddings")?,
        max_position_embeddings: config.need_size("max_position_embeddings")?,
    }
    .check(file)?;
    // Only now: nothing is allocated for an absurd number of layers.
    model.sliding_windows = windows(&config, layers)?;
    let passed_over = filled
        .passed_over
        .into_iter()
        .chain(rope_passed_over)
        .collect();
    Ok((model, passed_over))
}

/// `swish` is another name of the same function.
fn check_activation(config: &Object<'_>) -> Result<()> {
    match config.text("hidden_act") {
        Some("silu" | "swish") => Ok(()),
        other => config.error(
            "hidden_act",
            format!("`{}`; only silu is supported", other.unwrap_or("none")),
        ),
    }
}

/// The weights of bitsandbytes speak for themselves; those of other methods have other names or
/// types, or look like plain ones.
fn check_quantisation(config: &Object<'_>) -> Result<()> {
    let Some(section) = config.object("quantization_config", "quantization_config.")? else {
        return Ok(());
    };
    match section.text("quant_method") {
        None | Some("bitsandbytes") => Ok(()),
        Some(other) => section.error(
            "quant_method",
            format!(
                "`{other}` is not supported; bitsandbytes' 4 bits are, and files that are not quantised"
            ),
        ),
    }
}

fn head_dim(config: &Object<'_>, heads: usize) -> Result<usize> {
    let hidden_size = config.need_size("hidden_size")?;
    match config.size("head_dim")? {
        Some(size) => Ok(size),
        None if heads > 0 && hidden_size.is_multiple_of(heads) => Ok(hidden_size / heads),
        None => config.error(
            "head_dim",
            format!("is missing, and {heads} heads do not divide {hidden_size}"),
        ),
    }
}

/// As the families' code has it: `qwen2` always on q, k and v, `llama` by its flags, `mistral`
/// never.
fn biases(config: &Object<'_>) -> Result<Vec<Projection>> {
    use Projection::{Down, Gate, K, O, Q, Up, V};
    let mut biases = Vec::new();
    match config.text("model_type") {
        Some("qwen2") => biases.extend([Q, K, V]),
        Some("llama") => {
            if config.need_flag("attention_bias")? {
                biases.extend([Q, K, V, O]);
            }
            if config.need_flag("mlp_bias")? {
                biases.extend([Gate, Up, Down]);
            }
        }
        _ => (),
    }
    Ok(biases)
}

/// Which layers slide: none of `llama`, all of `mistral` where a window is given, those of
/// `qwen2` that `layer_types` names or that begin at `max_window_layers`, if
/// `use_sliding_window` says so at all.
fn windows(config: &Object<'_>, layers: usize) -> Result<Vec<Option<usize>>> {
    let window = || match config.size("sliding_window")? {
        Some(0) => config.error("sliding_window", "0: no row would see itself"),
        window => Ok(window),
    };
    match config.text("model_type") {
        Some("mistral") => {
            let window = window()?;
            let kind = window.map_or("full_attention", |_| "sliding_attention");
            if let Some(types) = layer_types(config, layers)?
                && types.iter().any(|t| *t != kind)
            {
                return config.error(
                    "layer_types",
                    format!(
                        "all layers of mistral are of one kind, here {kind} by sliding_window; take the key out if that is meant"
                    ),
                );
            }
            Ok(vec![window; layers])
        }
        Some("qwen2") => {
            let window = match config.need_flag("use_sliding_window")? {
                true => window()?,
                false => None,
            };
            match layer_types(config, layers)? {
                Some(types) => typed_windows(config, &types, window),
                None => {
                    let from = config.need_size("max_window_layers")?;
                    Ok((0..layers)
                        .map(|layer| window.filter(|_| layer >= from))
                        .collect())
                }
            }
        }
        _ => {
            // It slides nothing, but the class refuses a list that does not fit.
            layer_types(config, layers)?;
            Ok(vec![None; layers])
        }
    }
}

fn layer_types<'a>(config: &Object<'a>, layers: usize) -> Result<Option<Vec<&'a str>>> {
    let Some(types) = config.get("layer_types") else {
        return Ok(None);
    };
    let types = types.as_array().map(Vec::as_slice).unwrap_or_default();
    if types.len() != layers {
        return config.error(
            "layer_types",
            format!("{} entries for {layers} layers", types.len()),
        );
    }
    let known = |kind: &'a Value| match kind.as_str() {
        Some(kind @ ("full_attention" | "sliding_attention")) => Ok(kind),
        _ => config.error("layer_types", format!("{} is not supported", brief(kind))),
    };
    types.iter().map(known).collect::<Result<_>>().map(Some)
}

fn typed_windows(
    config: &Object<'_>,
    types: &[&str],
    window: Option<usize>,
) -> Result<Vec<Option<usize>>> {
    let slides = |kind: &&str| *kind == "sliding_attention";
    if window.is_none() && types.iter().any(slides) {
        return config.error(
            "layer_types",
            "names layers that slide, but use_sliding_window or sliding_window gives no window",
        );
    }
    Ok(types
        .iter()
        .map(|kind| window.filter(|_| slides(kind)))
        .collect())
}
