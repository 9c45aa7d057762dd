//! A Hugging Face model folder: what must be in it, and which files are its weights. Never
//! here: reading tensors.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use schema::disk::{DiskError, FETCH_AGAIN};
use serde::Deserialize;

use crate::{HubError, ModelFiles};

pub(crate) const CONFIG: &str = "config.json";
pub(crate) const WEIGHTS: &str = "model.safetensors";
pub(crate) const INDEX: &str = "model.safetensors.index.json";

/// Files beside the weights that are fetched where they exist.
pub(crate) const OPTIONAL: &[&str] = &[
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
];

/// Files of chat templates, fetched where they exist. They are no part of a model's fingerprint:
/// what is asked with a template records the template's hash.
pub(crate) const CHAT: &[&str] = &["chat_template.jinja", "chat_template.json"];

/// Checks the folder and lists its weight files, in the order of their names.
pub(crate) fn open(dir: &Path) -> Result<ModelFiles, HubError> {
    let unusable = |problem: String| HubError::Unusable {
        path: dir.to_owned(),
        problem,
    };
    if !dir.join(CONFIG).is_file() {
        return Err(unusable(explain_no_config(dir)?));
    }
    if dir.join(WEIGHTS).is_file() {
        return Ok(ModelFiles::Folder {
            dir: dir.to_owned(),
            weights: vec![dir.join(WEIGHTS)],
        });
    }
    let index = dir.join(INDEX);
    if !index.is_file() {
        return Err(unusable(explain_no_weights(dir)?));
    }
    let shards = read_index(&index)?;
    if let Some(missing) = shards.iter().find(|shard| !dir.join(shard).is_file()) {
        let problem =
            format!("the shard `{missing}`, which {INDEX} lists, is missing; {FETCH_AGAIN}");
        return Err(unusable(problem));
    }
    let weights: Vec<PathBuf> = shards.iter().map(|shard| dir.join(shard)).collect();
    Ok(ModelFiles::Folder {
        dir: dir.to_owned(),
        weights,
    })
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// The distinct shard names of an index, in order. Each is a plain file name: an index may come
/// from anywhere.
pub(crate) fn read_index(path: &Path) -> Result<BTreeSet<String>, HubError> {
    let unusable = |problem: String| HubError::Unusable {
        path: path.to_owned(),
        problem,
    };
    let bytes = fs::read(path).map_err(DiskError::at("read", path))?;
    let index: Index = serde_json::from_slice(&bytes)
        .map_err(|e| unusable(format!("no shard index: {e}; {FETCH_AGAIN}")))?;
    let shards: BTreeSet<String> = index.weight_map.into_values().collect();
    if shards.is_empty() {
        return Err(unusable(format!(
            "`weight_map` lists no shard; {FETCH_AGAIN}"
        )));
    }
    let plain = |name: &str| {
        !name.starts_with('.') && !name.contains(['/', '\\', ':']) && name.ends_with(".safetensors")
    };
    match shards.iter().find(|name| !plain(name)) {
        Some(odd) => Err(unusable(format!(
            "`weight_map` names {odd:?}, which is no plain `.safetensors` file name"
        ))),
        None => Ok(shards),
    }
}

fn names_in(dir: &Path) -> Result<Vec<String>, HubError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(DiskError::at("list", dir))? {
        let entry = entry.map_err(DiskError::at("list", dir))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn explain_no_config(dir: &Path) -> Result<String, HubError> {
    let names = names_in(dir)?;
    if let Some(gguf) = names.iter().find(|name| name.ends_with(".gguf")) {
        return Ok(format!(
            "has no {CONFIG}, but `{gguf}`; give that file itself as the model"
        ));
    }
    if names.iter().any(|name| name == "adapter_config.json") {
        return Ok(format!(
            "has no {CONFIG}: it is a LoRA adapter; give the base model, and this folder as its adapter"
        ));
    }
    Ok(format!(
        "has no {CONFIG}; a model folder needs {CONFIG} and {WEIGHTS} (or {INDEX} and its shards)"
    ))
}

fn explain_no_weights(dir: &Path) -> Result<String, HubError> {
    let names = names_in(dir)?;
    let pickled = |name: &&String| name.starts_with("pytorch_model") || name.ends_with(".pth");
    if let Some(old) = names.iter().find(pickled) {
        return Ok(format!(
            "has only PyTorch weights (`{old}`), which can run code when read; convert them to safetensors: in Python, load \
             the folder with transformers and call `save_pretrained(folder, safe_serialization=True)`"
        ));
    }
    Ok(format!(
        "has no weights; a model folder needs {WEIGHTS}, or {INDEX} and its shards"
    ))
}
