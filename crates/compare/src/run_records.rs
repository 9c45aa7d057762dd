//! Reading a run folder: its manifest, all its answers, all its training logs, and (by `inside`)
//! the records of the inside of the models.
//!
//! Never here: statistics; a guess about a record that is missing.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use schema::{
    AnswerRecord, LabelSet, Language, PromptForm,
    disk::DiskError,
    finding::AuditRecord,
    record::{ProbeRecord, TrainRecord},
    run_folder::RunFolder,
};
use serde_json::Value;

use crate::{
    answers::AnswerSet,
    error::CompareError,
    folder::{BASE, list, list_jsonl, name_of},
    inside::{self, InsideRecords},
    record_lines::{check_within, each_record},
    stats::resample::Stop,
    translation::read::{self as translations, TranslationSets},
};

/// Names of the folders with the answers after further sets of exemplars begin with it.
const FEW_SHOT: &str = "few_shot.";

/// Task, label set and form of the prompts, the subject of one block of the report.
pub(crate) type AskedAs = (String, LabelSet, PromptForm);

/// Everything of a run folder that the report reads.
pub struct RunRecords {
    /// `manifest.json`; null if there is none.
    pub manifest: Value,
    /// `audit.json`; `None` if the data was not audited, or other data than the recipe's.
    pub audit: Option<AuditRecord>,
    /// By task, label set and form, then by model (`base` or an adapter's name); one set for each set of
    /// exemplars.
    pub(crate) answers: BTreeMap<AskedAs, BTreeMap<String, Vec<AnswerSet>>>,
    /// Translated lines.
    pub(crate) translations: TranslationSets,
    /// By adapter.
    pub train_logs: BTreeMap<String, Vec<TrainRecord>>,
    /// What was measured while adapters were trained, by adapter.
    pub probes: BTreeMap<String, Vec<ProbeRecord>>,
    /// The records of the inside of the models.
    pub inside: InsideRecords,
}

impl RunRecords {
    /// The model as the first record names it; `None` without answers.
    pub fn model(&self) -> Option<&str> {
        let first = self
            .answers
            .values()
            .flat_map(|models| models.values())
            .flatten()
            .next()?;
        Some(&first.head.model)
    }
}

/// Reads and checks a run folder.
///
/// # Errors
/// A broken or misplaced record, by file and line; an empty folder; [`CompareError::Stopped`].
pub fn read_run(
    run: &RunFolder,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<RunRecords, CompareError> {
    let manifest = read_manifest(&run.manifest())?;
    let stale = list_stale(run, &manifest);
    let answers = read_answers(&run.answers_root(), &stale, stop)?;
    let translations = translations::read(&run.translations_root(), &stale)?;
    let train_logs = read_train_logs(run, &stale)?;
    let probes = read_probes(run, &stale)?;
    let audit = read_audit(&run.audit(), &stale)?;
    let inside = inside::read(&run.inside_root(), &stale)?;
    let records = RunRecords {
        manifest,
        audit,
        answers,
        translations,
        train_logs,
        probes,
        inside,
    };
    let is_empty = records.answers.is_empty()
        && records.translations.is_empty()
        && records.train_logs.is_empty()
        && records.inside.is_empty();
    if is_empty {
        return Err(CompareError::Nothing(run.root().to_owned()));
    }
    Ok(records)
}

fn read_manifest(path: &Path) -> Result<Value, CompareError> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|problem| CompareError::BadManifest {
            path: path.to_owned(),
            problem,
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Value::Null),
        Err(error) => Err(DiskError::at("read", path)(error).into()),
    }
}

fn read_audit(path: &Path, stale: &BTreeSet<PathBuf>) -> Result<Option<AuditRecord>, CompareError> {
    match fs::read(path) {
        Ok(_) if stale.contains(path) => Ok(None),
        Ok(bytes) => {
            serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|problem| CompareError::BadLine {
                    path: path.to_owned(),
                    line: problem.line(),
                    problem,
                })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(DiskError::at("read", path)(error).into()),
    }
}

/// Outputs of stages that the manifest lists but does not count as current: they belong to an
/// earlier recipe.
fn list_stale(run: &RunFolder, manifest: &Value) -> BTreeSet<PathBuf> {
    let (Some(stages), Some(current)) = (
        manifest["stages"].as_object(),
        manifest["current"].as_array(),
    ) else {
        return BTreeSet::new();
    };
    let outputs = stages
        .iter()
        .filter(|(name, _)| !current.iter().any(|known| known == *name))
        .filter_map(|(_, stage)| stage["outputs"].as_object());
    outputs
        .flat_map(|outputs| outputs.keys().map(|file| run.root().join(file)))
        .collect()
}

fn read_answers(
    root: &Path,
    stale: &BTreeSet<PathBuf>,
    stop: Stop,
) -> Result<BTreeMap<AskedAs, BTreeMap<String, Vec<AnswerSet>>>, CompareError> {
    let mut answers: BTreeMap<AskedAs, BTreeMap<String, Vec<AnswerSet>>> = BTreeMap::new();
    for folder in list(root)?.into_iter().filter(|path| path.is_dir()) {
        let mut files: BTreeMap<AskedAs, Vec<(Language, PathBuf)>> = BTreeMap::new();
        let further = list(&folder)?.into_iter().filter(|path| path.is_dir());
        let further = further.filter_map(|path| Some((parse_form(&name_of(&path))?, path)));
        for (form, folder) in [(PromptForm::Plain, folder.clone())]
            .into_iter()
            .chain(further)
        {
            for path in list_jsonl(&folder, stale)? {
                let ((task, labels), language) = parse_file_name(&path)?;
                let question = (task, labels, form);
                files.entry(question).or_default().push((language, path));
            }
        }
        for (question, files) in files {
            let model = name_of(&folder);
            let sets = read_sets(&model, &question, &files, stop)?;
            if !sets.is_empty() {
                answers.entry(question).or_default().insert(model, sets);
            }
        }
    }
    Ok(answers)
}

/// The form of the answers in a folder below a model's; `None` if it holds none.
fn parse_form(name: &str) -> Option<PromptForm> {
    let (form, exemplars) = name.split_once('.').unwrap_or((name, ""));
    match name.starts_with(FEW_SHOT) {
        true => Some(PromptForm::Plain),
        false if exemplars.is_empty() || exemplars.starts_with(FEW_SHOT) => form.parse().ok(),
        false => None,
    }
}

/// A task, a label set and a language.
type NamedAnswers = ((String, LabelSet), Language);

/// `<task>.<labels>.<language>.jsonl`
fn parse_file_name(path: &Path) -> Result<NamedAnswers, CompareError> {
    parse_stem(name_of(path).trim_end_matches(".jsonl")).map_err(|problem| CompareError::FileName {
        path: path.to_owned(),
        problem: format!("{problem}; answers are named `<task>.<labels>.<language>.jsonl`"),
    })
}

/// The parts of a name of answers, or what is wrong with it.
fn parse_stem(stem: &str) -> Result<NamedAnswers, String> {
    let mut parts = stem.rsplitn(3, '.');
    let (Some(language), Some(labels), Some(task)) = (parts.next(), parts.next(), parts.next())
    else {
        return Err("its name does not have three parts".to_owned());
    };
    let language = Language::of_record(language).map_err(|error| error.to_string())?;
    let labels = labels
        .parse()
        .map_err(|error: schema::words::UnknownWord| error.to_string())?;
    Ok(((task.to_owned(), labels), language))
}

/// Reads the files of one model and question and checks every record against its file's name.
fn read_sets(
    model: &str,
    question: &AskedAs,
    files: &[(Language, PathBuf)],
    stop: Stop,
) -> Result<Vec<AnswerSet>, CompareError> {
    let (task, labels, form) = question;
    let paths: Vec<PathBuf> = files.iter().map(|(_, path)| path.clone()).collect();
    let misplaced = |path: &Path, record: &AnswerRecord| {
        let named = files
            .iter()
            .find(|(_, file)| file == path)
            .map(|(language, _)| *language)?;
        if (&record.task, record.labels, record.language) != (task, *labels, named) {
            let of = format!("{}.{}.{}", record.task, record.labels, record.language);
            return Some(format!(
                "the record is of `{of}`, but the file's name says otherwise"
            ));
        }
        if record.prompt != *form {
            return Some(format!(
                "the record is of the form `{}`, but the file's folder is for `{form}`",
                record.prompt
            ));
        }
        match &record.adapter {
            Some(adapter) if model == BASE => Some(format!(
                "the record in `answers/base` has the adapter `{adapter}`"
            )),
            None if model != BASE => {
                Some(format!("the record in `answers/{model}` has no adapter"))
            }
            _ => None,
        }
    };
    AnswerSet::read(&paths, None, misplaced, stop)
}

fn read_train_logs(
    run: &RunFolder,
    stale: &BTreeSet<PathBuf>,
) -> Result<BTreeMap<String, Vec<TrainRecord>>, CompareError> {
    let folder = run.root().join("train");
    let mut logs = BTreeMap::new();
    for path in list_jsonl(&folder, stale)? {
        let Some(adapter) = RunFolder::adapter_of_log(&path) else {
            continue;
        };
        let mut records: Vec<TrainRecord> = Vec::new();
        each_record(&path, |_, record| {
            check_training(&record)?;
            records.push(record);
            Ok(())
        })?;
        if !records.is_empty() {
            logs.insert(adapter.to_owned(), records);
        }
    }
    Ok(logs)
}

/// Points of trainings, by adapter; of one language and update there is one.
fn read_probes(
    run: &RunFolder,
    stale: &BTreeSet<PathBuf>,
) -> Result<BTreeMap<String, Vec<ProbeRecord>>, CompareError> {
    let folder = run.root().join("train");
    let mut probes = BTreeMap::new();
    for path in list_jsonl(&folder, stale)? {
        let name = name_of(&path);
        let Some(adapter) = name.strip_suffix(RunFolder::PROBES_ENDING) else {
            continue;
        };
        let mut seen = BTreeSet::new();
        let mut records: Vec<ProbeRecord> = Vec::new();
        each_record(&path, |_, record: ProbeRecord| {
            check_probe(&record)?;
            if !seen.insert((record.update, record.language)) {
                return Err(format!(
                    "update {} has two points of `{}`",
                    record.update, record.language
                ));
            }
            records.push(record);
            Ok(())
        })?;
        probes.insert(adapter.to_owned(), records);
    }
    Ok(probes)
}

/// What cannot be measured on the way.
fn check_probe(record: &ProbeRecord) -> Result<(), String> {
    let scores = record.answers.iter().flat_map(|answer| &answer.scores);
    let scores: Vec<(&str, f64)> = scores.map(|(_, &score)| ("score", score)).collect();
    check_within(0.0, 1e300, &scores)?;
    let loss = record.translation.map(|loss| ("translation", loss.mean));
    check_within(0.0, 1e6, loss.as_slice())?;
    let cka = record
        .alignment
        .map(|alignment| ("alignment", alignment.cka));
    check_within(-1e6, 1e6, cka.as_slice())
}

/// What cannot be of a training.
fn check_training(record: &TrainRecord) -> Result<(), String> {
    const MOST: f64 = 1e15; // of tokens and seconds: their sums stay numbers
    match record {
        TrainRecord::Validation(one) => check_within(0.0, 1e6, &[("loss", one.loss)]),
        TrainRecord::Step(step) => {
            check_within(0.0, 1e6, &[("loss", step.loss)])?;
            let numbers = [
                ("learning_rate", step.learning_rate),
                ("tokens", step.tokens as f64),
                ("target_tokens", step.target_tokens as f64),
                ("step", step.step as f64),
                ("seconds", step.seconds),
            ];
            check_within(0.0, MOST, &numbers)
        }
    }
}
