//! Which layers slide and which rotate, from the keys of `config.json`. Never here: positions.

use serde_json::Value;

use super::{
    families::{Family, RotatedRule, WindowRule},
    values::Object,
};
use crate::error::{Result, brief};

/// The layers' kinds.
pub(super) struct LayerKinds {
    /// Sliding window of each layer.
    pub(super) windows: Vec<Option<usize>>,
    /// Whether each layer rotates queries and keys.
    pub(super) rotated: Vec<bool>,
}

/// Of a family with so many layers.
pub(super) fn read(config: &Object<'_>, family: &Family, layers: usize) -> Result<LayerKinds> {
    let listed = match family.rotated {
        RotatedRule::Listed => Some(listed_rotations(config, layers)?),
        _ => None,
    };
    let windows = windows(config, family, layers, listed.as_deref())?;
    let slides = windows.iter().map(Option::is_some);
    let rotated = match (family.rotated, listed) {
        (_, Some(listed)) => listed,
        (RotatedRule::Sliding, _) => slides.collect(),
        (RotatedRule::SlidingOrAll, _) if config.get("sliding_window").is_some() => {
            slides.collect()
        }
        _ => vec![true; layers],
    };
    Ok(LayerKinds { windows, rotated })
}

fn windows(
    config: &Object<'_>,
    family: &Family,
    layers: usize,
    rotated: Option<&[bool]>,
) -> Result<Vec<Option<usize>>> {
    let types = layer_types(config, layers)?;
    let window = match family.windows {
        WindowRule::Never => None,
        WindowRule::Upper if !config.need_flag("use_sliding_window")? => None,
        _ => window(config)?,
    };
    let slides: Vec<bool> = match (family.windows, &types) {
        // It slides nothing, but the class refuses a list that does not fit.
        (WindowRule::Never, _) => return Ok(vec![None; layers]),
        (WindowRule::All, _) => {
            check_all_alike(config, types.as_deref(), window)?;
            return Ok(vec![window; layers]);
        }
        (_, Some(types)) => types.iter().map(|kind| *kind == SLIDING).collect(),
        (WindowRule::Upper, None) => {
            let from = config.need_size("max_window_layers")?;
            (0..layers)
                .map(|layer| window.is_some() && layer >= from)
                .collect()
        }
        (WindowRule::Typed(key, every), None) => pattern(config, key, every, layers)?,
        (WindowRule::TypedOrAll, None) => vec![window.is_some(); layers],
        (WindowRule::Unrotated, None) => {
            let on = config.need_flag("use_sliding_window")? && window.is_some();
            let rotated = rotated.unwrap_or_default();
            rotated.iter().map(|rotated| on && !rotated).collect()
        }
    };
    if window.is_none() && slides.contains(&true) {
        return config.error(
            "layer_types",
            "names layers that slide, but use_sliding_window or sliding_window gives no window",
        );
    }
    Ok(slides
        .into_iter()
        .map(|slides| window.filter(|_| slides))
        .collect())
}

const SLIDING: &str = "sliding_attention";

fn window(config: &Object<'_>) -> Result<Option<usize>> {
    match config.size("sliding_window")? {
        Some(0) => config.error("sliding_window", "0: no row would see itself"),
        window => Ok(window),
    }
}

/// Each so many-th layer sees everything, the others slide.
fn pattern(
    config: &Object<'_>,
    key: Option<&'static str>,
    every: usize,
    layers: usize,
) -> Result<Vec<bool>> {
    let every = match key {
        Some(key) => match config.size(key)? {
            Some(every) if every > 0 => every,
            _ => return config.error(key, "is not a number of layers above 0"),
        },
        None => every,
    };
    Ok((1..=layers)
        .map(|layer| !layer.is_multiple_of(every))
        .collect())
}

fn check_all_alike(
    config: &Object<'_>,
    types: Option<&[&str]>,
    window: Option<usize>,
) -> Result<()> {
    let kind = window.map_or("full_attention", |_| SLIDING);
    if types.is_some_and(|types| types.iter().any(|t| *t != kind)) {
        let family = config.text("model_type").unwrap_or_default();
        return config.error(
            "layer_types",
            format!(
                "all layers of {family} are of one kind, here {kind} by sliding_window; take the key out if that is meant"
            ),
        );
    }
    Ok(())
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
        Some(kind @ ("full_attention" | SLIDING)) => Ok(kind),
        _ => config.error("layer_types", format!("{} is not supported", brief(kind))),
    };
    types.iter().map(known).collect::<Result<_>>().map(Some)
}

/// `no_rope_layers` has a 1 for each layer that is rotated, and may be longer.
fn listed_rotations(config: &Object<'_>, layers: usize) -> Result<Vec<bool>> {
    let key = "no_rope_layers";
    let Some(list) = config.get(key) else {
        let every = config.need_size("no_rope_layer_interval")?;
        if every == 0 {
            return config.error("no_rope_layer_interval", "0 is not a number of layers");
        }
        return Ok((1..=layers)
            .map(|layer| !layer.is_multiple_of(every))
            .collect());
    };
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    if list.len() < layers {
        return config.error(key, format!("{} entries for {layers} layers", list.len()));
    }
    let rotated = |entry: &Value| match entry.as_u64() {
        Some(n @ (0 | 1)) => Ok(n == 1),
        _ => config.error(key, format!("{} is neither 0 nor 1", brief(entry))),
    };
    list[..layers].iter().map(rotated).collect()
}
