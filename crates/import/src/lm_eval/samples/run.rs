//! The facts that lm-eval's results give about the run whose samples are beside them.

use std::{fs, path::Path};

use data::{DataError, items, testset::file_name};
use schema::{Scoring, disk::DiskError};
use serde_json::Value;

/// The model, and how it was asked.
pub(super) struct RunFacts {
    pub(super) model: String,
    pub(super) adapter: Option<String>,
    /// Where we wrote the results; `None`: lm-eval's own, the likelihood of the answer.
    pub(super) scoring: Option<Scoring>,
    /// Exemplars, as the results have them.
    pub(super) shots: Option<String>,
}

impl RunFacts {
    /// Of the results of `date` in the folder of a file of samples of `task`; without results
    /// the folder names the model.
    pub(super) fn beside(
        samples: &Path,
        date: &str,
        task: &str,
        notes: &mut Vec<String>,
    ) -> Result<Self, DataError> {
        let folder = samples
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let ending = format!("_{date}.json");
        for entry in fs::read_dir(folder).map_err(DiskError::at("read", folder))? {
            let path = entry.map_err(DiskError::at("read", folder))?.path();
            if !date.is_empty() && file_name(&path).ends_with(&ending) {
                return Self::read(&path, task);
            }
        }
        let model = std::path::absolute(folder).map_err(DiskError::at("find", folder))?;
        let model = file_name(&model);
        notes.push(format!(
            "{}: no results beside it; `{model}`, its folder, is taken as the model",
            samples.display()
        ));
        Ok(Self {
            model,
            adapter: None,
            scoring: None,
            shots: None,
        })
    }

    fn read(path: &Path, task: &str) -> Result<Self, DataError> {
        let text = items::read_text(path)?;
        let results: Value = serde_json::from_str(&text).map_err(|e| items::broken(path, &e))?;
        let arguments = &results["config"]["model_args"];
        let model = argument(arguments, "pretrained")
            .or_else(|| argument(arguments, "model"))
            .or_else(|| results["model_name"].as_str());
        let model = model.ok_or_else(|| {
            let problem = "neither `config.model_args` nor `model_name` names a model; give results that lm-eval wrote";
            DataError::syntax(path, 1, problem)
        })?;
        let scoring = &results["configs"][task]["metadata"]["scoring"];
        let scoring = scoring
            .as_str()
            .map(str::parse::<Scoring>)
            .transpose()
            .map_err(|unknown| {
                let problem = format!("configs.{task}.metadata.scoring: {unknown}");
                DataError::syntax(path, 1, problem)
            })?;
        let shots = &results["n-shot"][task];
        let shots = (!shots.is_null()).then(|| shots.to_string());
        Ok(Self {
            model: model.to_owned(),
            adapter: argument(arguments, "peft").map(str::to_owned),
            scoring,
            shots,
        })
    }
}

/// One of the model's arguments, which are a list `key=value,...` or an object.
fn argument<'a>(arguments: &'a Value, key: &str) -> Option<&'a str> {
    match arguments {
        Value::String(list) => list
            .split(',')
            .filter_map(|pair| pair.split_once('='))
            .find(|(name, _)| name.trim() == key)
            .map(|(_, value)| value.trim()),
        other => other[key].as_str(),
    }
}
