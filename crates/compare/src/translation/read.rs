//! The translations of a run folder, read and checked. Never here: statistics.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use schema::{Language, record::TranslationRecord};

use crate::{
    error::CompareError,
    folder::{BASE, list, list_jsonl, name_of},
    record_lines::{check_within, each_record},
};

/// Task, source and target language.
pub(crate) type TranslationTask = (String, Language, Language);

/// By model (`base` or an adapter's name): the lines, by item.
pub(crate) type TranslatedBy = BTreeMap<String, BTreeMap<usize, TranslationRecord>>;

/// By what is translated.
pub(crate) type TranslationSets = BTreeMap<TranslationTask, TranslatedBy>;

/// Reads every file that is not `stale`.
pub(crate) fn read(
    root: &Path,
    stale: &BTreeSet<PathBuf>,
) -> Result<TranslationSets, CompareError> {
    let mut sets = TranslationSets::new();
    for folder in list(root)?.into_iter().filter(|path| path.is_dir()) {
        let model = name_of(&folder);
        for path in list_jsonl(&folder, stale)? {
            let named = parse_file_name(&path)?;
            let mut lines = BTreeMap::new();
            each_record(&path, |_, record: TranslationRecord| {
                check(&record, &named, &model)?;
                match lines.insert(record.item, record) {
                    Some(twice) => Err(format!("item {} is there twice", twice.item)),
                    None => Ok(()),
                }
            })?;
            if !lines.is_empty() {
                sets.entry(named).or_default().insert(model.clone(), lines);
            }
        }
    }
    Ok(sets)
}

/// `<task>.<from>-<into>.jsonl`
fn parse_file_name(path: &Path) -> Result<TranslationTask, CompareError> {
    let name = name_of(path);
    let parse = || {
        let (task, pair) = name.strip_suffix(".jsonl")?.rsplit_once('.')?;
        let (from, into) = pair.split_once('-')?;
        let language = |code| Language::of_record(code).ok();
        Some((task.to_owned(), language(from)?, language(into)?))
    };
    parse().ok_or_else(|| CompareError::FileName {
        path: path.to_owned(),
        problem: "translations are named `<task>.<from>-<into>.jsonl`".to_owned(),
    })
}

fn check(record: &TranslationRecord, named: &TranslationTask, model: &str) -> Result<(), String> {
    let (task, from, into) = named;
    if (&record.task, &record.from, &record.into) != (task, from, into) {
        return Err(format!(
            "the record is of `{}.{}-{}`, but the file's name says otherwise",
            record.task, record.from, record.into
        ));
    }
    if record.adapter.is_none() != (model == BASE) {
        return Err(format!(
            "the record in `translations/{model}` is of another model"
        ));
    }
    check_within(
        0.0,
        100.0 + 1e-9,
        &[("chrf", record.chrf), ("bleu", record.bleu)],
    )
}
