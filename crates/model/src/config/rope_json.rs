//! RoPE in `config.json`: `rope_parameters`, the older `rope_scaling` and `rope_theta`, resolved
//! as transformers 5.24 does (`RotaryEmbeddingConfigMixin`).

use serde_json::Value;

use super::{
    Rope, RopeScaling,
    rope::{Yarn, yarn_mscale},
    values::Object,
};
use crate::error::Result;

/// `default_theta`.
const DEFAULT_THETA: f64 = 10_000.0;

/// RoPE, and the keys that were passed over on the way to it.
pub(super) fn read(config: &Object<'_>) -> Result<(Rope, Vec<String>)> {
    let newer = config.object("rope_parameters", "rope_parameters.")?;
    let older = config.object("rope_scaling", "rope_scaling.")?;
    let mut passed_over = Vec::new();
    if newer.is_some() && older.is_some() {
        passed_over.push("rope_parameters (rope_scaling comes first)".to_owned());
    }
    // Where both are there, the older one is taken whole, its base too.
    let (section, name) = match (older, newer) {
        (Some(older), _) => (older, "rope_scaling"),
        (None, Some(newer)) => (newer, "rope_parameters"),
        (None, None) => {
            let theta = theta(config, config)?;
            check_rotated_share(config, None, "default")?;
            return Ok((
                Rope {
                    theta,
                    scaling: RopeScaling::None,
                },
                passed_over,
            ));
        }
    };
    let kind = kind(&section)?;
    check_rotated_share(config, Some(&section), kind)?;
    for (key, value) in section.members() {
        if value.is_object() {
            return section.error(&key, "parameters for each kind of layer are not supported");
        }
        if !keys_of(kind).contains(&key.as_str()) && !value.is_null() {
            passed_over.push(format!("{name}.{key}"));
        }
    }
    let rope = Rope {
        theta: theta(&section, config)?,
        scaling: scaling(kind, &section, config)?,
    };
    Ok((rope, passed_over))
}

/// The section's base, else that beside it, else the class's. A null is none of these:
/// transformers fails on it.
fn theta(section: &Object<'_>, config: &Object<'_>) -> Result<f64> {
    let holder = if section.has("rope_theta") {
        section
    } else {
        config
    };
    if holder.has("rope_theta") {
        holder.need("rope_theta", holder.number("rope_theta")?)
    } else {
        Ok(DEFAULT_THETA)
    }
}

/// `rope_type`, else `type`.
fn kind<'a>(section: &Object<'a>) -> Result<&'a str> {
    let key = if section.has("rope_type") {
        "rope_type"
    } else {
        "type"
    };
    match section.get(key) {
        Some(Value::String(kind)) => Ok(kind),
        None if !section.has(key) => Ok("default"),
        _ => section.error(key, "is not a text"),
    }
}

/// What transformers reads of a section of this kind; `type` is another word for `rope_type`.
fn keys_of(kind: &str) -> &'static [&'static str] {
    match kind {
        "linear" => &[
            "rope_type",
            "type",
            "rope_theta",
            "partial_rotary_factor",
            "factor",
        ],
        "llama3" => &[
            "rope_type",
            "type",
            "rope_theta",
            "partial_rotary_factor",
            "factor",
            "low_freq_factor",
            "high_freq_factor",
            "original_max_position_embeddings",
        ],
        "yarn" => &[
            "rope_type",
            "type",
            "rope_theta",
            "partial_rotary_factor",
            "factor",
            "original_max_position_embeddings",
            "attention_factor",
            "beta_fast",
            "beta_slow",
            "mscale",
            "mscale_all_dim",
            "truncate",
        ],
        _ => &["rope_type", "type", "rope_theta"],
    }
}

/// The three families rotate whole heads. Without scaling their code never reads the share; with
/// it, transformers fails where the share is another.
fn check_rotated_share(
    config: &Object<'_>,
    section: Option<&Object<'_>>,
    kind: &str,
) -> Result<()> {
    let key = "partial_rotary_factor";
    let holder = section.filter(|s| s.has(key)).unwrap_or(config);
    match holder.number(key)? {
        Some(share) if share != 1.0 && kind != "default" => holder.error(
            key,
            format!("{share}: rotating only a part of each head is not supported"),
        ),
        _ => Ok(()),
    }
}

fn scaling(kind: &str, section: &Object<'_>, config: &Object<'_>) -> Result<RopeScaling> {
    match kind {
        "default" => Ok(RopeScaling::None),
        "linear" => Ok(RopeScaling::Linear {
            factor: section.need_positive("factor")?,
        }),
        "llama3" => llama3(section, config),
        "yarn" => yarn(section, config).map(RopeScaling::Yarn),
        other => section.error(
            if section.has("rope_type") {
                "rope_type"
            } else {
                "type"
            },
            format!("`{other}` is not supported; default, linear, llama3 and yarn are"),
        ),
    }
}

/// The context before scaling: beside the section where it is there, else in it, else the
/// context after it.
fn original_context(section: &Object<'_>, config: &Object<'_>) -> Result<f64> {
    let key = "original_max_position_embeddings";
    for holder in [config, section] {
        if holder.has(key) {
            return holder.need_positive(key);
        }
    }
    config.need_positive("max_position_embeddings")
}

fn llama3(section: &Object<'_>, config: &Object<'_>) -> Result<RopeScaling> {
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
        original_max_position_embeddings: original_context(section, config)?,
    })
}

fn yarn(section: &Object<'_>, config: &Object<'_>) -> Result<Yarn> {
    let context = original_context(section, config)?;
    // A factor that is null is the growth of the context; one that is missing is an error.
    let factor = match section.positive("factor")? {
        None if section.has("factor") => config.need_positive("max_position_embeddings")? / context,
        factor => section.need("factor", factor)?,
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
        beta_fast: turns(section, "beta_fast", 32.0)?,
        beta_slow: turns(section, "beta_slow", 1.0)?,
        attention_factor,
        // Absent is true, but null is false.
        truncate: section
            .flag("truncate")?
            .unwrap_or(!section.has("truncate")),
    })
}

/// 0 and null are the default, as in the reference.
fn turns(section: &Object<'_>, key: &str, default: f64) -> Result<f64> {
    match section.number(key)? {
        None => Ok(default),
        Some(0.0) => Ok(default),
        Some(_) => section.need_positive(key),
    }
}
