//! `config.json`, as transformers 4 and 5 write it, read as transformers 5.24 reads it.

use std::path::Path;

use schema::disk::DiskError;
use serde_json::Value;

use super::{
    ModelConfig,
    families::{ActivationRule, Family, MultiplierRule, ScoreRule},
    keys, layers,
    properties::{GateActivation, MlpActivation, QkNorm},
    rope_json,
    values::Object,
};
use crate::{
    error::{ModelError, Result},
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
    let (config, family) = (Object::new(file, &filled.values), filled.family);
    check_quantisation(&config)?;
    let rope = rope_json::read(&config, &family.rope)?;
    let layers = config.need_size("num_hidden_layers")?;
    let heads = config.need_size("num_attention_heads")?;
    let hidden_size = config.need_size("hidden_size")?;
    let head_dim = head_dim(&config, family, heads)?;
    let mut model = ModelConfig {
        vocab_size: config.need_size("vocab_size")?,
        hidden_size,
        intermediate_size: config.need_size("intermediate_size")?,
        num_hidden_layers: layers,
        num_attention_heads: heads,
        num_key_value_heads: config.size("num_key_value_heads")?.unwrap_or(heads),
        head_dim,
        norm_kind: family.norm_kind,
        norm_eps: config.need(family.norm_eps, config.number(family.norm_eps)?)?,
        norms: family.norms,
        qk_norm: qk_norm(&config, family)?,
        rope: rope.rope,
        local_rope: rope.local,
        rotary_dim: (head_dim as f64 * rope.share) as usize,
        rope_pairs: family.rope.pairs,
        sliding_windows: Vec::new(),
        rotated: Vec::new(),
        score_scale: score_scale(&config, family)?,
        position_scale: rope.growth,
        attention_soft_cap: number_if(&config, family.attention_soft_cap)?,
        activation: activation(&config, family)?,
        embedding_multiplier: multiplier(&config, family.embedding)?,
        residual_multiplier: multiplier(&config, family.residual)?,
        logits_multiplier: multiplier(&config, family.logits)?,
        final_soft_cap: number_if(&config, family.final_soft_cap)?,
        biases: biases(&config, family)?,
        merged_qkv: family.merged_qkv,
        merged_gate_up: family.merged_gate_up,
        tie_word_embeddings: config.need_flag("tie_word_embeddings")?,
        max_position_embeddings: config.need_size("max_position_embeddings")?,
    }
    .check(file)?;
    // Only now: nothing is allocated for an absurd number of layers.
    let kinds = layers::read(&config, family, layers)?;
    (model.sliding_windows, model.rotated) = (kinds.windows, kinds.rotated);
    let passed_over = filled
        .passed_over
        .into_iter()
        .chain(rope.passed_over)
        .collect();
    Ok((model, passed_over))
}

/// `swish` is another name of silu, `gelu_new` of the tanh approximation.
fn activation(config: &Object<'_>, family: &Family) -> Result<MlpActivation> {
    let (key, known) = match family.activation {
        ActivationRule::Gated(key) | ActivationRule::GatedTanh(key) => {
            (key, "silu and gelu_pytorch_tanh are")
        }
        ActivationRule::Xielu => ("hidden_act", "only xielu is"),
    };
    let name = config.text(key).unwrap_or("none");
    match (family.activation, name) {
        (ActivationRule::Xielu, "xielu") => Ok(MlpActivation::Xielu),
        (ActivationRule::GatedTanh(_), "gelu") => {
            Ok(MlpActivation::Gated(GateActivation::GeluTanh))
        }
        (ActivationRule::Gated(_) | ActivationRule::GatedTanh(_), "silu" | "swish") => {
            Ok(MlpActivation::Gated(GateActivation::Silu))
        }
        (
            ActivationRule::Gated(_) | ActivationRule::GatedTanh(_),
            "gelu_pytorch_tanh" | "gelu_new",
        ) => Ok(MlpActivation::Gated(GateActivation::GeluTanh)),
        _ => config.error(key, format!("`{name}` is not supported; {known}")),
    }
}

fn qk_norm(config: &Object<'_>, family: &Family) -> Result<Option<QkNorm>> {
    match family.qk_norm_flag {
        Some(flag) if config.flag(flag)? != Some(true) => Ok(None),
        _ => Ok(family.qk_norm),
    }
}

fn score_scale(config: &Object<'_>, family: &Family) -> Result<Option<f64>> {
    match family.scores {
        ScoreRule::HeadSize => Ok(None),
        ScoreRule::InverseRoot(key) => Ok(Some(config.need_positive(key)?.powf(-0.5))),
        ScoreRule::Key(key) => config.need_positive(key).map(Some),
    }
}

fn number_if(config: &Object<'_>, key: Option<&str>) -> Result<Option<f64>> {
    key.map_or(Ok(None), |key| config.positive(key))
}

fn multiplier(config: &Object<'_>, rule: MultiplierRule) -> Result<f64> {
    match rule {
        MultiplierRule::One => Ok(1.0),
        MultiplierRule::RootOfHidden => Ok(config.need_positive("hidden_size")?.sqrt()),
        MultiplierRule::Key(key) => config.need_positive(key),
        MultiplierRule::InverseOf(key) => Ok(1.0 / config.need_positive(key)?),
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
                "`{other}` is not read; take the model's folder without quantisation (dtype nf4 quantises it when it is \
                 loaded), a GGUF file of it (dtype packed keeps its blocks), or one of bitsandbytes' 4 bits"
            ),
        ),
    }
}

fn head_dim(config: &Object<'_>, family: &Family, heads: usize) -> Result<usize> {
    let hidden_size = config.need_size("hidden_size")?;
    match config.size("head_dim")? {
        Some(size) if !family.head_of_hidden => Ok(size),
        _ if heads > 0 && (family.head_of_hidden || hidden_size.is_multiple_of(heads)) => {
            Ok(hidden_size / heads)
        }
        _ => config.error(
            "head_dim",
            format!("is missing, and {heads} heads do not divide {hidden_size}"),
        ),
    }
}

fn biases(config: &Object<'_>, family: &Family) -> Result<Vec<Projection>> {
    let mut biases = Vec::new();
    for (flag, projections) in family.biases {
        let is_set = match flag {
            Some(flag) => config.flag(flag)?.unwrap_or(false),
            None => true,
        };
        if is_set {
            biases.extend_from_slice(projections);
        }
    }
    Ok(biases)
}
