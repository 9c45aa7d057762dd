//! RoPE in `config.json`: `rope_parameters`, the older `rope_scaling` and `rope_theta`, resolved
//! as transformers 5.24 does (`RotaryEmbeddingConfigMixin`, and the classes of Gemma 3, OLMo 3,
//! Phi 3 and Hunyuan, which have ways of their own).

use serde_json::{Map, Value};

use super::{
    PositionScale, Rope, RopeScaling,
    families::RopeRule,
    rope::{LongRope, Yarn, yarn_mscale},
    values::Object,
};
use crate::error::Result;

/// What is read.
pub(super) struct RopeRead {
    /// Of all layers, or of those that do not slide.
    pub(super) rope: Rope,
    /// Of layers that slide, where the family tells them apart.
    pub(super) local: Option<Rope>,
    /// The share of each head that is rotated.
    pub(super) share: f64,
    /// What queries grow by.
    pub(super) growth: Option<PositionScale>,
    /// Keys that were passed over on the way.
    pub(super) passed_over: Vec<String>,
}

/// A section as the file has it: its members, and the word before its keys in messages.
struct Section {
    members: Value,
    at: &'static str,
}

impl Section {
    fn object<'a>(&'a self, config: &Object<'_>) -> Object<'a> {
        Object::within(&config.file, self.at, &self.members)
    }
}

/// RoPE of a family.
pub(super) fn read(config: &Object<'_>, rule: &RopeRule) -> Result<RopeRead> {
    let mut passed_over = Vec::new();
    let sections = match rule.local {
        None => [Some(section(config, rule, &mut passed_over)?), None],
        Some((_, key)) => kinds_of_layers(config, key, &mut passed_over)?.map(Some),
    };
    let mut ropes = [None, None];
    let mut share = 1.0;
    let mut growth = None;
    for (at, section) in sections.iter().enumerate() {
        let Some(section) = section else { continue };
        let section = section.object(config);
        let kind = kind(&section, rule)?;
        check_members(&section, kind, rule, &mut passed_over)?;
        share = rotated_share(config, &section, kind, rule)?;
        let theta = match (at, rule.local) {
            (1, Some((theta, _))) => theta_of(&section, None, theta)?,
            _ => theta_of(&section, Some(config), rule.theta)?,
        };
        let (theta, scaling) = scaling(kind, &section, config, rule, theta)?;
        if rule.grows {
            growth = Some(grows(&section, config, kind)?);
        }
        ropes[at] = Some(Rope { theta, scaling });
    }
    let [rope, local] = ropes;
    Ok(RopeRead {
        rope: config.need("rope_parameters", rope)?,
        local,
        share,
        growth,
        passed_over,
    })
}

/// The one section of a family whose layers are alike.
fn section(config: &Object<'_>, rule: &RopeRule, passed_over: &mut Vec<String>) -> Result<Section> {
    let newer = config.object("rope_parameters", "rope_parameters.")?;
    let older = config.object("rope_scaling", "rope_scaling.")?;
    if newer.is_some() && older.is_some() {
        passed_over.push("rope_parameters (rope_scaling comes first)".to_owned());
    }
    // Where both are there, the older one is taken whole, its base too.
    if let Some(section) = older.or(newer) {
        for (key, value) in section.members() {
            if value.is_object() {
                return section.error(&key, "parameters for each kind of layer are not supported");
            }
        }
        return Ok(Section {
            at: section.at(),
            members: Value::Object(section.members()),
        });
    }
    // An empty section is a section to the class.
    let absent = rule
        .absent
        .filter(|_| config.get("rope_parameters").is_none());
    let members = match absent.map(serde_json::from_str) {
        None => Value::Object(Map::new()),
        Some(Ok(members)) => members,
        Some(Err(e)) => return config.error("rope_parameters", format!("the default: {e}")),
    };
    Ok(Section { members, at: "" })
}

/// Of layers that see everything, and of those that slide: `rope_parameters` holds a section for
/// each; the older `rope_scaling` is of the former alone.
fn kinds_of_layers(
    config: &Object<'_>,
    local_theta: Option<&'static str>,
    passed_over: &mut Vec<String>,
) -> Result<[Section; 2]> {
    let newer = config.object("rope_parameters", "rope_parameters.")?;
    let older = config.object("rope_scaling", "rope_scaling.")?;
    let mut sections = [
        ("full_attention", "rope_parameters.full_attention."),
        ("sliding_attention", "rope_parameters.sliding_attention."),
    ]
    .map(|(kind, at)| (kind, at, Map::new()));
    if let Some(newer) = &newer {
        for (kind, at, members) in &mut sections {
            if let Some(section) = newer.object(kind, at)? {
                *members = section.members();
            }
        }
        let is_kind = |key: &String| key == "full_attention" || key == "sliding_attention";
        passed_over.extend(
            newer
                .members()
                .keys()
                .filter(|key| !is_kind(key))
                .map(|key| format!("rope_parameters.{key}")),
        );
    }
    if let Some(older) = older {
        sections[0].2.extend(older.members());
        sections[0].1 = older.at();
    }
    if let Some(theta) = local_theta.and_then(|key| config.get(key)) {
        sections[1]
            .2
            .entry("rope_theta")
            .or_insert_with(|| theta.clone());
    }
    Ok(sections.map(|(_, at, members)| Section {
        members: Value::Object(members),
        at,
    }))
}

/// The section's base, else that beside it, else the class's. A null is none of these:
/// transformers fails on it.
fn theta_of(section: &Object<'_>, beside: Option<&Object<'_>>, default: f64) -> Result<f64> {
    let holders = [Some(section), beside];
    let mut holders = holders.into_iter().flatten();
    match holders.find(|holder| holder.has("rope_theta")) {
        Some(holder) => holder.need("rope_theta", holder.number("rope_theta")?),
        None => Ok(default),
    }
}

/// Names every key that has no part in a section of this kind.
fn check_members(
    section: &Object<'_>,
    kind: &str,
    rule: &RopeRule,
    passed_over: &mut Vec<String>,
) -> Result<()> {
    let own: &[&str] = match (rule.grows, kind) {
        (true, _) => &["llama_4_scaling_beta", "max_position_embeddings"],
        (_, "alpha") => &[
            "alpha",
            "beta_fast",
            "beta_slow",
            "mscale",
            "mscale_all_dim",
        ],
        _ => &[],
    };
    for (key, value) in section.members() {
        let is_share = key == "partial_rotary_factor" && rule.share.is_some();
        let is_known = keys_of(kind).contains(&key.as_str()) || own.contains(&key.as_str());
        if !is_known && !is_share && !value.is_null() {
            passed_over.push(format!("{}{key}", section.at()));
        }
    }
    Ok(())
}

fn grows(section: &Object<'_>, config: &Object<'_>, kind: &str) -> Result<PositionScale> {
    let context = match kind {
        "default" | "linear" => section.need_positive("original_max_position_embeddings")?,
        _ => original_context(section, config)?,
    };
    let beta = section.number("llama_4_scaling_beta")?;
    Ok(PositionScale {
        beta: section.need("llama_4_scaling_beta", beta)?,
        context,
    })
}

/// `rope_type`, else `type`.
fn kind<'a>(section: &Object<'a>, rule: &RopeRule) -> Result<&'a str> {
    let key = if section.has("rope_type") {
        "rope_type"
    } else {
        "type"
    };
    let kind = match section.get(key) {
        Some(Value::String(kind)) => kind,
        None if !section.has(key) => "default",
        _ => return section.error(key, "is not a text"),
    };
    if rule.alpha && kind == "dynamic" && section.number("alpha")?.is_some_and(|a| a != 0.0) {
        return Ok("alpha");
    }
    if rule.long_names.is_empty() || kind == "default" {
        return Ok(kind);
    }
    if rule.long_names.contains(&kind) {
        return Ok("longrope");
    }
    section.error(
        key,
        format!("`{kind}` is not supported; here default and longrope are"),
    )
}

/// What transformers reads of a section of this kind; `type` is another word for `rope_type`.
fn keys_of(kind: &str) -> &'static [&'static str] {
    match kind {
        "linear" | "alpha" => &[
            "rope_type",
            "type",
            "rope_theta",
            "partial_rotary_factor",
            "factor",
        ],
        "longrope" => &[
            "rope_type",
            "type",
            "rope_theta",
            "partial_rotary_factor",
            "factor",
            "original_max_position_embeddings",
            "attention_factor",
            "short_factor",
            "long_factor",
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

/// Most families rotate whole heads. Without scaling their code never reads the share; with it,
/// transformers fails where the share is another.
fn rotated_share(
    config: &Object<'_>,
    section: &Object<'_>,
    kind: &str,
    rule: &RopeRule,
) -> Result<f64> {
    let key = "partial_rotary_factor";
    let holder = if section.has(key) { section } else { config };
    match (rule.share, holder.number(key)?) {
        (None, Some(share)) if share != 1.0 && kind != "default" => holder.error(
            key,
            format!("{share}: rotating only a part of each head is not supported"),
        ),
        (None, _) => Ok(1.0),
        (Some(default), None) => Ok(default),
        (Some(_), Some(share)) if share > 0.0 && share <= 1.0 => Ok(share),
        (Some(_), Some(share)) => holder.error(key, format!("{share} is no share of a head")),
    }
}

/// The base and the scaling of a section of this kind.
fn scaling(
    kind: &str,
    section: &Object<'_>,
    config: &Object<'_>,
    rule: &RopeRule,
    theta: f64,
) -> Result<(f64, RopeScaling)> {
    let scaling = match kind {
        "default" => RopeScaling::None,
        "linear" => RopeScaling::Linear {
            factor: section.need_positive("factor")?,
        },
        "llama3" => llama3(section, config)?,
        "yarn" => RopeScaling::Yarn(yarn(section, config, rule)?),
        "longrope" => RopeScaling::Long(long(section, config)?),
        "alpha" => {
            let size = head_size(config)?;
            section.need_positive("factor")?;
            let growth = section.need_positive("alpha")?.powf(size / (size - 2.0));
            return Ok((theta * growth, RopeScaling::None));
        }
        other => {
            return section.error(
                if section.has("rope_type") {
                    "rope_type"
                } else {
                    "type"
                },
                format!(
                    "`{other}` is not supported; default, linear, llama3, yarn and longrope are"
                ),
            );
        }
    };
    Ok((theta, scaling))
}

fn head_size(config: &Object<'_>) -> Result<f64> {
    Ok(match config.size("head_dim")? {
        Some(size) => size as f64,
        None => {
            config.need_positive("hidden_size")? / config.need_positive("num_attention_heads")?
        }
    })
}

fn long(section: &Object<'_>, config: &Object<'_>) -> Result<LongRope> {
    let context = original_context(section, config)?;
    let factor = match section.positive("factor")? {
        None => config.need_positive("max_position_embeddings")? / context,
        Some(factor) => factor,
    };
    let attention_factor = match section.positive("attention_factor")? {
        Some(given) => given,
        None if factor <= 1.0 => 1.0,
        None => (1.0 + factor.ln() / context.ln()).sqrt(),
    };
    Ok(LongRope {
        short_factor: section.need_positives("short_factor")?,
        long_factor: section.need_positives("long_factor")?,
        original_max_position_embeddings: context,
        attention_factor,
    })
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

fn yarn(section: &Object<'_>, config: &Object<'_>, rule: &RopeRule) -> Result<Yarn> {
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
        // Absent is true, but null is false; where layers have sections, it is looked for
        // beside them.
        truncate: rule.local.is_some()
            || section
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
