//! Where a model's chat template is: in files of its folder, or in a GGUF file's metadata. Never
//! here: parsing it.

use std::{collections::BTreeMap, path::Path};

use hub::gguf::Header;
use serde_json::Value;

use super::{ChatTemplate, INSTEAD};
use crate::{DataError, items};

/// A file of its own, as transformers 5 saves it.
const FILE: &str = "chat_template.jinja";
/// The same as transformers 4 saved it beside processors.
const JSON_FILE: &str = "chat_template.json";
/// The key in `tokenizer_config.json` and in [`JSON_FILE`].
const KEY: &str = "chat_template";
/// The key in GGUF.
const GGUF_KEY: &str = "tokenizer.chat_template";
/// The one of several templates that conversations without tools have.
const DEFAULT: &str = "default";

/// A template that was found but not parsed: most models are asked without it.
#[derive(Clone, Debug)]
pub(crate) struct ChatSource {
    /// For messages: `chat template of PATH`.
    origin: String,
    /// The template, or why there is none that can be used.
    text: Result<String, String>,
    /// The special tokens by their names.
    tokens: BTreeMap<String, String>,
}

impl ChatSource {
    /// That of a folder; `config` is its `tokenizer_config.json`.
    pub(crate) fn of_folder(
        dir: &Path,
        config: &serde_json::Map<String, Value>,
        tokens: BTreeMap<String, String>,
    ) -> Self {
        let text = read_folder(dir, config).unwrap_or_else(|| {
            Err(format!(
                "there is none: no {FILE}, and no `{KEY}` in tokenizer_config.json; {INSTEAD}"
            ))
        });
        Self {
            origin: origin(dir),
            text,
            tokens,
        }
    }

    /// That of a GGUF file.
    pub(crate) fn of_gguf(header: &Header, tokens: BTreeMap<String, String>) -> Self {
        let text = match header.text(GGUF_KEY) {
            Ok(Some(text)) => Ok(text.to_owned()),
            Ok(None) => Err(format!(
                "there is none: no `{GGUF_KEY}` in the file; {INSTEAD}"
            )),
            Err(error) => Err(error.to_string()),
        };
        Self {
            origin: origin(&header.path),
            text,
            tokens,
        }
    }

    /// The special token of this name, such as `bos_token`.
    pub(crate) fn token(&self, name: &str) -> Option<&str> {
        self.tokens.get(name).map(String::as_str)
    }

    /// The template as metadata of a GGUF file.
    pub(crate) fn gguf_entry(&self) -> Option<(&'static str, &str)> {
        Some((GGUF_KEY, self.text.as_deref().ok()?))
    }

    /// Parses it.
    pub(crate) fn template(&self) -> Result<ChatTemplate, DataError> {
        match &self.text {
            Ok(text) => ChatTemplate::new(&self.origin, text, self.tokens.clone()),
            Err(problem) => Err(DataError::unusable(&*self.origin, problem.clone())),
        }
    }
}

fn origin(path: &Path) -> String {
    format!("chat template of {}", path.display())
}

/// The first that is there, in the order of transformers.
fn read_folder(
    dir: &Path,
    config: &serde_json::Map<String, Value>,
) -> Option<Result<String, String>> {
    let file = dir.join(FILE);
    if file.is_file() {
        return Some(items::read_text(&file).map_err(|error| error.to_string()));
    }
    if let Some(value) = config.get(KEY).filter(|value| !value.is_null()) {
        return Some(
            choose(value).map_err(|problem| format!("tokenizer_config.json, `{KEY}`: {problem}")),
        );
    }
    let json = dir.join(JSON_FILE);
    if !json.is_file() {
        return None;
    }
    let read = items::read_text(&json).map_err(|error| error.to_string());
    Some(read.and_then(|text| {
        let parsed: Value = serde_json::from_str(&text)
            .map_err(|error| items::broken(&json, &error).to_string())?;
        choose(&parsed[KEY]).map_err(|problem| format!("{JSON_FILE}, `{KEY}`: {problem}"))
    }))
}

/// The text itself, or the default one of a list of named ones.
fn choose(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Array(several) => {
            let named = |template: &&Value| template["name"] == DEFAULT;
            let text = several
                .iter()
                .find(named)
                .and_then(|one| one["template"].as_str());
            text.map(str::to_owned)
                .ok_or_else(|| format!("none of the templates is named `{DEFAULT}`; {INSTEAD}"))
        }
        _ => Err(format!("neither a text nor a list of templates; {INSTEAD}")),
    }
}
