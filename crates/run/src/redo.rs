//! Finished stages that another recipe, model or device would make again: they are named and kept, unless the user says
//! otherwise. Never here: files that are missing or changed, whose stages are made again as they were.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use schema::listing::in_a_line;
use serde_json::Value;

use crate::{
    RunError,
    error::Result,
    experiment::Experiment,
    facts::program,
    manifest::{Manifest, Recorded, hash},
    stages::Stage,
};

/// Stages and changes named in a message.
const LISTED: usize = 6;

/// What would be made again, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Outdated {
    /// Names of finished stages.
    pub stages: Vec<String>,
    /// `eval.limit: 4 -> 6`; empty where no key differs.
    pub changes: Vec<String>,
}

impl Outdated {
    /// Of the stages that are wanted; `None` where nothing finished is lost.
    pub(crate) fn find(
        experiment: &Experiment,
        wanted: &[&Stage],
        recorded: &Recorded,
        manifest: &Manifest,
    ) -> Option<Self> {
        let mut outdated = BTreeSet::new();
        let mut stages = Vec::new();
        for stage in wanted {
            let name = stage.name();
            let is_about_outdated = stage
                .maker_of_its_adapter()
                .is_some_and(|maker| outdated.contains(&maker.name()));
            let has_other_inputs = || {
                let inputs = stage.inputs(experiment).ok();
                let before = manifest.stages.get(&name);
                inputs
                    .zip(before)
                    .is_some_and(|(now, before)| hash(&now) != before.inputs)
            };
            let is_finished = manifest.stages.contains_key(&name);
            // An audit and the texts of the questions are of the data as they are, and nobody's
            // work of hours.
            let is_lasting = !matches!(stage, Stage::Audit | Stage::Questions(_) | Stage::Report);
            if is_lasting
                && !manifest.current.contains(&name)
                && (is_about_outdated || has_other_inputs())
            {
                outdated.insert(name.clone());
                if is_finished && !manifest.redo.contains(&name) {
                    stages.push(name);
                }
            }
        }
        (!stages.is_empty()).then(|| Self {
            stages,
            changes: find_changes(experiment, recorded.text()),
        })
    }

    /// Why nothing is done, and the two ways on.
    pub(crate) fn refusal(&self, folder: &Path) -> RunError {
        RunError::Unfit(format!(
            "{}; make them again with --redo, or keep them and work in another folder, with --new (of a grid: with --out)",
            self.describe(folder)
        ))
    }

    /// `3 finished stages of runs/x would be made again: ...; changed: ...`
    pub fn describe(&self, folder: &Path) -> String {
        let changes = match self.changes.as_slice() {
            [] => format!(
                "no key, model or device is another than when this folder was last worked in, so it was before, or the data, \
                 or what {} computes, has changed",
                program()
            ),
            changes => format!("changed: {}", in_a_line(changes, LISTED)),
        };
        let (count, noun) = match self.stages.len() {
            1 => (1, "stage"),
            several => (several, "stages"),
        };
        format!(
            "{count} finished {noun} of {} would be made again: {}; {changes}",
            folder.display(),
            in_a_line(&self.stages, LISTED)
        )
    }
}

/// What differs between the manifest's recipe, model and device and those of now.
fn find_changes(experiment: &Experiment, recorded: &Value) -> Vec<String> {
    let mut changes = Vec::new();
    let recipe = serde_json::to_value(&experiment.recipe).unwrap_or_default();
    compare("", &recorded["recipe"], &recipe, &mut changes);
    let model = &experiment.model;
    if recorded["model"]["fingerprint"] != model.fingerprint {
        let before = recorded["model"]["name"].as_str().unwrap_or("unknown");
        changes.push(match before == model.name {
            true => format!("the files of the model {before}"),
            false => format!("the model: {before} -> {}", model.name),
        });
    }
    let device = &recorded["machine"]["device"];
    if *device != experiment.machine.device {
        let before = device.as_str().unwrap_or("unknown");
        changes.push(format!(
            "the device: {before} -> {}",
            experiment.machine.device
        ));
    }
    changes
}

/// Keys with other values. Names and titles decide nothing, and overrides are in the keys.
fn compare(key: &str, before: &Value, now: &Value, changes: &mut Vec<String>) {
    if before == now || ["name", "title", "overrides"].contains(&key) {
        return;
    }
    if let (Value::Object(old), Value::Object(new)) = (before, now) {
        let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in keys {
            let path = match key {
                "" => name.clone(),
                above => format!("{above}.{name}"),
            };
            compare(&path, &before[name], &now[name], changes);
        }
        return;
    }
    changes.push(format!("{key}: {} -> {}", show(before), show(now)));
}

fn show(value: &Value) -> String {
    match value {
        Value::Null => "unset".to_owned(),
        Value::Object(_) => "a table".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// `folder` if nothing is in it, or else the first free one of `folder-2`, `folder-3` and so on.
///
/// # Errors
/// A folder cannot be listed.
pub(crate) fn fresh_folder(folder: &Path) -> Result<PathBuf> {
    let mut number = 1;
    let mut candidate = folder.to_owned();
    loop {
        let is_free = match fs::read_dir(&candidate) {
            Ok(mut entries) => entries.next().is_none(),
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => true,
            Err(problem) => return Err(problem.into()),
        };
        if is_free {
            return Ok(candidate);
        }
        number += 1;
        let mut name = folder.as_os_str().to_owned();
        name.push(format!("-{number}"));
        candidate = PathBuf::from(name);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn changes_are_named_by_key() {
        let before =
            json!({"name": "a", "eval": {"limit": 4, "tasks": ["snli"]}, "train": {"seed": 1}});
        let now = json!({"name": "b", "eval": {"limit": null, "tasks": ["snli", "paws"]}, "train": {"seed": 1}});
        let mut changes = Vec::new();
        compare("", &before, &now, &mut changes);
        assert_eq!(
            changes,
            [
                "eval.limit: 4 -> unset",
                "eval.tasks: [\"snli\"] -> [\"snli\",\"paws\"]"
            ]
        );
    }

    #[test]
    fn a_fresh_folder_holds_nothing() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().join("x");
        assert_eq!(fresh_folder(&folder).expect("lists"), folder);
        fs::create_dir(&folder).expect("creates");
        assert_eq!(fresh_folder(&folder).expect("lists"), folder);
        fs::write(folder.join("a"), "").expect("writes");
        fs::create_dir(root.path().join("x-2")).expect("creates");
        fs::write(root.path().join("x-2/a"), "").expect("writes");
        assert_eq!(
            fresh_folder(&folder).expect("lists"),
            root.path().join("x-3")
        );
    }
}
