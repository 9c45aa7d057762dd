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

fn sample(answered: &LanguageAnswers<'_>, record: &AnswerRecord) -> Result<SampleLine, DataError> {
    let fail = |problem: String| DataError::Unusable {
        what: format!(
            "answer to item {} of {} in {}",
            record.item, record.task, record.language
        ),
        problem,
    };
    let Some((doc_id, doc)) = answered
        .docs
        .iter()
        .enumerate()
        .find(|(_, doc)| doc.item == record.item)
    else {
        return Err(fail(
            "the data has no such question; give the data that was asked".to_owned(),
        ));
    };
    let mut responses = Vec::with_capacity(doc.labels.len());
    for label in &doc.labels {
        let log = log_score(record, label);
        let log =
            log.ok_or_else(|| fail(format!("it has no ln p of `{label}`; evaluate again")))?;
        responses.push([format!("{log:?}"), UNKNOWN.to_owned()]);
    }
    let argument = |(at, choice): (usize, &String)| {
        (
            format!("gen_args_{at}"),
            json!({ "arg_0": doc.prompt, "arg_1": choice }),
        )
    };
    let target = doc.gold.to_string();
    let row = doc.to_json();
    Ok(SampleLine {
        doc_id,
        arguments: doc.choices.iter().enumerate().map(argument).collect(),
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
        let (right, items) = (
            records.iter().filter(|record| record.correct).count(),
            records.len(),
        );
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

fn render(
    run: &HarnessRun,
    answered: &[LanguageAnswers<'_>],
    hashes: Map<String, Value>,
) -> Result<Value, DataError> {
    let mut groups: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let [
        mut results,
        mut configs,
        mut versions,
        mut shots,
        mut better,
        mut samples,
    ] = [(); 6].map(|()| Map::new());
    let mut measured = BTreeMap::new();
    for one in answered {
        let name = name_task(&one.group, one.language);
        let metrics = Metrics::of(&one.records);
        results.insert(name.clone(), metrics.to_json(&name).into());
        configs.insert(name.clone(), config(&name, one));
        versions.insert(name.clone(), json!(1.0));
        if let Some(count) = count_shots(one)? {
            shots.insert(name.clone(), count.into());
            shots.insert(one.group.clone(), count.into());
        }
        better.insert(name.clone(), json!({ "acc": true }));
        samples.insert(
            name.clone(),
            json!({ "original": one.docs.len(), "effective": one.records.len() }),
        );
        groups.entry(&one.group).or_default().push(name.clone());
        measured.insert(name, metrics);
    }
    let mut pooled = Map::new();
    for (group, names) in &groups {
        let tasks: Vec<&Metrics> = names.iter().filter_map(|name| measured.get(name)).collect();
        let metrics = Metrics::pooled(&tasks);
        let mut map = metrics.to_json(group);
        map.insert(
            "sample_count".to_owned(),
            json!({ "acc,none": metrics.items }),
        );
        results.insert((*group).to_owned(), map.clone().into());
        pooled.insert((*group).to_owned(), map.into());
        versions.insert((*group).to_owned(), "1.0".into());
        better.insert((*group).to_owned(), json!({ "acc": true }));
    }
    let name = run.adapter.as_ref().unwrap_or(&run.model);
    Ok(json!({
        "results": results,
        "groups": pooled,
        "group_subtasks": groups,
        "configs": configs,
        "versions": versions,
        "n-shot": shots,
        "higher_is_better": better,
        "n-samples": samples,
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
