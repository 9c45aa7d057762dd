//! Engines and jobs set up for tests: short pauses, a cache in a folder of its own.

use std::time::Duration;

use schema::Language;
use tempfile::TempDir;
use translate::{
    Engine, TranslateError, TranslationCache,
    engines::{self, Settings},
    job::{self, JobEvents, Pace},
};

/// The keys that tests set. None of them may be seen anywhere.
pub(crate) const KEY: &str = "tops3cret-key:fx";

pub(crate) fn keys(name: &str) -> Option<String> {
    match name {
        "GOOGLE_CLOUD_PROJECT" => Some("my-project".to_owned()),
        "GOOGLE_API_KEY"
        | "GOOGLE_ACCESS_TOKEN"
        | "DEEPL_API_KEY"
        | "LIBRETRANSLATE_API_KEY"
        | "OPENAI_API_KEY" => Some(KEY.to_owned()),
        _ => None,
    }
}

pub(crate) fn settings<'a>(engine: &'a str, url: &str) -> Settings<'a> {
    Settings {
        engine,
        from: Language::En,
        to: Language::Zh,
        source_code: None,
        target_code: None,
        url: Some(url.to_owned()).filter(|url| !url.is_empty()),
        model: (engine == "openai").then(|| "chatty".to_owned()),
        temperature: None,
        timeout: Some(Duration::from_millis(1500)),
        lines_per_request: None,
        command: None,
        is_dry: false,
        lookup: &keys,
    }
}

pub(crate) fn open(engine: &str, url: &str) -> Box<dyn Engine> {
    engines::open(&settings(engine, url)).expect("is set up")
}

pub(crate) fn pace(parallel: usize) -> Pace {
    Pace {
        parallel,
        requests_per_second: None,
        characters_per_minute: None,
        tries: 8,
        first_pause: Duration::from_millis(2),
    }
}

/// A cache in a folder that is removed when dropped.
pub(crate) fn cache() -> (TempDir, TranslationCache) {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = TranslationCache::open(&folder.path().join("lines.redb")).expect("opens");
    (folder, cache)
}

pub(crate) fn run(
    engine: &dyn Engine,
    texts: &[String],
    cache: &TranslationCache,
    pace: &Pace,
) -> Result<Vec<String>, TranslateError> {
    let watch = JobEvents {
        progress: &|_, _| {},
        note: &|_| {},
        stop: &|| false,
    };
    job::run(engine, texts, cache, pace, &watch)
}

/// `count` different texts.
pub(crate) fn texts(count: usize) -> Vec<String> {
    (0..count)
        .map(|index| format!("Sentence {index} about the weather."))
        .collect()
}

pub(crate) fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
