//! DeepL API v2. Never here: retries.
//!
//! <https://developers.deepl.com/api-reference/translate>; statuses by
//! .../docs/best-practices/error-handling: 429 too many requests, 456 quota used up, 5xx to be
//! repeated.

use schema::Language;
use serde_json::{Value, json};

use super::{
    Settings,
    http::{Dialect, HttpEngine, ServiceClient, read_list},
};
use crate::{EngineFailure, TranslateError, facts};

struct DeepL {
    source: String,
    target: String,
    model_type: Option<String>,
    is_beta: bool,
}

pub(super) fn open(settings: &Settings<'_>) -> Result<HttpEngine, TranslateError> {
    settings.check_unused(true, true)?;
    let key = settings.needed(
        "DEEPL_API_KEY",
        "the authentication key of a DeepL API account",
    )?;
    // Keys of free accounts end so, and are known at a host of their own.
    let is_free = key
        .as_ref()
        .is_some_and(|key| key.reveal().ends_with(":fx"));
    let base = if is_free {
        "https://api-free.deepl.com"
    } else {
        "https://api.deepl.com"
    };
    let mut client = ServiceClient::new(settings, base, "/v2/translate")?;
    if let Some(key) = &key {
        client = client.header("Authorization", format!("DeepL-Auth-Key {}", key.reveal()));
    }
    let (source, target) = (settings.source()?, settings.target()?);
    let beta = &facts("deepl")?.beta;
    let is_beta = [settings.from, settings.to]
        .iter()
        .any(|language: &Language| beta.contains(language));
    let model_type = settings.model.clone();
    let named = model_type
        .as_ref()
        .map_or(String::new(), |model| format!(" model={model}"));
    Ok(HttpEngine {
        properties: settings.properties(format!("deepl{named} {source}>{target}"), true)?,
        client: client.hide(key),
        dialect: Box::new(DeepL {
            source,
            target,
            model_type,
            is_beta,
        }),
    })
}

impl Dialect for DeepL {
    fn body(&self, lines: &[&str]) -> Value {
        let mut body =
            json!({"text": lines, "source_lang": self.source, "target_lang": self.target});
        if let Some(model_type) = &self.model_type {
            body["model_type"] = model_type.as_str().into();
        }
        if self.is_beta {
            body["enable_beta_languages"] = true.into();
        }
        body
    }

    fn read(&self, answer: &Value) -> Result<Vec<String>, String> {
        read_list(answer, "/translations", "text")
    }

    fn explain(&self, status: u16, said: &str) -> Option<EngineFailure> {
        (status == 456).then(|| {
            EngineFailure::ends(
                format!("DeepL answered 456: {said}"),
                "the account's characters are used up: run the same command again when the next period has begun, or raise \
                 its limit",
            )
        })
    }
}
