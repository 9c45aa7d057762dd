//! Google Cloud Translation, v2 (Basic) and v3 (Advanced). Never here: retries.
//!
//! <https://cloud.google.com/translate/docs/reference/rest/v2/translate> and
//! .../rest/v3/projects/translateText. The key goes into the header X-goog-api-key, which
//! Google's page on API keys allows in place of the query, so that no address contains it. Too
//! many requests are answered 403, by the page on quotas; a daily quota too.

use serde_json::{Value, json};

use super::{
    Settings,
    http::{Dialect, HttpEngine, ServiceClient, read_list},
};
use crate::{EngineFailure, TranslateError};

const BASE: &str = "https://translation.googleapis.com";

struct V2 {
    source: String,
    target: String,
}

struct V3 {
    source: String,
    target: String,
    /// Full name of a model, if one was chosen.
    model: Option<String>,
}

pub(super) fn open_v2(settings: &Settings<'_>) -> Result<HttpEngine, TranslateError> {
    settings.check_unused(true, false)?;
    let key = settings.needed(
        "GOOGLE_API_KEY",
        "an API key of a project with the Cloud Translation API",
    )?;
    let mut client = ServiceClient::new(settings, BASE, "/language/translate/v2")?;
    if let Some(key) = &key {
        client = client.header("X-goog-api-key", key.reveal().to_owned());
    }
    let (source, target) = (settings.source()?, settings.target()?);
    Ok(HttpEngine {
        properties: settings.properties(format!("google-v2 {source}>{target}"), true)?,
        client: client.hide(key),
        dialect: Box::new(V2 { source, target }),
    })
}

pub(super) fn open_v3(settings: &Settings<'_>) -> Result<HttpEngine, TranslateError> {
    settings.check_unused(true, true)?;
    let what = "an access token (`gcloud auth print-access-token` makes one that lasts an hour)";
    let token = settings.needed("GOOGLE_ACCESS_TOKEN", what)?;
    let project = match (settings.lookup)("GOOGLE_CLOUD_PROJECT")
        .filter(|project| is_project(project))
    {
        Some(project) => project,
        None if settings.is_dry => "PROJECT".to_owned(),
        None => {
            return Err(settings
                .refuse("set the environment variable GOOGLE_CLOUD_PROJECT to the project's id"));
        }
    };
    let parent = format!("projects/{project}/locations/global");
    let mut client = ServiceClient::new(settings, BASE, &format!("/v3/{parent}:translateText"))?;
    client = client.header("X-goog-user-project", project);
    if let Some(token) = &token {
        client = client.header("Authorization", format!("Bearer {}", token.reveal()));
    }
    let (source, target) = (settings.source()?, settings.target()?);
    let model = settings
        .model
        .as_ref()
        .map(|model| match model.starts_with("projects/") {
            true => model.clone(),
            false => format!("{parent}/models/{model}"),
        });
    let named = settings
        .model
        .as_ref()
        .map_or(String::new(), |model| format!(" model={model}"));
    Ok(HttpEngine {
        properties: settings.properties(format!("google-v3{named} {source}>{target}"), true)?,
        client: client.hide(token),
        dialect: Box::new(V3 {
            source,
            target,
            model,
        }),
    })
}

/// It is part of the address: nothing in it may end the path.
fn is_project(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
}

impl Dialect for V2 {
    fn body(&self, lines: &[&str]) -> Value {
        // The default format is HTML, which turns apostrophes into entities.
        json!({"q": lines, "source": self.source, "target": self.target, "format": "text"})
    }

    fn read(&self, answer: &Value) -> Result<Vec<String>, String> {
        read_list(answer, "/data/translations", "translatedText")
    }

    fn explain(&self, status: u16, said: &str) -> Option<EngineFailure> {
        explain(status, said)
    }
}

impl Dialect for V3 {
    fn body(&self, lines: &[&str]) -> Value {
        let mut body = json!({
            "contents": lines, "mimeType": "text/plain",
            "sourceLanguageCode": self.source, "targetLanguageCode": self.target,
        });
        if let Some(model) = &self.model {
            body["model"] = model.as_str().into();
        }
        body
    }

    fn read(&self, answer: &Value) -> Result<Vec<String>, String> {
        read_list(answer, "/translations", "translatedText")
    }

    fn explain(&self, status: u16, said: &str) -> Option<EngineFailure> {
        explain(status, said)
    }
}

fn holds_any(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.contains(word))
}

fn explain(status: u16, said: &str) -> Option<EngineFailure> {
    let problem = format!("Google answered {status}: {said}");
    match status {
        403 | 429 if holds_any(said, &["Daily Limit", "dailyLimitExceeded"]) => {
            Some(EngineFailure::ends(
                problem,
                "the daily quota is used up: run the same command again after midnight Pacific time, or raise the quota",
            ))
        }
        403 if holds_any(
            said,
            &[
                "Rate Limit",
                "rateLimitExceeded",
                "userRateLimitExceeded",
                "RESOURCE_EXHAUSTED",
            ],
        ) =>
        {
            Some(EngineFailure::passing(problem))
        }
        400 if holds_any(said, &["API key not valid", "API_KEY_INVALID"]) => {
            Some(EngineFailure::ends(
                problem,
                "the key in GOOGLE_API_KEY was rejected: copy it from the console again",
            ))
        }
        401 => Some(EngineFailure::ends(
            problem,
            "the key or token was rejected; an access token lasts an hour: create a new one and run the same command again",
        )),
        _ => None,
    }
}
