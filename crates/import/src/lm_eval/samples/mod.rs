//! lm-eval's samples as our records, so that its runs can be compared with ours. Never here:
//! generated text; a task with it has no label whose probability could be compared.

mod labels;
mod line;
mod run;

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

use data::{DataError, items, testset::file_name};
use schema::{AnswerRecord, Language, PromptForm, Scoring, disk::DiskError, scores::choose};

use self::{labels::Naming, line::LoggedSample, run::RunFacts};
use super::naming::{split_language, split_samples};

/// Records of one model's samples.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    /// Each with the file and the line, from 1, that it was read from.
    pub records: Vec<(PathBuf, usize, AnswerRecord)>,
    /// What was assumed or left out, in sentences.
    pub notes: Vec<String>,
}

/// Whether `path` is lm-eval's: a folder, a file named as its results or samples, or one whose
/// first line is a sample.
///
/// # Errors
/// The file cannot be read.
pub fn is_lm_eval(path: &Path) -> Result<bool, DataError> {
    let name = file_name(path);
    if path.is_dir() || split_samples(&name).is_some() || is_results(&name) {
        return Ok(true);
    }
    let first = first_line(path).map_err(DiskError::at("read", path))?;
    let value: Option<serde_json::Value> = serde_json::from_slice(&first).unwrap_or_default();
    Ok(value.is_some_and(|value| value.get("doc_id").is_some() && value.get("resps").is_some()))
}

/// Reads a file of samples; or of an output folder, or of a file of results, the newest samples
/// of every task, or only of `task`, a task's name without its language.
///
/// # Errors
/// No samples; a broken line, one that lacks a key, or one whose answers cannot be compared
/// with those before it (file, line).
pub fn read(path: &Path, task: Option<&str>) -> Result<Samples, DataError> {
    let mut samples = Samples::default();
    for file in list(path, &mut samples.notes)? {
        read_file(&file, task, &mut samples)?;
    }
    Ok(samples)
}

/// The first line of a file that is not blank.
fn first_line(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut reader = BufReader::new(fs::File::open(path)?);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 && line.trim_ascii().is_empty() {
        line.clear();
    }
    Ok(line)
}

fn is_results(name: &str) -> bool {
    name.starts_with("results_") && name.ends_with(".json")
}

/// The files of samples that `path` means.
fn list(path: &Path, notes: &mut Vec<String>) -> Result<Vec<PathBuf>, DataError> {
    let name = file_name(path);
    if path.is_dir() {
        return list_newest(&find_folder(path)?, notes);
    }
    let Some(date) = name
        .strip_prefix("results_")
        .and_then(|rest| rest.strip_suffix(".json"))
    else {
        return Ok(vec![path.to_owned()]);
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut found = samples_in(folder)?;
    found.retain(|(_, of, _)| of == date);
    if found.is_empty() {
        let problem = format!("no samples of {date} beside {name}; run lm_eval with --log_samples");
        return Err(DataError::folder(folder, problem));
    }
    Ok(found.into_iter().map(|(.., file)| file).collect())
}

/// Task, date and path of every file of samples in a folder, by name.
fn samples_in(folder: &Path) -> Result<Vec<(String, String, PathBuf)>, DataError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(DiskError::at("read", folder))? {
        let path = entry.map_err(DiskError::at("read", folder))?.path();
        if let Some((task, date)) = split_samples(&file_name(&path)) {
            found.push((task.to_owned(), date.to_owned(), path.clone()));
        }
    }
    found.sort();
    Ok(found)
}

/// The folder itself, or the only one in it, that holds samples.
fn find_folder(folder: &Path) -> Result<PathBuf, DataError> {
    if !samples_in(folder)?.is_empty() {
        return Ok(folder.to_owned());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(DiskError::at("read", folder))? {
        let path = entry.map_err(DiskError::at("read", folder))?.path();
        if path.is_dir() && !samples_in(&path)?.is_empty() {
            found.push(path);
        }
    }
    found.sort();
    let problem = match found.len() {
        1 => return Ok(found.remove(0)),
        0 => {
            "no samples_<task>_<date>.jsonl of lm-eval; run it with --output_path and --log_samples"
                .to_owned()
        }
        _ => {
            let names: Vec<_> = found.iter().map(|path| file_name(path)).collect();
            format!(
                "samples of several models: {}; name one of these folders",
                names.join(", ")
            )
        }
    };
    Err(DataError::folder(folder, problem))
}

/// The newest samples of each task.
fn list_newest(folder: &Path, notes: &mut Vec<String>) -> Result<Vec<PathBuf>, DataError> {
    let mut newest: BTreeMap<String, PathBuf> = BTreeMap::new();
    for (task, _, path) in samples_in(folder)? {
        if let Some(older) = newest.insert(task, path) {
            notes.push(format!(
                "{}: older than another file of its task, not read",
                older.display()
            ));
        }
    }
    Ok(newest.into_values().collect())
}

/// The task of a file of samples, which may be one that cannot be compared: as its first row or
/// its own name has it.
fn name_of_task(path: &Path, text: &str) -> String {
    let row: serde_json::Value = text
        .lines()
        .next()
        .map(serde_json::from_str)
        .and_then(Result::ok)
        .unwrap_or_default();
    let doc = &row["doc"];
    let name = file_name(path);
    let full_name = split_samples(&name).map_or(name.as_str(), |(task, _)| task);
    match doc["task"].as_str().filter(|_| !doc["label_set"].is_null()) {
        Some(task) => task.to_owned(),
        None => split_language(full_name)
            .map_or(full_name, |(task, _)| task)
            .to_owned(),
    }
}

/// What all records of a file have in common.
struct Common {
    run: RunFacts,
    task: String,
    language: Language,
    scoring: Scoring,
    few_shot: String,
}

fn read_file(path: &Path, wanted: Option<&str>, samples: &mut Samples) -> Result<(), DataError> {
    let text = items::read_text(path)?;
    if wanted.is_some_and(|wanted| name_of_task(path, &text) != wanted) {
        return Ok(());
    }
    let mut lines = Vec::new();
    for (index, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        lines.push(LoggedSample::parse(path, index + 1, line)?);
    }
    let Some(first) = lines.first() else {
        let problem = "no sample in it; evaluate again".to_owned();
        return Err(DataError::syntax(path, 1, problem));
    };
    // One sample is logged for each filter; their responses are the same where nothing is
    // generated.
    let filter = first.filter.clone();
    lines.retain(|line| line.filter == filter);
    let common = Common::of(path, &lines[0], &mut samples.notes)?;
    let naming = Naming::of(path, &lines, &common.task, common.language)?;
    for line in &lines {
        let record = common
            .record(line, &naming)
            .map_err(|problem| line.refuse(path, problem))?;
        samples.records.push((path.to_owned(), line.number, record));
    }
    Ok(())
}

impl Common {
    fn of(path: &Path, first: &LoggedSample, notes: &mut Vec<String>) -> Result<Self, DataError> {
        let name = file_name(path);
        let (full_name, date) =
            split_samples(&name).unwrap_or((name.trim_end_matches(".jsonl"), ""));
        let run = RunFacts::beside(path, date, full_name, notes)?;
        let scoring = run.scoring.unwrap_or(Scoring::Sequence);
        let shots = format!("lm-eval:{}", run.shots.as_deref().unwrap_or("unknown"));
        if let Some(own) = &first.own {
            let (task, few_shot) = (own.task.clone(), own.few_shot.clone());
            return Ok(Self {
                run,
                task,
                language: own.language,
                scoring,
                few_shot,
            });
        }
        let said = first
            .doc
            .get("language")
            .and_then(|code| code.as_str()?.parse().ok());
        let split = split_language(full_name);
        let language = split.map(|(_, language)| language).or(said);
        if language.is_none() {
            notes.push(format!(
                "{}: neither its name nor its rows give a language; taken as English",
                path.display()
            ));
        }
        let task = split.map_or(full_name, |(task, _)| task).to_owned();
        Ok(Self {
            run,
            task,
            language: language.unwrap_or(Language::En),
            scoring,
            few_shot: shots,
        })
    }

    fn record(&self, line: &LoggedSample, naming: &Naming) -> Result<AnswerRecord, String> {
        let names = naming.names(line)?;
        let scores = line.scores(self.scoring)?;
        let (chosen, tied) = choose(&line.log_probs);
        let own = line.own.as_ref();
        let right = line.right(&names)?;
        let correct = right.counts && names[chosen] == right.name;
        line.check_accuracy(correct, &names[chosen], &right.name)?;
        let by_name = |values: &[f64]| names.iter().cloned().zip(values.iter().copied()).collect();
        let exact = self.scoring == Scoring::Sequence;
        Ok(AnswerRecord {
            model: self.run.model.clone(),
            adapter: self.run.adapter.clone(),
            task: self.task.clone(),
            language: own.map_or(self.language, |own| own.language),
            item: own
                .map(|own| own.item)
                .or(line.item())
                .unwrap_or(line.doc_id),
            group: own.and_then(|own| own.group),
            gold: right.name,
            chosen: names[chosen].clone(),
            correct,
            scores: by_name(&scores),
            prior: BTreeMap::new(),
            prefix_scores: BTreeMap::new(),
            log_probs: if exact {
                by_name(&line.log_probs)
            } else {
                BTreeMap::new()
            },
            label_tokens: BTreeMap::new(),
            label_bytes: BTreeMap::new(),
            label_characters: BTreeMap::new(),
            prior_log_probs: BTreeMap::new(),
            domain_log_probs: BTreeMap::new(),
            said: None,
            tied,
            scoring: self.scoring,
            labels: own.map_or(naming.label_set, |own| own.label_set),
            protocol: own.and_then(|own| own.protocol),
            few_shot: own.map_or_else(|| self.few_shot.clone(), |own| own.few_shot.clone()),
            // lm-eval's samples hold the text alone, however it was made.
            prompt: PromptForm::Plain,
            prompt_tokens: 0,
            prompt_hash: None,
            caveats: Vec::new(),
        })
    }
}
