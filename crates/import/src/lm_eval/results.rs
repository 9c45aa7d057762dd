//! Our answers as lm-eval's results and samples, so that what reads those reads them.
//!
//! A response is `[ln p, is_greedy]`, both as texts, as there. ln p is that of the answer's
//! tokens where the scoring is `sequence`, and else ln of the score that chose, so that the
//! highest is always the answer that was chosen. Whether greedy decoding would say an answer is
//! not measured: it is `None`. Never here: what the numbers mean (crate `report`).

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use data::{DataError, tasks};
use schema::{AnswerRecord, FewShot, Language, Scoring, Task, write_json_lines, write_whole};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Doc, export, name_task, sanitize_model};

/// What is said of an answer of which it is not known whether greedy decoding would give it.
const UNKNOWN: &str = "None";

/// The model that answered, and when.
#[derive(Clone, Debug)]
pub struct HarnessRun {
    /// The model as in the records.
    pub model: String,
    /// Its adapter as in the records; lm-eval names a model with one by this.
    pub adapter: Option<String>,
    /// Number format of the weights, as PyTorch names it.
    pub dtype: String,
    /// `cpu`, `cuda`, ...
    pub device: String,
    /// Name and version of the program.
    pub program: String,
    /// Scored items; `None`: all.
    pub limit: Option<usize>,
    /// The time of writing: seconds since 1970, and `2026-01-02T03-04-05.678901` for the files'
    /// names.
    pub date: (f64, String),
    /// Wall-clock seconds of asking; `None` where it is not known.
    pub seconds: Option<f64>,
}

/// The answers of one language.
#[derive(Clone, Debug)]
pub struct LanguageAnswers<'a> {
    /// The task.
    pub task: &'a Task,
    /// Name of the group of its languages.
    pub group: String,
    /// The language.
    pub language: Language,
    /// Every question of the file, answered or not.
    pub docs: Vec<Doc>,
    /// The answers.
    pub records: Vec<AnswerRecord>,
    /// Where the exemplars came from.
    pub few_shot: FewShot,
}

/// A line of a file of samples, in lm-eval's order.
#[derive(Serialize)]
struct SampleLine {
    doc_id: usize,
    doc: Value,
    target: String,
    arguments: Map<String, Value>,
    resps: Vec<[[String; 2]; 1]>,
    filtered_resps: Vec<[String; 2]>,
    filter: &'static str,
    metrics: [&'static str; 1],
    doc_hash: String,
    prompt_hash: String,
    target_hash: String,
    acc: f64,
}

/// Accuracy of a task or a group.
struct Metrics {
    right: usize,
    items: usize,
    /// Standard error of the mean; `None` where one item says nothing of it.
    stderr: Option<f64>,
}

/// Writes `<out>/<model>/samples_<task>_<date>.jsonl` for each language and, last,
/// `results_<date>.json`. Returns the files.
///
/// # Errors
/// A record of an item that is not among the questions, or without what its scoring needs; a
/// file that cannot be written.
pub fn write(
    out: &Path,
    run: &HarnessRun,
    answered: &[LanguageAnswers<'_>],
) -> Result<Vec<PathBuf>, DataError> {
    let folder = out.join(sanitize_model(run.adapter.as_ref().unwrap_or(&run.model)));
    let date = &run.date.1;
    let mut files = Vec::new();
    let mut hashes = Map::new();
    for one in answered {
        let name = name_task(&one.group, one.language);
        let path = folder.join(format!("samples_{name}_{date}.jsonl"));
        let samples = one
            .records
            .iter()
            .map(|record| sample(one, record))
            .collect::<Result<Vec<_>, _>>()?;
        let all = samples
            .iter()
            .flat_map(|s| [&s.doc_hash, &s.prompt_hash, &s.target_hash]);
        hashes.insert(
            name,
            hub::hash_bytes(all.map(String::as_str).collect::<String>().as_bytes()).into(),
        );
        write_json_lines(&path, &samples)?;
        files.push(path);
    }
    let path = folder.join(format!("results_{date}.json"));
    let text = format!("{:#}\n", render(run, answered, hashes)?);
    write_whole(&path, text.as_bytes())?;
    files.push(path);
    Ok(files)
}

fn unanswered(record: &AnswerRecord, problem: impl Into<String>) -> DataError {
    let what = format!(
        "answer to item {} of {} in {}",
        record.item, record.task, record.language
    );
    DataError::unusable(what, problem)
}

fn sample(answered: &LanguageAnswers<'_>, record: &AnswerRecord) -> Result<SampleLine, DataError> {
    let Some((doc_id, doc)) = answered
        .docs
        .iter()
        .enumerate()
        .find(|(_, doc)| doc.item == record.item)
    else {
        return Err(unanswered(
            record,
            "the data has no such question; give the data that was asked",
        ));
    };
    let mut responses = Vec::with_capacity(doc.labels.len());
    for label in &doc.labels {
        let Some(log) = log_score(record, label) else {
            let problem = format!("it has no ln p of `{label}`; evaluate again");
            return Err(unanswered(record, problem));
        };
        responses.push([format!("{log:?}"), UNKNOWN.to_owned()]);
    }
    let mut arguments = Map::new();
    for (at, choice) in doc.choices.iter().enumerate() {
        let pair = json!({ "arg_0": doc.prompt, "arg_1": choice });
        arguments.insert(format!("gen_args_{at}"), pair);
    }
    let target = doc.gold.to_string();
    let row = doc.to_json();
    Ok(SampleLine {
        doc_id,
        arguments,
        resps: responses
            .iter()
            .cloned()
            .map(|response| [response])
            .collect(),
        filtered_resps: responses,
        filter: "none",
        metrics: ["acc"],
        // As lm-eval makes it: of the row's JSON with an indent of two.
        doc_hash: hub::hash_bytes(format!("{row:#}").as_bytes()),
        doc: row,
        prompt_hash: hub::hash_bytes(doc.prompt.as_bytes()),
        target_hash: hub::hash_bytes(target.as_bytes()),
        target,
        acc: if record.correct { 1.0 } else { 0.0 },
    })
}

/// See the head of this file.
fn log_score(record: &AnswerRecord, label: &str) -> Option<f64> {
    match record.scoring {
        Scoring::Sequence => record.log_probs.get(label).copied(),
        _ => record.scores.get(label).map(|score| score.ln()),
    }
}

impl Metrics {
    fn of(records: &[AnswerRecord]) -> Self {
        let right = records.iter().filter(|record| record.correct).count();
        let items = records.len();
        let (n, p) = (items as f64, right as f64 / items as f64);
        // The sample's variance n / (n - 1) * p (1 - p), over n.
        let stderr = (items > 1).then(|| (p * (1.0 - p) / (n - 1.0)).sqrt());
        Self {
            right,
            items,
            stderr,
        }
    }

    /// As lm-eval pools the errors of a group's tasks: by the variances of each, each with its
    /// own mean.
    fn pooled(tasks: &[&Self]) -> Self {
        let items: usize = tasks.iter().map(|task| task.items).sum();
        let squares: Option<Vec<f64>> = tasks
            .iter()
            .map(|task| {
                let n = task.items as f64;
                Some((n - 1.0) * n * task.stderr?.powi(2))
            })
            .collect();
        let stderr = squares.map(|squares| {
            let variance = squares.iter().sum::<f64>() / (items - tasks.len()) as f64;
            (variance / items as f64).sqrt()
        });
        Self {
            right: tasks.iter().map(|task| task.right).sum(),
            items,
            stderr,
        }
    }

    fn to_json(&self, name: &str) -> Map<String, Value> {
        let mut map = Map::new();
        map.insert("name".to_owned(), name.into());
        map.insert("alias".to_owned(), name.into());
        map.insert("sample_len".to_owned(), self.items.into());
        map.insert(
            "acc,none".to_owned(),
            (self.right as f64 / self.items as f64).into(),
        );
        map.insert(
            "acc_stderr,none".to_owned(),
            self.stderr.map_or("N/A".into(), Value::from),
        );
        map
    }
}

/// The parts of a file of results that have an entry per task or group.
#[derive(Default)]
struct TaskEntries {
    results: Map<String, Value>,
    pooled: Map<String, Value>,
    configs: Map<String, Value>,
    versions: Map<String, Value>,
    shots: Map<String, Value>,
    better: Map<String, Value>,
    samples: Map<String, Value>,
}

impl TaskEntries {
    fn add_language(
        &mut self,
        name: &str,
        answered: &LanguageAnswers<'_>,
        metrics: &Metrics,
    ) -> Result<(), DataError> {
        let key = name.to_owned();
        self.results
            .insert(key.clone(), metrics.to_json(name).into());
        self.configs.insert(key.clone(), config(name, answered));
        self.versions.insert(key.clone(), json!(1.0));
        if let Some(count) = count_shots(answered)? {
            self.shots.insert(key.clone(), count.into());
            self.shots.insert(answered.group.clone(), count.into());
        }
        self.better.insert(key.clone(), json!({ "acc": true }));
        let counts =
            json!({ "original": answered.docs.len(), "effective": answered.records.len() });
        self.samples.insert(key, counts);
        Ok(())
    }

    fn add_group(&mut self, group: &str, metrics: &Metrics) {
        let mut map = metrics.to_json(group);
        map.insert(
            "sample_count".to_owned(),
            json!({ "acc,none": metrics.items }),
        );
        let key = group.to_owned();
        self.results.insert(key.clone(), map.clone().into());
        self.pooled.insert(key.clone(), map.into());
        self.versions.insert(key.clone(), "1.0".into());
        self.better.insert(key, json!({ "acc": true }));
    }
}

fn render(
    run: &HarnessRun,
    answered: &[LanguageAnswers<'_>],
    hashes: Map<String, Value>,
) -> Result<Value, DataError> {
    let mut groups: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut entries = TaskEntries::default();
    let mut measured = BTreeMap::new();
    for one in answered {
        let name = name_task(&one.group, one.language);
        let metrics = Metrics::of(&one.records);
        entries.add_language(&name, one, &metrics)?;
        groups.entry(&one.group).or_default().push(name.clone());
        measured.insert(name, metrics);
    }
    for (group, names) in &groups {
        let tasks: Vec<&Metrics> = names.iter().filter_map(|name| measured.get(name)).collect();
        entries.add_group(group, &Metrics::pooled(&tasks));
    }
    let name = run.adapter.as_ref().unwrap_or(&run.model);
    Ok(json!({
        "results": entries.results,
        "groups": entries.pooled,
        "group_subtasks": groups,
        "configs": entries.configs,
        "versions": entries.versions,
        "n-shot": entries.shots,
        "higher_is_better": entries.better,
        "n-samples": entries.samples,
        "config": model_config(run),
        "git_hash": null,
        "date": run.date.0,
        "task_hashes": hashes,
        "model_source": "lingualign",
        "model_name": name,
        "model_name_sanitized": sanitize_model(name),
        "system_instruction": null,
        "system_instruction_sha": null,
        "fewshot_as_multiturn": false,
        "chat_template": null,
        "chat_template_sha": null,
        "total_evaluation_time_seconds": run.seconds.map(|seconds| seconds.to_string()),
        "lingualign_version": run.program,
    }))
}

/// The task's settings as its YAML would have them, and what our records say of it.
fn config(name: &str, answered: &LanguageAnswers<'_>) -> Value {
    let mut config = Map::from_iter([("task".to_owned(), Value::from(name))]);
    for (key, value) in export::settings() {
        config.insert(
            key.to_owned(),
            if key == "num_fewshot" {
                0.into()
            } else {
                value.into()
            },
        );
    }
    config.insert("repeats".to_owned(), 1.into());
    let metric = json!([{ "metric": "acc", "aggregation": "mean", "higher_is_better": true }]);
    config.insert("metric_list".to_owned(), metric);
    let first = answered.records.first();
    let metadata = json!({
        "version": 1.0,
        "task": answered.task.name,
        "language": answered.language,
        "labels": first.map(|record| record.labels),
        "few_shot": answered.few_shot,
        "protocol": first.and_then(|record| record.protocol),
        "scoring": first.map(|record| record.scoring),
    });
    config.insert("metadata".to_owned(), metadata);
    config.into()
}

fn model_config(run: &HarnessRun) -> Value {
    let mut arguments = format!("pretrained={}", run.model);
    if let Some(adapter) = &run.adapter {
        arguments += &format!(",peft={adapter}");
    }
    arguments += &format!(",dtype={}", run.dtype);
    json!({
        "model": "lingualign",
        "model_args": arguments,
        "model_dtype": run.dtype,
        "batch_size": null,
        "batch_sizes": [],
        "device": run.device,
        "use_cache": null,
        "limit": run.limit,
        "bootstrap_iters": 0,
        "gen_kwargs": null,
    })
}

/// Exemplars of each prompt; `None` where a file of text holds them.
fn count_shots(answered: &LanguageAnswers<'_>) -> Result<Option<usize>, DataError> {
    Ok(match answered.few_shot.source() {
        FewShot::Head(count) => Some(*count),
        FewShot::Seed(draw) => Some(draw.count),
        FewShot::Builtin => tasks::exemplars(&answered.task.name)?
            .get(&answered.language)
            .map(Vec::len),
        FewShot::File(_) | FewShot::Varied(..) => None,
    })
}
