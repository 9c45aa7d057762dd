//! `config.json`, as transformers 4 and 5 write it.

use std::path::{Path, PathBuf};

use schema::disk::DiskError;
use serde_json::Value;

use super::{
    ModelConfig, Rope, RopeScaling,
    rope::{Yarn, yarn_mscale},
};
use crate::{
    error::{ModelError, Result},
    projection::Projection,
};

/// The families whose forward this decoder is; others would load and be wrong.
const FAMILIES: [&str; 3] = ["llama", "mistral", "qwen2"];

/// A JSON object of a file, with the path of keys that led to it.
struct Object<'a> {
    file: PathBuf,
    at: &'static str,
    value: &'a Value,
}

impl Object<'_> {
    fn error<T>(&self, key: &str, problem: impl Into<String>) -> Result<T> {
        Err(ModelError::Config {
            file: self.file.clone(),
            key: format!("{}{key}", self.at),
            problem: problem.into(),
        })
    }

    /// The value; absent and null are the same, as in the files.
    fn get(&self, key: &str) -> Option<&Value> {
        self.value.get(key).filter(|v| !v.is_null())
    }

    /// The object under a key, whose own keys are reported after `at`.
    fn object(&self, key: &str, at: &'static str) -> Option<Object<'_>> {
        self.get(key).map(|value| Object {
            file: self.file.clone(),
            at,
            value,
        })
    }

    fn number(&self, key: &str) -> Result<Option<f64>> {
        match self.get(key).map(Value::as_f64) {
            None => Ok(None),
            Some(Some(number)) if number.is_finite() => Ok(Some(number)),
            Some(_) => self.error(key, "is not a number"),
        }
    }

    fn positive(&self, key: &str) -> Result<Option<f64>> {
        match self.number(key)? {
            Some(number) if number <= 0.0 => self.error(key, format!("{number} is not above 0")),
            number => Ok(number),
        }
    }

    fn size(&self, key: &str) -> Result<Option<usize>> {
        match self.get(key).map(Value::as_u64) {
            None => Ok(None),
            Some(Some(size)) => Ok(Some(size as usize)),
            Some(None) => self.error(key, "is not a whole number"),
        }
    }

    fn flag(&self, key: &str) -> Result<Option<bool>> {
        match self.get(key).map(Value::as_bool) {
            None => Ok(None),
            Some(Some(flag)) => Ok(Some(flag)),
            Some(None) => self.error(key, "is neither true nor false"),
        }
    }

    fn need_size(&self, key: &str) -> Result<usize> {
        self.need(key, self.size(key)?)
    }

    fn need_positive(&self, key: &str) -> Result<f64> {
        self.need(key, self.positive(key)?)
    }

    fn need<T>(&self, key: &str, value: Option<T>) -> Result<T> {
        value.map_or_else(|| self.error(key, "is missing"), Ok)
    }
}

pub(super) fn read(file: &Path) -> Result<ModelConfig> {
    let text = std::fs::read_to_string(file).map_err(DiskError::at("read", file))?;
    let value: Value = serde_json::from_str(&text).map_err(|e| ModelError::Config {
        file: file.to_owned(),
        key: format!("line {}", e.line()),
        problem: format!("not valid JSON: {e}"),
    })?;
    let config = Object {
        file: file.to_owned(),
        at: "",
        value: &value,
    };
    check_family(&config)?;
    let (layers, heads) = (
        config.need_size("num_hidden_layers")?,
        config.need_size("num_attention_heads")?,
    );
    let hidden_size = config.need_size("hidden_size")?;
    let head_dim = match config.size("head_dim")? {
        Some(size) => size,
        None if heads > 0 && hidden_size.is_multiple_of(heads) => hidden_size / heads,
        None => {
            return config.error(
                "head_dim",
                format!("is missing, and {heads} heads do not divide {hidden_size}"),
            );
        }
    };
    let mut model = ModelConfig {
        vocab_size: config.need_size("vocab_size")?,
        hidden_size,
        intermediate_size: config.need_size("intermediate_size")?,
        num_hidden_layers: layers,
        num_attention_heads: heads,
        num_key_value_heads: config.size("num_key_value_heads")?.unwrap_or(heads),
        head_dim,
        rms_norm_eps: config.need("rms_norm_eps", config.number("rms_norm_eps")?)?,
        rope: rope(&config)?,
        sliding_windows: Vec::new(),
        biases: biases(&config)?,
        tie_word_embeddings: config.flag("tie_word_embeddings")?.unwrap_or(false),
        max_position_embeddings: config.size("max_position_embeddings")?.unwrap_or(0),
    }
    .check(file)?;
    // Only now: nothing is allocated for an absurd number of layers.
    model.sliding_windows = windows(&config, layers)?;
    Ok(model)
}

fn check_family(config: &Object<'_>) -> Result<()> {
    let family = config
        .get("model_type")
        .and_then(Value::as_str)
        .unwrap_or("none");
    if !FAMILIES.contains(&family) {
        return config.error(
            "model_type",
            format!(
                "`{family}` is none of the supported families: {}",
                FAMILIES.join(", ")
            ),
        );
    }
    match config.get("hidden_act").and_then(Value::as_str) {
        None | Some("silu") => Ok(()),
        Some(other) => config.error("hidden_act", format!("`{other}`; only silu is supported")),
    }
}

fn rope(config: &Object<'_>) -> Result<Rope> {
    // transformers 5 keeps base and scaling together; before, the base was beside
    // `rope_scaling`.
    let newer = config.object("rope_parameters", "rope_parameters.");
    let older = config.object("rope_scaling", "rope_scaling.");
    let theta = match &newer {
        Some(parameters) => parameters.number("rope_theta")?,
        None => None,
    };
    let theta = match theta {
        Some(theta) => theta,
        None => config.need("rope_theta", config.number("rope_theta")?)?,
    };
    let scaling = match newer.or(older) {
        Some(section) => scaling(&section, config)?,
        None => RopeScaling::None,
    };
    Ok(Rope { theta, scaling })
}

fn scaling(section: &Object<'_>, config: &Object<'_>) -> Result<RopeScaling> {
    let kind = section
        .get("rope_type")
        .or(section.get("type"))
        .and_then(Value::as_str)
        .unwrap_or("default");
    match kind {
        "default" => Ok(RopeScaling::None),
        "linear" => Ok(RopeScaling::Linear {
            factor: section.need_positive("factor")?,
        }),
        "llama3" => {
            let (low, high) = (
                section.need_positive("low_freq_factor")?,
                section.need_positive("high_freq_factor")?,
            );
            if high <= low {
                return section.error(
                    "high_freq_factor",
                    format!("{high} is not above low_freq_factor, {low}"),
                );
            }
            Ok(RopeScaling::Llama3 {
                factor: section.need_positive("factor")?,
                low_freq_factor: low,
                high_freq_factor: high,
                original_max_position_embeddings: section
                    .need_positive("original_max_position_embeddings")?,
            })
        }
        "yarn" => yarn(section, config, section.need_positive("factor")?).map(RopeScaling::Yarn),
        other => section.error(
            "rope_type",
            format!("`{other}` is not supported; default, linear, llama3 and yarn are"),
        ),
    }
}

fn yarn(section: &Object<'_>, config: &Object<'_>, factor: f64) -> Result<Yarn> {
    let key = "original_max_position_embeddings";
    let context = match section.positive(key)? {
        Some(context) => context,
        None => config.need(
            "max_position_embeddings",
            config.positive("max_position_embeddings")?,
        )?,
    };
    let attention_factor = match (
        section.positive("attention_factor")?,
        section.number("mscale")?,
        section.number("mscale_all_dim")?,
    ) {
        (Some(given), ..) => given,
        (None, Some(m), Some(all)) if m != 0.0 && all != 0.0 => {
            yarn_mscale(factor, m) / yarn_mscale(factor, all)
        }
        _ => yarn_mscale(factor, 1.0),
    };
    Ok(Yarn {
        factor,
        original_max_position_embeddings: context,
        beta_fast: section.positive("beta_fast")?.unwrap_or(32.0),
        beta_slow: section.positive("beta_slow")?.unwrap_or(1.0),
        attention_factor,
        truncate: section.flag("truncate")?.unwrap_or(true),
    })
}

/// As the families' code has it: `qwen2` always on q, k and v, `llama` by its flags, `mistral`
/// never.
fn biases(config: &Object<'_>) -> Result<Vec<Projection>> {
    use Projection::{Down, Gate, K, O, Q, Up, V};
    let mut biases = Vec::new();
    match config.get("model_type").and_then(Value::as_str) {
        Some("qwen2") => biases.extend([Q, K, V]),
        Some("llama") => {
            if config.flag("attention_bias")?.unwrap_or(false) {
                biases.extend([Q, K, V, O]);
            }
            if config.flag("mlp_bias")?.unwrap_or(false) {
                biases.extend([Gate, Up, Down]);
            }
        }
        _ => (),
    }
    Ok(biases)
}

/// Which layers slide: as `layer_types` says; else all where a window is given, unless
/// `use_sliding_window` is there, which then speaks for the layers from `max_window_layers` on.
fn windows(config: &Object<'_>, layers: usize) -> Result<Vec<Option<usize>>> {
    let window = config.size("sliding_window")?;
    if window == Some(0) {
        return config.error("sliding_window", "0: no row would see itself");
    }
    let Some(types) = config.get("layer_types") else {
        let from = match config.flag("use_sliding_window")? {
            None => 0,
            Some(true) => config.size("max_window_layers")?.unwrap_or(0),
            Some(false) => layers,
        };
        return Ok((0..layers)
            .map(|layer| window.filter(|_| layer >= from))
            .collect());
    };
    let types = types.as_array().map(Vec::as_slice).unwrap_or_default();
    if types.len() != layers {
        return config.error(
            "layer_types",
            format!("{} entries for {layers} layers", types.len()),
        );
    }
    types
        .iter()
        .map(|kind| match kind.as_str() {
            Some("full_attention") => Ok(None),
            Some("sliding_attention") => config.need("sliding_window", window).map(Some),
            _ => config.error("layer_types", format!("{kind} is not supported")),
        })
        .collect()
}
