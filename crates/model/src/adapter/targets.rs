//! Which modules an adapter's configuration asks for, as PEFT 0.21 decides it
//! (`check_target_module_exists`). Never here: matrices.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    peft_config::{MERGE, PeftConfig},
    python_pattern::PythonPattern,
};
use crate::{
    config::ModelConfig,
    error::{Result, brief},
    projection::LayerProjection,
};

/// What PEFT targets in the families that it knows, where the configuration names nothing.
const DEFAULT: [&str; 2] = ["q_proj", "v_proj"];

enum Names {
    /// Whole names, or their ends after a dot.
    Ends(Vec<String>),
    Expression(PythonPattern),
    /// `all-linear`: every projection, but not the head.
    Projections,
}

impl Names {
    fn hold(&self, module: &str) -> std::result::Result<bool, String> {
        match self {
            Self::Ends(names) => Ok(names.iter().any(|name| ends_in(module, name))),
            Self::Expression(pattern) => pattern.matches(module),
            Self::Projections => Ok(false),
        }
    }
}

fn ends_in(module: &str, name: &str) -> bool {
    module
        .strip_suffix(name)
        .is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// The keys that choose modules.
struct Choice {
    targets: Names,
    excluded: Names,
    layers: Option<Vec<u64>>,
    /// Names of the list of layers; empty: any.
    list_names: Vec<String>,
}

/// The projections of a model that the configuration asks for.
///
/// # Errors
/// A key is of a kind that PEFT or this decoder does not know, or asks for a module that is no
/// projection.
pub(super) fn places(
    config: &PeftConfig,
    model: &ModelConfig,
) -> Result<BTreeSet<LayerProjection>> {
    let choice = Choice {
        targets: targets(config)?,
        excluded: names(config, "exclude_modules")?.unwrap_or(Names::Ends(Vec::new())),
        layers: layer_numbers(config)?,
        list_names: texts(config, "layers_pattern")?,
    };
    check_layers(config, &choice)?;
    let mut places = BTreeSet::new();
    for (module, place) in modules(model) {
        let is_chosen = is_chosen(&choice, &module, place.is_some())
            .or_else(|problem| config.error("target_modules", problem))?;
        match (is_chosen, place) {
            (true, Some(place)) => _ = places.insert(place),
            (true, None) => {
                return config.error(
                    "target_modules",
                    format!("`{module}` is a target, but no projection; {}", MERGE),
                );
            }
            (false, _) => (),
        }
    }
    Ok(places)
}

/// Compares what the configuration asks for with what was found.
pub(super) fn compare<T>(
    config: &PeftConfig,
    model: &ModelConfig,
    found: &BTreeMap<LayerProjection, T>,
) -> Result<()> {
    let (asked, layers) = (places(config, model)?, model.num_hidden_layers);
    if let Some(place) = found.keys().find(|place| place.layer >= layers) {
        return config.error(
            "base_model_name_or_path",
            format!("the adapter has matrices of `{place}`, but this model has {layers} layers"),
        );
    }
    if let Some(place) = found.keys().find(|place| !asked.contains(place)) {
        return config.error(
            "target_modules",
            format!("does not ask for `{place}`, but the adapter has matrices of it"),
        );
    }
    let missing: Vec<_> = asked.iter().filter(|p| !found.contains_key(p)).collect();
    match missing.first() {
        None => Ok(()),
        Some(place) => config.error(
            "target_modules",
            format!(
                "asks for `{place}`, but the adapter has no matrices of it ({} of {} places are missing)",
                missing.len(),
                asked.len()
            ),
        ),
    }
}

fn targets(config: &PeftConfig) -> Result<Names> {
    Ok(names(config, "target_modules")?
        .unwrap_or_else(|| Names::Ends(DEFAULT.iter().map(|name| (*name).to_owned()).collect())))
}

fn names(config: &PeftConfig, key: &str) -> Result<Option<Names>> {
    match config.get(key) {
        None => Ok(None),
        Some(Value::String(text)) if text.is_empty() && key == "exclude_modules" => Ok(None),
        Some(Value::String(text))
            if text.eq_ignore_ascii_case("all-linear") && key == "target_modules" =>
        {
            Ok(Some(Names::Projections))
        }
        Some(Value::String(text)) => PythonPattern::whole(text)
            .map(|pattern| Some(Names::Expression(pattern)))
            .or_else(|problem| config.error(key, problem)),
        Some(_) => texts(config, key).map(|names| Some(Names::Ends(names))),
    }
}

/// A list of texts, or one; nothing for null.
fn texts(config: &PeftConfig, key: &str) -> Result<Vec<String>> {
    let one = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        other => config.error(key, format!("{} is not a name", brief(other))),
    };
    match config.get(key) {
        None => Ok(Vec::new()),
        Some(Value::String(text)) if text.is_empty() => Ok(Vec::new()),
        Some(Value::Array(list)) => list.iter().map(one).collect(),
        Some(value) => Ok(vec![one(value)?]),
    }
}

fn layer_numbers(config: &PeftConfig) -> Result<Option<Vec<u64>>> {
    let key = "layers_to_transform";
    let number = |value: &Value| match value.as_u64() {
        Some(number) => Ok(number),
        None => config.error(key, format!("{} is not a layer's number", brief(value))),
    };
    match config.get(key) {
        None => Ok(None),
        Some(Value::Array(list)) if list.is_empty() => Ok(None),
        Some(Value::Array(list)) => list.iter().map(number).collect::<Result<_>>().map(Some),
        Some(value) => Ok(Some(vec![number(value)?])),
    }
}

/// PEFT refuses these combinations too.
fn check_layers(config: &PeftConfig, choice: &Choice) -> Result<()> {
    let is_list = matches!(choice.targets, Names::Ends(_));
    for key in ["layers_to_transform", "layers_pattern"] {
        if !is_list && config.get(key).is_some() {
            return config.error(key, "goes with a list of target_modules only");
        }
    }
    if !choice.list_names.is_empty() && config.get("layers_to_transform").is_none() {
        return config.error("layers_pattern", "needs layers_to_transform");
    }
    let is_plain = |name: &String| {
        name.chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))
    };
    match choice.list_names.iter().find(|name| !is_plain(name)) {
        Some(name) => config.error("layers_pattern", format!("`{name}` is not a plain name")),
        None => Ok(()),
    }
}

fn is_chosen(
    choice: &Choice,
    module: &str,
    is_projection: bool,
) -> std::result::Result<bool, String> {
    if choice.excluded.hold(module)? {
        return Ok(false);
    }
    if matches!(choice.targets, Names::Projections) {
        return Ok(is_projection);
    }
    if !choice.targets.hold(module)? {
        return Ok(false);
    }
    // A name in full is a target in whichever layer.
    let is_named =
        matches!(&choice.targets, Names::Ends(names) if names.iter().any(|n| n == module));
    let Some(layers) = choice.layers.as_ref().filter(|_| !is_named) else {
        return Ok(true);
    };
    Ok(layer_of(module, &choice.list_names).is_some_and(|layer| layers.contains(&layer)))
}

/// The number behind the list of layers.
fn layer_of(module: &str, list_names: &[String]) -> Option<u64> {
    let (list, rest) = ("model.layers", module.strip_prefix("model.layers.")?);
    let (number, _) = rest.split_once('.')?;
    let is_named = list_names.is_empty() || list_names.iter().any(|name| ends_in(list, name));
    number.parse().ok().filter(|_| is_named)
}

/// Every module of the model by its name in transformers, and its place where it is a projection.
fn modules(model: &ModelConfig) -> Vec<(String, Option<LayerProjection>)> {
    let mut modules: Vec<_> = [
        "model",
        "model.embed_tokens",
        "model.layers",
        "model.norm",
        "model.rotary_emb",
        "lm_head",
    ]
    .map(|name| (name.to_owned(), None))
    .into();
    let activation = match model.merged_gate_up {
        true => "mlp.activation_fn",
        false => "mlp.act_fn",
    };
    for layer in 0..model.num_hidden_layers {
        modules.push((format!("model.layers.{layer}"), None));
        for part in ["self_attn", "mlp", activation]
            .into_iter()
            .chain(model.norms.names())
        {
            modules.push((format!("model.layers.{layer}.{part}"), None));
        }
        for name in model.qk_norm.iter().flat_map(|norm| norm.names) {
            modules.push((format!("model.layers.{layer}.self_attn.{name}"), None));
        }
        for projection in model.projections() {
            let place = LayerProjection { layer, projection };
            modules.push((place.weight_name(), Some(place)));
        }
    }
    modules
}
