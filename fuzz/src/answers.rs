//! Readers of what servers answer, and of a run folder's own records.

use std::{fs, path::Path};

use compare::inside::list_views;
use run::Unwatched;
use schema::{Language, run_folder::RunFolder};
use translate::engines::{Settings, open_service};

use crate::{
    Outcome,
    readers::{keep, put},
    seeds,
};

/// The hub's list of a repository's files.
pub(crate) fn listing(_: &Path, bytes: &[u8]) -> Outcome {
    hub::Listing::parse(bytes)?;
    Ok(())
}

/// What the cache keeps about a model that it fetched.
pub(crate) fn source(folder: &Path, bytes: &[u8]) -> Outcome {
    let model = folder.join("hub/org--tiny/main");
    fs::create_dir_all(&model)?;
    keep(&model, "config.json", || b"{}".to_vec());
    put(&model, "source.json", bytes);
    let cache = hub::Cache::at(folder);
    cache.list()?;
    hub::verify(Some("org/tiny"), &cache, &mut hub::Silent)?;
    Ok(())
}

/// The services whose answers differ.
const SERVICES: &[&str] = &[
    "google-v2",
    "google-v3",
    "deepl",
    "libretranslate",
    "openai",
];

/// The answer of a service, as each of them would read it; one must accept it.
pub(crate) fn translation(_: &Path, bytes: &[u8]) -> Outcome {
    let text = std::str::from_utf8(bytes)?;
    let mut refused = Vec::new();
    for engine in SERVICES {
        let settings = Settings {
            engine,
            from: Language::En,
            to: Language::De,
            source_code: None,
            target_code: None,
            url: None,
            model: (*engine == "openai").then(|| "tiny".to_owned()),
            temperature: None,
            timeout: None,
            lines_per_request: None,
            command: None,
            is_dry: true,
            lookup: &|_| None,
        };
        let answer = open_service(&settings)?.read_answer(text);
        refused.extend(answer.err().map(|failure| format!("{engine}: {failure:?}")));
    }
    match refused.len() < SERVICES.len() {
        true => Ok(()),
        false => Err(refused.join("\n").into()),
    }
}

/// The manifest of a run folder that has a training log, and the report of it.
pub(crate) fn manifest(folder: &Path, bytes: &[u8]) -> Outcome {
    fs::create_dir_all(folder.join("train"))?;
    keep(
        folder,
        "train/emotion.de-en.seed1.jsonl",
        seeds::records::train_log,
    );
    put(folder, "manifest.json", bytes);
    run::write_report(&RunFolder::new(folder), false, &Unwatched)?;
    Ok(())
}

/// The records of a look: its file's name, then its lines. They are compared with those of the
/// seeds, as an adapter's are with the base model's.
pub(crate) fn inside(folder: &Path, bytes: &[u8]) -> Outcome {
    let end = bytes
        .iter()
        .position(|&byte| byte == b'\n')
        .ok_or("no name")?;
    let name = std::str::from_utf8(&bytes[..end])?;
    let is_name = !name.is_empty() && !name.starts_with('.') && name.len() <= 100;
    if !is_name || name.contains(['/', '\\', '\0']) {
        return Err("no name of a file".into());
    }
    let (base, tuned) = (folder.join("inside/base"), folder.join("inside/a"));
    for seed in seeds::records::inside() {
        let end = seed.iter().position(|&byte| byte == b'\n').unwrap_or(0);
        fs::create_dir_all(&base)?;
        let name = String::from_utf8_lossy(&seed[..end]).into_owned();
        // The base model has not changed from itself.
        if !name.starts_with("changes") {
            keep(&base, &name, || seed[end + 1..].to_vec());
        }
    }
    if tuned.exists() {
        fs::remove_dir_all(&tuned)?;
    }
    fs::create_dir_all(&tuned)?;
    put(&tuned, name, &bytes[end + 1..]);
    let records = compare::read_run(&RunFolder::new(folder), &|| false)?;
    let views = list_views(&records.inside, &[], &mut Vec::new())?;
    let results = compare::compute(&records, &|| false)?;
    let translations =
        compare::translation::measure_translations(&records, &results.blocks, &|| false)?;
    compare::write_results(
        &folder.join("results.json"),
        &results,
        &translations,
        &views,
    )?;
    Ok(())
}

/// Translations of an adapter, compared with the seed's as the base's.
pub(crate) fn translated(folder: &Path, bytes: &[u8]) -> Outcome {
    let (base, tuned) = (
        folder.join("translations/base"),
        folder.join("translations/emotion.de-en.seed1"),
    );
    for model in [&base, &tuned] {
        fs::create_dir_all(model)?;
    }
    keep(&base, "emotion.de-en.jsonl", || {
        seeds::records::translated(None)
    });
    put(&tuned, "emotion.de-en.jsonl", bytes);
    let records = compare::read_run(&RunFolder::new(folder), &|| false)?;
    compare::translation::measure_translations(&records, &[], &|| false)?;
    Ok(())
}

/// The texts of the questions of a run, whose page is written with them.
pub(crate) fn questions(folder: &Path, bytes: &[u8]) -> Outcome {
    for folder in [folder.join("answers/base"), folder.join("questions")] {
        fs::create_dir_all(folder)?;
    }
    keep(
        folder,
        "answers/base/emotion.english.de.jsonl",
        seeds::records::asked,
    );
    put(folder, "questions/emotion.de.jsonl", bytes);
    report::write_questions(&RunFolder::new(folder), &|| false)?;
    Ok(())
}
