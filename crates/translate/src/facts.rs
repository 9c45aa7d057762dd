//! Facts about each engine: limits, prices and language codes, from `assets/engines.toml`;
//! parsed and checked once. Never here: requests.

use std::{collections::BTreeMap, sync::LazyLock};

use schema::Language;
use serde::Deserialize;

use crate::{Limits, TranslateError};

const FILE: &str = "assets/engines.toml";

/// Facts about an engine.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineFacts {
    /// The page of its prices; empty if it has none.
    pub page: String,
    /// The environment variable of its key.
    pub key: Option<String>,
    lines: usize,
    characters: usize,
    bytes: usize,
    /// How long an answer may take.
    pub seconds: u64,
    /// US dollars per million characters sent; `None` if it is not billed by characters.
    pub price: Option<f64>,
    #[serde(default)]
    uppercase: bool,
    #[serde(default)]
    source: BTreeMap<Language, String>,
    #[serde(default)]
    target: BTreeMap<Language, String>,
    /// Languages that must be asked for as beta.
    #[serde(default)]
    pub beta: Vec<Language>,
}

impl EngineFacts {
    /// The most of one request.
    pub fn limits(&self) -> Limits {
        Limits {
            lines: self.lines,
            characters: self.characters,
            bytes: self.bytes,
        }
    }

    /// How the engine writes a language to translate from.
    pub fn source_code(&self, language: Language) -> String {
        self.code(&self.source, language)
    }

    /// How the engine writes a language to translate into.
    pub fn target_code(&self, language: Language) -> String {
        self.code(&self.target, language)
    }

    fn code(&self, exceptions: &BTreeMap<Language, String>, language: Language) -> String {
        match exceptions.get(&language) {
            Some(code) => code.clone(),
            None if self.uppercase => language.code().to_uppercase(),
            None => language.code().to_owned(),
        }
    }
}

static FACTS: LazyLock<Result<BTreeMap<String, EngineFacts>, String>> = LazyLock::new(|| {
    let facts: BTreeMap<String, EngineFacts> =
        toml::from_str(include_str!("../../../assets/engines.toml")).map_err(|e| e.to_string())?;
    match facts
        .iter()
        .find(|(_, facts)| facts.lines == 0 || facts.characters == 0 || facts.bytes == 0)
    {
        Some((name, _)) => Err(format!("{name}: a limit is 0")),
        None => Ok(facts),
    }
});

fn all() -> Result<&'static BTreeMap<String, EngineFacts>, TranslateError> {
    FACTS.as_ref().map_err(|problem| TranslateError::Shipped {
        file: FILE,
        problem: problem.clone(),
    })
}

/// The names of all engines.
///
/// # Errors
/// The shipped file is broken.
pub fn names() -> Result<Vec<&'static str>, TranslateError> {
    Ok(all()?.keys().map(String::as_str).collect())
}

/// The facts about the engine `name`.
///
/// # Errors
/// There is none of this name; the message lists those there are.
pub fn facts(name: &str) -> Result<&'static EngineFacts, TranslateError> {
    all()?.get(name).ok_or_else(|| TranslateError::Settings {
        engine: name.to_owned(),
        problem: format!(
            "unknown engine; known engines: {}",
            names().unwrap_or_default().join(", ")
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_written_as_the_engines_want_them() {
        let codes = |name: &str, language| {
            let facts = facts(name).expect("is known");
            (facts.source_code(language), facts.target_code(language))
        };
        let pair = |source: &str, target: &str| (source.to_owned(), target.to_owned());
        assert_eq!(codes("google-v2", Language::Zh), pair("zh-CN", "zh-CN"));
        assert_eq!(codes("google-v3", Language::No), pair("no", "no"));
        assert_eq!(codes("deepl", Language::No), pair("NB", "NB"));
        assert_eq!(codes("deepl", Language::Zh), pair("ZH", "ZH-HANS"));
        assert_eq!(codes("deepl", Language::En), pair("EN", "EN-US"));
        assert_eq!(codes("deepl", Language::De), pair("DE", "DE"));
        assert_eq!(codes("libretranslate", Language::No), pair("nb", "nb"));
        assert_eq!(codes("libretranslate", Language::Zh), pair("zh", "zh"));
    }

    #[test]
    fn an_unknown_engine_is_refused_with_those_there_are() {
        let error = facts("bing").expect_err("not there");
        assert_eq!(
            error.to_string(),
            "engine bing: unknown engine; known engines: command, deepl, google-v2, google-v3, libretranslate, \
             model, openai"
        );
    }
}
