//! What a made-up model imitates: a configuration, from the catalogue or a file. Never here:
//! weights.

use std::{
    fs,
    path::{Path, PathBuf},
};

use hub::catalogue;
use model::ModelConfig;
use serde_json::{Map, Value};

use super::RandomModelRequest;
use crate::{
    error::{At, Result, bail},
    model_folder::CONFIG,
};

/// Keys of a `config.json` that speak of the weights or the tokens of the model imitated, or of
/// its maker's programs.
const OTHERS: &[&str] = &[
    "_name_or_path",
    "auto_map",
    "name_or_path",
    "quantization_config",
    "torch_dtype",
];

/// The usual one, where a file names none: the default of all classes.
const INITIALIZER_RANGE: f64 = 0.02;

/// A configuration to be filled with random weights.
pub(super) struct RandomModelShape {
    /// `config.json`, without what its tokenizer and its weights decide.
    pub(super) config: Map<String, Value>,
    /// The same, read.
    pub(super) decoder: ModelConfig,
    /// Standard deviation of the weights.
    pub(super) initializer_range: f32,
}

/// The file that `like` names, if it is none of the catalogue.
pub(super) fn config_file(like: &str) -> Option<PathBuf> {
    if catalogue::entry(like).is_some() {
        return None;
    }
    let path = PathBuf::from(like);
    Some(if path.is_dir() {
        path.join(CONFIG)
    } else {
        path
    })
}

pub(super) fn find_shape(request: &RandomModelRequest<'_>) -> Result<RandomModelShape> {
    let (file, mut config) = match config_file(request.like) {
        None => {
            let entry = catalogue::entry(request.like).map(catalogue::CatalogueEntry::config);
            (PathBuf::from(request.like), entry.unwrap_or_default())
        }
        Some(file) => {
            let config = read_config(request.like, &file)?;
            (file, config)
        }
    };
    for key in OTHERS {
        config.shift_remove(*key);
    }
    if let Some(layers) = request.layers {
        set_layers(&mut config, layers);
    }
    let written = Value::Object(config.clone());
    let decoder = ModelConfig::from_json(&file, &written)?;
    let range = config.get("initializer_range").filter(|v| !v.is_null());
    let range = range.map_or(Some(INITIALIZER_RANGE), Value::as_f64);
    match range {
        Some(range) if range > 0.0 && range <= 1.0 => Ok(RandomModelShape {
            config,
            decoder,
            initializer_range: range as f32,
        }),
        _ => bail!(
            "{}: `initializer_range` is the deviation of the weights; it must be a number above 0, and at most 1",
            file.display()
        ),
    }
}

fn read_config(like: &str, file: &Path) -> Result<Map<String, Value>> {
    if file
        .extension()
        .is_some_and(|extension| extension == "gguf")
    {
        bail!(
            "--like {like}: a GGUF file has no {CONFIG}; name a model of the catalogue, a folder or a {CONFIG}"
        );
    }
    if !file.exists() {
        let nearest = match catalogue::nearest(like) {
            Some(name) => format!("; did you mean `{name}`?"),
            None => "; `lingualign model list` shows the catalogue".to_owned(),
        };
        bail!(
            "--like {like}: no model of the catalogue, no folder with a {CONFIG} and no such file{nearest}"
        );
    }
    let bytes = fs::read(file).at_path("read", file)?;
    match serde_json::from_slice(&bytes).at_path("read", file)? {
        Value::Object(config) => Ok(config),
        _ => bail!("{} is no JSON object", file.display()),
    }
}

/// Another number of layers; a list with an entry for each goes on as it begins.
fn set_layers(config: &mut Map<String, Value>, layers: usize) {
    config.insert("num_hidden_layers".to_owned(), layers.into());
    if let Some(Value::Array(types)) = config.get_mut("layer_types")
        && !types.is_empty()
    {
        *types = types.iter().cycle().take(layers).cloned().collect();
    }
}
