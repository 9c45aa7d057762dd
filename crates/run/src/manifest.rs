//! `manifest.json`: what a run was made from, and which stages are done with which inputs. A
//! stage whose inputs' hash and outputs are still there is skipped; any other is made again.
//! Several processes may write it, one at a time, and each keeps what the others wrote.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use schema::{Recipe, run_folder::RunFolder, write_whole};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    error::{At, Result},
    experiment::Experiment,
    facts::{MachineFacts, MakingFacts, ModelFacts, program},
    locks::ManifestLock,
    machine,
};

/// A finished stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StageRecord {
    /// Hash of everything that its outputs depend on.
    pub inputs: String,
    /// Files it wrote, relative to the run folder, with their hashes.
    pub outputs: BTreeMap<String, String>,
    /// Wall-clock time it took.
    pub seconds: f64,
    /// Counts and messages worth keeping.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notes: BTreeMap<String, Value>,
}

impl StageRecord {
    /// The files that are missing or not as they were written, each with what is wrong.
    pub(crate) fn changed_outputs(&self, folder: &RunFolder) -> Result<Vec<String>> {
        let mut changed = Vec::new();
        for (file, hash) in &self.outputs {
            let path = folder.root().join(file);
            if !path.is_file() {
                changed.push(format!("{file} is missing"));
            } else if hub::hash_file(&path)? != *hash {
                changed.push(format!("{file} is not as it was written"));
            }
        }
        Ok(changed)
    }
}

/// What an unfinished stage took before it was interrupted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SpentTime {
    /// Hash of the inputs that it is resumed with.
    pub inputs: String,
    /// Wall-clock time of all its parts.
    pub seconds: f64,
}

/// The file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// Name and version.
    pub program: String,
    /// As resolved.
    pub recipe: Recipe,
    /// The model.
    pub model: ModelFacts,
    /// The machine.
    pub machine: MachineFacts,
    /// When and by which command.
    #[serde(default)]
    pub made: MakingFacts,
    /// Finished stages, those of earlier recipes too.
    pub stages: BTreeMap<String, StageRecord>,
    /// The stages that are done with what this recipe asks for. The report reads no output of
    /// another one.
    #[serde(default)]
    pub current: BTreeSet<String>,
    /// The stages that are to be done, the report apart.
    #[serde(default)]
    pub planned: BTreeSet<String>,
    /// Finished stages that the user wants made again with other inputs, and that are not yet.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub redo: BTreeSet<String>,
    /// Stages that were interrupted, until they are finished.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub spent: BTreeMap<String, SpentTime>,
}

/// The manifest found in a run folder, which may belong to another recipe.
#[derive(Default)]
pub(crate) struct Recorded {
    /// The whole file; null if there is none.
    text: Value,
    stages: BTreeMap<String, StageRecord>,
    made: MakingFacts,
    spent: BTreeMap<String, SpentTime>,
}

impl Recorded {
    /// Reads the file, if there is one.
    pub(crate) fn read(folder: &RunFolder) -> Result<Self> {
        let file = folder.manifest();
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(problem) if problem.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(problem) => return Err(problem).at_path("read", &file),
        };
        let text: Value = serde_json::from_str(&text).at(|| {
            format!(
                "{} is damaged; delete it to make all stages again",
                file.display()
            )
        })?;
        let stages = serde_json::from_value(text["stages"].clone()).at(|| {
            format!(
                "{} has no readable stages; delete it to make them again",
                file.display()
            )
        })?;
        let made = read_part(&text, "made", &file)?;
        let spent = read_part(&text, "spent", &file)?;
        Ok(Self {
            text,
            stages,
            made,
            spent,
        })
    }

    /// Whether it is of the same recipe, model and device.
    pub(crate) fn is_of(&self, experiment: &Experiment) -> Result<bool> {
        let own = serde_json::to_value(&experiment.recipe)?;
        Ok(self.text["recipe"] == own
            && self.text["model"]["fingerprint"] == experiment.model.fingerprint
            && self.text["machine"]["device"] == experiment.machine.device)
    }

    /// The whole file; null if there is none.
    pub(crate) fn text(&self) -> &Value {
        &self.text
    }

    /// The finished stages.
    pub(crate) fn into_stages(self) -> BTreeMap<String, StageRecord> {
        self.stages
    }

    /// The files of the stages that count, relative to the run folder, with their hashes.
    pub(crate) fn current_outputs(&self) -> Vec<(String, String)> {
        let current = self.current().filter_map(|name| self.stages.get(&name));
        current.flat_map(|stage| stage.outputs.clone()).collect()
    }

    /// The seconds of each stage that counts.
    pub(crate) fn current_seconds(&self) -> BTreeMap<String, f64> {
        let seconds = |name: String| {
            let stage = self.stages.get(&name)?;
            Some((name, stage.seconds))
        };
        self.current().filter_map(seconds).collect()
    }

    /// Whether a stage that was begun with the others is not done.
    pub(crate) fn is_unfinished(&self) -> bool {
        let current: BTreeSet<String> = self.current().collect();
        self.names("planned").any(|name| !current.contains(&name))
    }

    fn current(&self) -> impl Iterator<Item = String> {
        self.names("current")
    }

    /// A list of stages.
    fn names(&self, key: &str) -> impl Iterator<Item = String> {
        let names = self.text[key].as_array().into_iter().flatten();
        names.filter_map(Value::as_str).map(str::to_owned)
    }
}

/// A part that manifests of earlier versions lack.
fn read_part<T: DeserializeOwned + Default>(text: &Value, key: &str, file: &Path) -> Result<T> {
    match &text[key] {
        Value::Null => Ok(T::default()),
        part => serde_json::from_value(part.clone())
            .at(|| format!("{}: `{key}` is damaged; remove it", file.display())),
    }
}

impl Manifest {
    /// The manifest of an experiment, with the stages of earlier runs; which of them are current
    /// is not known yet.
    pub(crate) fn new(experiment: &Experiment, recorded: &Recorded) -> Self {
        Self {
            program: program().to_owned(),
            recipe: experiment.recipe.clone(),
            model: experiment.model.clone(),
            machine: experiment.machine.clone(),
            stages: recorded.stages.clone(),
            current: BTreeSet::new(),
            planned: BTreeSet::new(),
            redo: recorded.names("redo").collect(),
            made: recorded.made.clone(),
            spent: recorded.spent.clone(),
        }
    }

    /// Takes over what other processes have finished since it was read.
    pub(crate) fn merge(&mut self, recorded: Recorded) {
        self.current.extend(recorded.current());
        self.planned.extend(recorded.names("planned"));
        self.stages.extend(recorded.stages);
        if !recorded.text.is_null() {
            (self.made, self.spent) = (recorded.made, recorded.spent);
        }
    }

    /// What earlier parts of a stage with these inputs took, seconds.
    pub(crate) fn spent_on(&self, name: &str, inputs: &str) -> f64 {
        let spent = self.spent.get(name).filter(|spent| spent.inputs == inputs);
        spent.map_or(0.0, |spent| spent.seconds)
    }

    /// Keeps what an interrupted stage took in all, and writes the manifest.
    pub(crate) fn keep_time(
        &mut self,
        folder: &RunFolder,
        name: &str,
        spent: SpentTime,
    ) -> Result<()> {
        let lock = ManifestLock::new(folder)?;
        self.merge(Recorded::read(folder)?);
        self.spent.insert(name.to_owned(), spent);
        self.write(folder, &lock)
    }

    /// Takes over what is known of stages that nobody has looked at, where the recipe is the same.
    pub(crate) fn keep_others(&mut self, recorded: &Recorded, looked_at: &BTreeSet<String>) {
        let is_other = |name: &String| !looked_at.contains(name);
        self.current.extend(recorded.current().filter(is_other));
        self.planned.extend(recorded.names("planned"));
    }

    /// The seconds of each stage that counts.
    pub(crate) fn current_seconds(&self) -> impl Iterator<Item = (&str, f64)> {
        self.current.iter().filter_map(|name| {
            let stage = self.stages.get(name)?;
            Some((name.as_str(), stage.seconds))
        })
    }

    /// Writes it, with the memory peak so far.
    pub(crate) fn write(&mut self, folder: &RunFolder, _: &ManifestLock) -> Result<()> {
        self.machine.peak_memory_bytes = machine::peak_memory();
        let text = serde_json::to_string_pretty(self)?;
        Ok(write_whole(&folder.manifest(), (text + "\n").as_bytes())?)
    }

    /// Merges and writes it.
    pub(crate) fn update(&mut self, folder: &RunFolder) -> Result<()> {
        let lock = ManifestLock::new(folder)?;
        self.merge(Recorded::read(folder)?);
        self.write(folder, &lock)
    }

    /// Whether a stage was done with these inputs and its outputs are as it left them.
    pub(crate) fn is_done(&self, folder: &RunFolder, name: &str, inputs: &str) -> Result<bool> {
        let Some(stage) = self.stages.get(name).filter(|s| s.inputs == inputs) else {
            return Ok(false);
        };
        Ok(stage.changed_outputs(folder)?.is_empty())
    }

    /// Records a stage and writes the manifest.
    pub(crate) fn finish(
        &mut self,
        folder: &RunFolder,
        name: &str,
        mut stage: StageRecord,
        files: &[PathBuf],
    ) -> Result<()> {
        for file in files {
            let relative = file
                .strip_prefix(folder.root())
                .unwrap_or(file)
                .display()
                .to_string();
            stage.outputs.insert(relative, hub::hash_file(file)?);
        }
        let lock = ManifestLock::new(folder)?;
        self.merge(Recorded::read(folder)?);
        self.made.note(stage.seconds, self.stages.is_empty());
        self.spent.remove(name);
        self.stages.insert(name.to_owned(), stage);
        self.current.insert(name.to_owned());
        self.redo.remove(name);
        self.write(folder, &lock)
    }
}

/// SHA-256 of a list of parts, each with its length, so that no two lists run together.
pub(crate) fn hash(parts: &[String]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher
        .finalize()
        .iter()
        .take(16)
        .map(|b| format!("{b:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            program: program().to_owned(),
            recipe: Recipe::parse(
                std::path::Path::new("x.toml"),
                "name = \"x\"\nmodel = \"m\"\n[data]\ndir = \"d\"\n[eval]\ntasks = [\"emotion\"]\n",
                &[],
            )
            .expect("a recipe"),
            model: ModelFacts::default(),
            machine: MachineFacts::default(),
            stages: BTreeMap::new(),
            current: BTreeSet::new(),
            planned: BTreeSet::new(),
            redo: BTreeSet::new(),
            made: MakingFacts::default(),
            spent: BTreeMap::new(),
        }
    }

    fn record(inputs: &str) -> StageRecord {
        StageRecord {
            inputs: inputs.to_owned(),
            outputs: BTreeMap::new(),
            seconds: 0.0,
            notes: BTreeMap::new(),
        }
    }

    // Promise: two processes that finish stages in turn lose no entry of the other's.
    #[test]
    fn entries_of_other_processes_are_kept() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = RunFolder::new(root.path());
        let (mut first, mut second) = (manifest(), manifest());
        for round in 0..3 {
            for (manifest, name) in [(&mut first, "a"), (&mut second, "b")] {
                let name = format!("{name}{round}");
                manifest
                    .finish(&folder, &name, record("1"), &[])
                    .expect("writes");
            }
        }
        let found = Recorded::read(&folder).expect("reads");
        let names: Vec<&String> = found.stages.keys().collect();
        assert_eq!(names, ["a0", "a1", "a2", "b0", "b1", "b2"]);
        assert_eq!(found.current().count(), 6);
    }

    // Promise: the time of an interrupted stage is known to who resumes it with the same inputs, and is
    // gone when it is finished.
    #[test]
    fn time_spent_is_kept_until_the_stage_is_finished() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = RunFolder::new(root.path());
        let spent = SpentTime {
            inputs: "1".to_owned(),
            seconds: 12.5,
        };
        manifest().keep_time(&folder, "a", spent).expect("writes");
        let mut resumed = manifest();
        resumed.merge(Recorded::read(&folder).expect("reads"));
        assert_eq!(resumed.spent_on("a", "1"), 12.5);
        assert_eq!(resumed.spent_on("a", "2"), 0.0, "other inputs begin anew");
        resumed
            .finish(&folder, "a", record("1"), &[])
            .expect("writes");
        let found = Recorded::read(&folder).expect("reads");
        assert!(found.spent.is_empty());
        assert!(found.made.finished.is_some() && found.made.started.is_some());
    }

    // Promise: a stage made again by another process is the one that counts.
    #[test]
    fn the_latest_entry_counts() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = RunFolder::new(root.path());
        let (mut first, mut second) = (manifest(), manifest());
        for (manifest, inputs) in [(&mut first, "1"), (&mut second, "2")] {
            manifest
                .finish(&folder, "a", record(inputs), &[])
                .expect("writes");
        }
        first
            .finish(&folder, "b", record("1"), &[])
            .expect("writes");
        let found = Recorded::read(&folder).expect("reads");
        assert_eq!(found.stages["a"], record("2"));
    }
}
