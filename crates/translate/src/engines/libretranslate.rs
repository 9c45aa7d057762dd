//! LibreTranslate, hosted or one's own. Never here: retries.
//!
//! <https://docs.libretranslate.com>: a list in `q` is answered by a list; the key, if the
//! server wants one, is in the body. A server answers 400 with "exceeds text limit" when a
//! request is larger than it allows.

use serde_json::{Value, json};

use super::{
    Settings,
    http::{Dialect, HttpEngine, ServiceClient},
};
use crate::{EngineFailure, Secret, TranslateError};

struct LibreTranslate {
    source: String,
    target: String,
    key: Option<Secret>,
}

pub(super) fn open(settings: &Settings<'_>) -> Result<HttpEngine, TranslateError> {
    settings.check_unused(true, false)?;
    let name = "LIBRETRANSLATE_API_KEY";
    let key = match settings.url {
        Some(_) => settings.secret(name)?,
        None => settings.needed(
            name,
            "a key of libretranslate.com, or name your own server with --url",
        )?,
    };
    let client = ServiceClient::new(settings, "https://libretranslate.com", "/translate")?;
    let (source, target) = (settings.source()?, settings.target()?);
    Ok(HttpEngine {
        properties: settings.properties(
            format!("libretranslate {} {source}>{target}", client.shown_url()),
            true,
        )?,
        client: client.hide(key.clone()),
        dialect: Box::new(LibreTranslate {
            source,
            target,
            key,
        }),
    })
}

impl Dialect for LibreTranslate {
    fn body(&self, lines: &[&str]) -> Value {
        let mut body =
            json!({"q": lines, "source": self.source, "target": self.target, "format": "text"});
        if let Some(key) = &self.key {
            body["api_key"] = key.reveal().into();
        }
        body
    }

    fn read(&self, answer: &Value) -> Result<Vec<String>, String> {
        let list = answer
            .get("translatedText")
            .and_then(Value::as_array)
            .ok_or("no list `translatedText`")?;
        list.iter()
            .map(|item| match item.as_str() {
                Some(text) => Ok(text.to_owned()),
                None => Err("an item of `translatedText` is not a text".to_owned()),
            })
            .collect()
    }

    fn explain(&self, status: u16, said: &str) -> Option<EngineFailure> {
        let is_too_large = status == 400 && said.contains("exceeds text limit");
        is_too_large.then(|| EngineFailure::split(format!("LibreTranslate answered 400: {said}")))
    }
}
