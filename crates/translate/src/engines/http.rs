//! One request to an HTTP service and what its answer means. Redirects are not followed: a key
//! must not go to another host. Never here: what a service's JSON looks like, retries.

use std::time::{Duration, SystemTime};

use serde_json::Value;
use ureq::{Agent, http::HeaderMap};

use super::Settings;
use crate::{Engine, EngineFailure, EngineProperties, Secret, TranslateError};

const CONNECT: Duration = Duration::from_secs(10);
/// No answer to a request is larger.
const MOST_BYTES: u64 = 64 << 20;
/// So much of a server's own words is shown.
const MOST_SAID: usize = 500;
/// A longer pause ends the job, to be run again later.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// The differences between services.
pub(super) trait Dialect: Send + Sync {
    /// The request's JSON for these lines.
    fn body(&self, lines: &[&str]) -> Value;

    /// The lines in an answer; what is wrong with it otherwise.
    fn read(&self, answer: &Value) -> Result<Vec<String>, String>;

    /// The meaning of a status that the service uses in its own way.
    fn explain(&self, _status: u16, _said: &str) -> Option<EngineFailure> {
        None
    }
}

/// A service and its dialect.
pub struct HttpEngine {
    pub(super) properties: EngineProperties,
    pub(super) client: ServiceClient,
    pub(super) dialect: Box<dyn Dialect>,
}

impl HttpEngine {
    /// The lines in the text of an answer with status 200.
    ///
    /// # Errors
    /// [`EngineFailure::Split`]: it is not what the service promises.
    pub fn read_answer(&self, text: &str) -> Result<Vec<String>, EngineFailure> {
        let answer = serde_json::from_str(text).map_err(|e| {
            let said = self.client.show(text);
            EngineFailure::split(format!("the answer is not JSON ({e}): {said}"))
        })?;
        self.dialect.read(&answer).map_err(EngineFailure::split)
    }
}

impl Engine for HttpEngine {
    fn properties(&self) -> &EngineProperties {
        &self.properties
    }

    fn translate(&self, lines: &[&str]) -> Result<Vec<String>, EngineFailure> {
        let body = self.dialect.body(lines);
        self.read_answer(&self.client.post(&body, &*self.dialect)?)
    }
}

/// An address that is asked, and how.
pub(super) struct ServiceClient {
    agent: Agent,
    url: String,
    headers: Vec<(&'static str, String)>,
    secret: Option<Secret>,
    key: String,
}

impl ServiceClient {
    /// For the address `base` (or `--url`) and the path behind it.
    ///
    /// # Errors
    /// The address cannot be one, or holds a password.
    pub(super) fn new(
        settings: &Settings<'_>,
        base: &str,
        path: &str,
    ) -> Result<Self, TranslateError> {
        let base = settings.url.as_deref().unwrap_or(base);
        let (address, query) = base
            .split_once('?')
            .map_or((base, None), |(address, query)| (address, Some(query)));
        let address = address.trim_end_matches('/');
        let rest = address
            .strip_prefix("https://")
            .or_else(|| address.strip_prefix("http://"));
        let host = rest
            .map(|rest| rest.split('/').next().unwrap_or_default())
            .unwrap_or_default();
        if host.is_empty() || !base.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(settings.refuse(format!(
                "--url {address} is not an address; it must begin with https:// or http://"
            )));
        }
        if host.contains('@') {
            return Err(settings.refuse(
                "--url holds a user name or password; keys come from the environment alone",
            ));
        }
        let whole = if address.ends_with(path) {
            address.to_owned()
        } else {
            format!("{address}{path}")
        };
        let url = query.map_or(whole.clone(), |query| format!("{whole}?{query}"));
        let key = settings.facts()?.key.clone().unwrap_or_default();
        Ok(Self {
            agent: agent(host, settings.timeout()?),
            url,
            headers: Vec::new(),
            secret: None,
            key,
        })
    }

    /// Sends `value`, which may hold `secret`, in a header of every request.
    pub(super) fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Blots `secret` out of whatever is shown.
    pub(super) fn hide(mut self, secret: Option<Secret>) -> Self {
        self.secret = secret;
        self
    }

    /// The address without what may be a secret in its query.
    pub(super) fn shown_url(&self) -> &str {
        self.url.split('?').next().unwrap_or_default()
    }

    fn post(&self, body: &Value, dialect: &dyn Dialect) -> Result<String, EngineFailure> {
        let mut request = self
            .agent
            .post(&self.url)
            .header("Content-Type", "application/json; charset=utf-8");
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let mut response = request
            .send(body.to_string())
            .map_err(|e| EngineFailure::passing(self.describe(&e)))?;
        let status = response.status().as_u16();
        let pause = read_retry_after(response.headers());
        let text = response
            .body_mut()
            .with_config()
            .limit(MOST_BYTES)
            .read_to_string();
        let text = text.map_err(|e| {
            EngineFailure::passing(format!("the answer broke off: {}", self.describe(&e)))
        });
        if status != 200 {
            let said = self.show(&text.unwrap_or_default());
            return Err(self.explain(status, &said, pause, dialect));
        }
        text
    }

    fn explain(
        &self,
        status: u16,
        said: &str,
        pause: Option<Duration>,
        dialect: &dyn Dialect,
    ) -> EngineFailure {
        if let Some(failure) = dialect.explain(status, said) {
            return failure.with_pause(pause);
        }
        let problem = format!("{} answered {status}: {said}", self.shown_url());
        let key = &self.key;
        match status {
            408 | 425 | 429 | 500..=599 => EngineFailure::Passing { problem, pause }.bounded(),
            413 => EngineFailure::Split { problem },
            401 | 403 if self.secret.is_none() => {
                EngineFailure::ends(problem, format!("set {key} to a key of this service"))
            }
            401 | 403 => EngineFailure::ends(
                problem,
                format!(
                    "the key in {key} was rejected: is it complete, for this service, not expired and allowed to translate?"
                ),
            ),
            402 => EngineFailure::ends(
                problem,
                "the account has no means left; what was answered is in the cache",
            ),
            300..=399 => EngineFailure::ends(
                problem,
                "redirects are not followed: give the address itself with --url",
            ),
            404 | 405 => EngineFailure::ends(
                problem,
                "is --url the address of the service, and is the name of the model right?",
            ),
            _ => EngineFailure::ends(
                problem,
                "the request was rejected: does the service know both languages and the model?",
            ),
        }
    }

    /// A server's or ureq's own words, short, without the key and the address's query.
    fn show(&self, text: &str) -> String {
        // Some of ureq's errors quote the whole address.
        let text = text.replace(&self.url, self.shown_url());
        let clean = self
            .secret
            .as_ref()
            .map_or_else(|| text.clone(), |secret| secret.redact(&text));
        let line = clean.split_whitespace().collect::<Vec<_>>().join(" ");
        let short: String = line.chars().take(MOST_SAID).collect();
        if short.is_empty() {
            "nothing".to_owned()
        } else {
            short
        }
    }

    fn describe(&self, error: &ureq::Error) -> String {
        let what = match error {
            ureq::Error::HostNotFound => "the host's address is not known".to_owned(),
            ureq::Error::Timeout(_) => "no answer in time".to_owned(),
            other => self.show(&other.to_string()),
        };
        format!("{}: {what}", self.shown_url())
    }
}

impl EngineFailure {
    fn with_pause(self, asked: Option<Duration>) -> Self {
        match self {
            Self::Passing { problem, pause } => Self::Passing {
                problem,
                pause: pause.or(asked),
            }
            .bounded(),
            other => other,
        }
    }

    /// A service that asks to be left alone for long is not waited for.
    fn bounded(self) -> Self {
        match self {
            Self::Passing {
                problem,
                pause: Some(pause),
            } if pause > LONGEST_PAUSE => Self::ends(
                problem,
                format!(
                    "it asks to wait {} s: run the same command again then",
                    pause.as_secs()
                ),
            ),
            other => other,
        }
    }
}

fn agent(host: &str, timeout: Duration) -> Agent {
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("lingualign/", env!("CARGO_PKG_VERSION")))
        .timeout_resolve(Some(CONNECT))
        .timeout_connect(Some(CONNECT))
        .timeout_global(Some(timeout));
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if ["127.0.0.1", "localhost", "[::1]"].contains(&name) {
        config = config.proxy(None); // a proxy cannot reach this machine's own servers
    }
    config.build().into()
}

/// Seconds, or a date (RFC 9110, section 10.2.3).
fn read_retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("retry-after")?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

/// The texts under `key` of each object in the list at `pointer`.
pub(super) fn read_list(answer: &Value, pointer: &str, key: &str) -> Result<Vec<String>, String> {
    let list = answer
        .pointer(pointer)
        .and_then(Value::as_array)
        .ok_or_else(|| format!("no list at `{pointer}`"))?;
    list.iter()
        .map(|item| match item.get(key).and_then(Value::as_str) {
            Some(text) => Ok(text.to_owned()),
            None => Err(format!("an item of `{pointer}` has no text `{key}`")),
        })
        .collect()
}
