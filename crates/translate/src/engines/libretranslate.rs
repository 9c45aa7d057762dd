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
        identity: format!("libretranslate {} {source}>{target}", client.shown_url()),
        limits: settings.limits()?,
        takes_line_breaks: true,
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
        let text = |item: &Value| {
            item.as_str()
                .map(str::to_owned)
                .ok_or("an item of `translatedText` is no text")
        };
        Ok(list.iter().map(text).collect::<Result<_, _>>()?)
    }

    fn explain(&self, status: u16, said: &str) -> Option<EngineFailure> {
        let is_too_large = status == 400 && said.contains("exceeds text limit");
        is_too_large.then(|| EngineFailure::split(format!("LibreTranslate answered 400: {said}")))
    }
}
