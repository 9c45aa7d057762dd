//! The engines: HTTP services, each a dialect of one client, and commands. Never here: retries,
//! the cache, the order of lines.

mod command;
mod deepl;
mod google;
mod http;
mod libretranslate;
mod openai;

use std::time::Duration;

use schema::Language;

pub use self::command::CommandEngine;
pub use self::http::HttpEngine;
use crate::{Engine, EngineFacts, EngineProperties, Limits, Secret, TranslateError, facts};

/// The settings of an engine.
pub struct Settings<'a> {
    /// The engine's name, one of [`crate::names`].
    pub engine: &'a str,
    /// Language of the lines.
    pub from: Language,
    /// Language wanted.
    pub to: Language,
    /// The engine's code for the language of the lines, if not that of the table.
    pub source_code: Option<String>,
    /// The same for the language wanted.
    pub target_code: Option<String>,
    /// Address of the service, if not its own.
    pub url: Option<String>,
    /// Which of the engine's models.
    pub model: Option<String>,
    /// For chat models: the sampling temperature, or `Some(None)` to leave it to the server.
    /// Default: 0.
    pub temperature: Option<Option<f64>>,
    /// How long an answer may take, if not as the table says.
    pub timeout: Option<Duration>,
    /// Most lines of one request, if not as the table says.
    pub lines_per_request: Option<usize>,
    /// The command line of the engine `command`.
    pub command: Option<String>,
    /// Nothing will be sent, so that no key is needed.
    pub is_dry: bool,
    /// Reads an environment variable. The only source of keys.
    pub lookup: &'a dyn Fn(&str) -> Option<String>,
}

impl Settings<'_> {
    fn facts(&self) -> Result<&'static EngineFacts, TranslateError> {
        facts(self.engine)
    }

    fn limits(&self) -> Result<Limits, TranslateError> {
        let limits = self.facts()?.limits();
        Ok(Limits {
            lines: self.lines_per_request.unwrap_or(limits.lines),
            ..limits
        })
    }

    fn properties(
        &self,
        identity: String,
        takes_line_breaks: bool,
    ) -> Result<EngineProperties, TranslateError> {
        Ok(EngineProperties {
            identity,
            limits: self.limits()?,
            takes_line_breaks,
        })
    }

    fn timeout(&self) -> Result<Duration, TranslateError> {
        Ok(self
            .timeout
            .unwrap_or(Duration::from_secs(self.facts()?.seconds)))
    }

    fn source(&self) -> Result<String, TranslateError> {
        Ok(self
            .source_code
            .clone()
            .unwrap_or(self.facts()?.source_code(self.from)))
    }

    fn target(&self) -> Result<String, TranslateError> {
        Ok(self
            .target_code
            .clone()
            .unwrap_or(self.facts()?.target_code(self.to)))
    }

    /// The value of an environment variable; `None` if it is not set.
    fn secret(&self, name: &str) -> Result<Option<Secret>, TranslateError> {
        Secret::look_up(self.engine, name, self.lookup)
    }

    /// As [`Settings::secret`], for one without which nothing can be sent.
    fn needed(&self, name: &str, what: &str) -> Result<Option<Secret>, TranslateError> {
        match self.secret(name)? {
            None if !self.is_dry => {
                Err(self.refuse(format!("set the environment variable {name} to {what}")))
            }
            found => Ok(found),
        }
    }

    fn refuse(&self, problem: impl Into<String>) -> TranslateError {
        TranslateError::Settings {
            engine: self.engine.to_owned(),
            problem: problem.into(),
        }
    }

    /// Refuses settings that the engine would silently ignore.
    fn check_unused(&self, takes_url: bool, takes_model: bool) -> Result<(), TranslateError> {
        let given = [
            (self.url.is_some() && !takes_url, "--url"),
            (self.model.is_some() && !takes_model, "--model"),
            (
                self.command.is_some() && self.engine != "command",
                "--command",
            ),
            (
                self.temperature.is_some() && self.engine != "openai",
                "--temperature",
            ),
        ];
        match given.iter().find(|(is_unused, _)| *is_unused) {
            Some((_, flag)) => Err(self.refuse(format!("{flag} has no effect on it; remove it"))),
            None => Ok(()),
        }
    }
}

/// Sets up an engine that is not a model of ours.
///
/// # Errors
/// An unknown name; a setting that is missing, wrong, or means nothing to the engine; a key
/// that is not in the environment.
pub fn open(settings: &Settings<'_>) -> Result<Box<dyn Engine>, TranslateError> {
    if settings.from == settings.to {
        return Err(settings.refuse(format!(
            "from {0} to {0} there is nothing to translate",
            settings.from
        )));
    }
    match settings.engine {
        "command" => Ok(Box::new(CommandEngine::open(settings)?)),
        _ => Ok(Box::new(open_service(settings)?)),
    }
}

/// As [`open`], for an engine that is an HTTP service.
///
/// # Errors
/// As [`open`]; the engine is no service.
pub fn open_service(settings: &Settings<'_>) -> Result<HttpEngine, TranslateError> {
    match settings.engine {
        "google-v2" => google::open_v2(settings),
        "google-v3" => google::open_v3(settings),
        "deepl" => deepl::open(settings),
        "libretranslate" => libretranslate::open(settings),
        "openai" => openai::open(settings),
        other => {
            facts(other)?;
            Err(settings.refuse("only the program can open it"))
        }
    }
}
