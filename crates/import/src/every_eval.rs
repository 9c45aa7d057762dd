//! Results as files of Every Eval Ever (arXiv 2606.14516, schema 0.3.0): one file for each model, in the folders of its
//! data store, `data/<collection>/<developer>/<model>/<uuid>.json`. Accuracies and AUC are shares from 0 to 1.
//!
//! Never here: a clock, statistics, single answers (they are in the files of [`crate::lm_eval`]).

use std::path::{Path, PathBuf};

use data::DataError;
use schema::{Language, write_whole};
use serde_json::{Map, Value, json};

use crate::refuse;

/// The version of the schema that is written.
pub const SCHEMA: &str = "0.3.0";

/// One model and what was measured of it.
pub struct EveryEvalLog {
    /// Folder of the results in the data store: the run's name.
    pub collection: String,
    /// Who publishes the results.
    pub organization: String,
    /// `developer/model`, or a name alone.
    pub model_id: String,
    /// The adapter's name; `None` for the base.
    pub adapter: Option<String>,
    /// The program's version.
    pub version: String,
    /// Further facts about model and machine.
    pub facts: Vec<(&'static str, String)>,
    /// Seconds since 1970.
    pub time: i64,
    /// The results.
    pub results: Vec<EveryEvalResult>,
}

/// One number.
pub struct EveryEvalResult {
    /// The task.
    pub task: String,
    /// Where its questions come from.
    pub source: String,
    /// The language; `None`: the mean over `languages`.
    pub language: Option<Language>,
    /// How many languages the number is of.
    pub languages: usize,
    /// `accuracy` or `auroc`.
    pub metric: &'static str,
    /// The number and the ends of its 95 % interval.
    pub value: [f64; 3],
    /// How the interval was computed.
    pub method: &'static str,
    /// Questions.
    pub items: usize,
    /// How they were asked: label set, exemplars, scoring and so on.
    pub asked: Vec<(&'static str, String)>,
}

/// Writes the file of one model below `out`; returns its path. The same results of the same time have the same name.
///
/// # Errors
/// A name that can be no folder; the file cannot be written.
pub fn write(out: &Path, log: &EveryEvalLog) -> Result<PathBuf, DataError> {
    let id = full_id(log);
    let (developer, model) = id
        .split_once('/')
        .ok_or_else(|| refuse("--every-eval", format!("`{id}` names no developer")))?;
    let evaluation = format!("{}/{id}/{}", log.collection, log.time);
    let folder = [&log.collection, developer, &model.replace('/', "_")]
        .into_iter()
        .try_fold(out.join("data"), |folder, part| {
            check_component(part).map(|()| folder.join(part))
        })?;
    let path = folder.join(format!("{}.json", uuid_of(&evaluation)));
    let value = to_json(log, &id, &evaluation)?;
    let text = serde_json::to_string_pretty(&value)
        .map_err(|problem| refuse("--every-eval", problem.to_string()))?;
    write_whole(&path, (text + "\n").as_bytes())?;
    Ok(path)
}

/// A model's name with its developer; with an adapter it is a model of the organisation's own.
fn full_id(log: &EveryEvalLog) -> String {
    let name = log
        .model_id
        .trim_start_matches(['.', '/'])
        .trim_end_matches('/');
    match &log.adapter {
        Some(adapter) => {
            let base = name.rsplit('/').next().unwrap_or(name);
            format!("{}/{base}+{adapter}", log.organization)
        }
        None if name.split('/').count() == 2 && !is_path(&log.model_id) => name.to_owned(),
        None => {
            let last = name.rsplit('/').next().unwrap_or(name);
            format!("{}/{last}", log.organization)
        }
    }
}

/// Whether a model is named by its place on this machine.
fn is_path(model: &str) -> bool {
    model.starts_with(['.', '/', '~']) || model.contains('\\') || model.ends_with(".gguf")
}

/// The data store's folders have names that every system can have.
fn check_component(part: &str) -> Result<(), DataError> {
    let is_odd = |c: char| c.is_control() || "<>:\"/\\|?*".contains(c);
    if part.is_empty() || part == "data" || part.ends_with(['.', ' ']) || part.chars().any(is_odd) {
        return Err(refuse(
            "--every-eval",
            format!("{part:?} can be no folder of the data store; give another name"),
        ));
    }
    Ok(())
}

/// A UUID of version 4 in form, made from a text.
fn uuid_of(text: &str) -> String {
    let hash = hub::hash_bytes(text.as_bytes());
    format!(
        "{}-{}-4{}-a{}-{}",
        &hash[..8],
        &hash[8..12],
        &hash[13..16],
        &hash[17..20],
        &hash[20..32]
    )
}

fn to_json(log: &EveryEvalLog, id: &str, evaluation: &str) -> Result<Value, DataError> {
    let results: Result<Vec<Value>, DataError> = log.results.iter().map(result_to_json).collect();
    let mut details = texts(&log.facts);
    details.insert("deployment_type".to_owned(), "self_deployed".into());
    let availability =
        if log.adapter.is_none() && log.model_id.contains('/') && !is_path(&log.model_id) {
            "open_weights"
        } else {
            "unknown"
        };
    details.insert("model_availability".to_owned(), availability.into());
    if let Some(adapter) = &log.adapter {
        details.insert("adapter".to_owned(), adapter.clone().into());
        details.insert("base_model".to_owned(), log.model_id.clone().into());
    }
    Ok(json!({
        "schema_version": SCHEMA,
        "evaluation_id": evaluation,
        "retrieved_timestamp": log.time.to_string(),
        "source_metadata": {
            "source_name": log.collection,
            "source_type": "evaluation_run",
            "source_organization_name": log.organization,
            "evaluator_relationship": if log.adapter.is_some() { "first_party" } else { "third_party" },
        },
        "eval_library": {"name": "lingualign", "version": log.version},
        "model_info": {
            "name": id,
            "id": id,
            "inference_engine": {"name": "lingualign", "version": log.version},
            "additional_details": details,
        },
        "evaluation_results": results?,
    }))
}

fn result_to_json(result: &EveryEvalResult) -> Result<Value, DataError> {
    let [value, low, high] = result.value;
    if !value.is_finite() {
        return Err(refuse(
            "--every-eval",
            format!("the {} of {} is no number", result.metric, result.task),
        ));
    }
    let place = match result.language {
        Some(language) => language.code().to_owned(),
        None => "mean".to_owned(),
    };
    let mut asked = texts(&result.asked);
    asked.insert("languages".to_owned(), result.languages.to_string().into());
    let labels = asked
        .get("labels")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let prompt = asked
        .get("prompt")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let name = format!("lingualign.{}.{labels}.{prompt}.{place}", result.task);
    let mut uncertainty = json!({"num_samples": result.items});
    if low.is_finite() && high.is_finite() {
        uncertainty["confidence_interval"] =
            json!({"lower": low, "upper": high, "confidence_level": 0.95, "method": result.method});
    }
    Ok(json!({
        "evaluation_result_id": format!("{name}.{}", result.metric),
        "evaluation_name": name,
        "source_data": {
            "dataset_name": result.task,
            "source_type": "other",
            "additional_details": {"source": result.source},
        },
        "metric_config": {
            "metric_id": result.metric,
            "metric_name": result.metric,
            "metric_kind": result.metric,
            "metric_unit": "proportion",
            "lower_is_better": false,
            "score_type": "continuous",
            "min_score": 0.0,
            "max_score": 1.0,
        },
        "score_details": {"score": value, "uncertainty": uncertainty},
        "generation_config": {"additional_details": asked},
    }))
}

fn texts(pairs: &[(&'static str, String)]) -> Map<String, Value> {
    let pairs = pairs.iter().cloned();
    pairs
        .map(|(key, text)| (key.to_owned(), text.into()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(model: &str, adapter: Option<&str>, value: f64) -> EveryEvalLog {
        EveryEvalLog {
            collection: "study".to_owned(),
            organization: "lab".to_owned(),
            model_id: model.to_owned(),
            adapter: adapter.map(str::to_owned),
            version: "0.1.0".to_owned(),
            facts: vec![("device", "cpu".to_owned())],
            time: 1_790_000_000,
            results: vec![EveryEvalResult {
                task: "snli".to_owned(),
                source: "data".to_owned(),
                language: None,
                languages: 2,
                metric: "accuracy",
                value: [value, 0.25, 0.75],
                method: "bootstrap",
                items: 40,
                asked: vec![
                    ("labels", "english".to_owned()),
                    ("prompt", "plain".to_owned()),
                ],
            }],
        }
    }

    #[test]
    fn models_are_filed_by_their_developers_and_adapters_by_their_organisation() {
        let id = |model, adapter| full_id(&log(model, adapter, 0.5));
        assert_eq!(id("Qwen/Qwen1.5-4B", None), "Qwen/Qwen1.5-4B");
        assert_eq!(id("../models/qwen/", None), "lab/qwen");
        assert_eq!(
            id("Qwen/Qwen1.5-4B", Some("a.seed1")),
            "lab/Qwen1.5-4B+a.seed1"
        );
    }

    #[test]
    fn a_file_has_its_numbers_and_one_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = write(folder.path(), &log("Qwen/Q", None, 0.5)).expect("writes");
        let again = write(folder.path(), &log("Qwen/Q", None, 0.5)).expect("writes");
        assert_eq!(path, again);
        let text = std::fs::read_to_string(&path).expect("reads");
        let value: Value = serde_json::from_str(&text).expect("JSON");
        let result = &value["evaluation_results"][0];
        assert_eq!(result["score_details"]["score"], 0.5);
        assert_eq!(
            result["score_details"]["uncertainty"]["confidence_interval"]["upper"],
            0.75
        );
        assert_eq!(
            result["evaluation_name"],
            "lingualign.snli.english.plain.mean"
        );
        assert!(path.starts_with(folder.path().join("data/study/Qwen/Q")));
    }

    #[test]
    fn no_number_and_no_folder_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(write(folder.path(), &log("Qwen/Q", None, f64::NAN)).is_err());
        let mut odd = log("Qwen/Q", None, 0.5);
        odd.collection = "a:b".to_owned();
        assert!(write(folder.path(), &odd).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).expect("lists").count(), 0);
    }
}
