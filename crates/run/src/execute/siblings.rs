//! Run folders beside this one, of recipes that have much in common: a stage that one of them has
//! made from the same inputs is taken over, and no two make one at once.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use schema::{disk::Draft, run_folder::RunFolder};

use super::Execution;
use crate::{
    error::{At, Result},
    experiment::Siblings,
    locks::FileLock,
    manifest::{Recorded, StageRecord},
    stages::Stage,
};

impl Siblings {
    /// The right to make a stage from these inputs; `None` while another process is making it.
    pub(crate) fn try_lock(&self, inputs: &str) -> Result<Option<FileLock>> {
        FileLock::try_new(&self.locks.join(format!("inputs.{inputs}")))
    }

    /// Puts the files of a stage that a sibling has made from these inputs into `folder`; `None`
    /// where none has.
    pub(crate) fn take(
        &self,
        folder: &RunFolder,
        name: &str,
        inputs: &str,
    ) -> Result<Option<StageRecord>> {
        for sibling in self.folders.iter().map(RunFolder::new) {
            if sibling.root() == folder.root() || !sibling.manifest().is_file() {
                continue;
            }
            let found = Recorded::read(&sibling)?.into_stages().remove(name);
            let Some(mut stage) = found.filter(|stage| stage.inputs == inputs) else {
                continue;
            };
            if !stage.changed_outputs(&sibling)?.is_empty() {
                continue;
            }
            for file in stage.outputs.keys() {
                copy(&sibling.root().join(file), &folder.root().join(file))?;
            }
            if stage.changed_outputs(folder)?.is_empty() {
                let from = sibling.root().file_name().unwrap_or_default();
                let from = from.to_string_lossy().into_owned();
                stage.notes.insert("taken_from".to_owned(), from.into());
                return Ok(Some(stage));
            }
        }
        Ok(None)
    }
}

/// The right to make a stage, held while it lives.
pub(super) struct Right {
    _lock: Option<FileLock>,
}

impl Execution<'_> {
    /// The right to make a stage from these inputs; `None` while a sibling makes it.
    pub(super) fn try_right(&self, stage: &Stage, inputs: &str) -> Result<Option<Right>> {
        let Some(siblings) = self.siblings.filter(|_| !matches!(stage, Stage::Report)) else {
            return Ok(Some(Right { _lock: None }));
        };
        let lock = siblings.try_lock(inputs)?;
        Ok(lock.map(|lock| Right { _lock: Some(lock) }))
    }

    /// Takes a stage over from a sibling that has made it; whether one has.
    pub(super) fn take_over(&mut self, stage: &Stage, inputs: &str) -> Result<bool> {
        let Some(siblings) = self.siblings.filter(|_| !matches!(stage, Stage::Report)) else {
            return Ok(false);
        };
        let (folder, name) = (&self.experiment.folder, stage.name());
        let Some(mut taken) = siblings.take(folder, &name, inputs)? else {
            return Ok(false);
        };
        let files: Vec<PathBuf> = std::mem::take(&mut taken.outputs)
            .into_keys()
            .map(|file| folder.root().join(file))
            .collect();
        self.manifest.finish(folder, &name, taken, &files)?;
        Ok(true)
    }
}

/// A whole copy, or none.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut source = File::open(from).at_path("read", from)?;
    let mut draft = Draft::create_in(to.parent().unwrap_or(to))?;
    io::copy(&mut source, &mut draft)
        .at(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(draft.finish(to)?)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs};

    use super::*;

    fn write(folder: &RunFolder, inputs: &str, content: &str) {
        let file = folder.root().join("answers/base/a.jsonl");
        fs::create_dir_all(file.parent().expect("a folder")).expect("creates");
        fs::write(&file, content).expect("writes");
        let stage = StageRecord {
            inputs: inputs.to_owned(),
            outputs: BTreeMap::from([(
                "answers/base/a.jsonl".to_owned(),
                hub::hash_file(&file).expect("hashes"),
            )]),
            seconds: 2.0,
            notes: BTreeMap::new(),
        };
        let stages = serde_json::json!({"stages": {"eval.base": stage}});
        fs::write(folder.manifest(), stages.to_string()).expect("writes");
    }

    // Promise: only what was made from the same inputs, and is as it was written, is taken over.
    #[test]
    fn a_stage_is_taken_from_a_sibling_that_made_it() {
        let root = tempfile::tempdir().expect("a folder");
        let folders: Vec<PathBuf> = ["a", "b", "c", "own"]
            .map(|name| root.path().join(name))
            .to_vec();
        let own = RunFolder::new(&folders[3]);
        write(&RunFolder::new(&folders[0]), "1", "other inputs");
        write(&RunFolder::new(&folders[1]), "2", "damaged");
        fs::write(folders[1].join("answers/base/a.jsonl"), "changed").expect("writes");
        let siblings = Siblings {
            folders: folders.clone(),
            locks: root.path().join(".locks"),
        };
        assert_eq!(siblings.take(&own, "eval.base", "2").expect("looks"), None);
        write(&RunFolder::new(&folders[2]), "2", "answers");
        let taken = siblings
            .take(&own, "eval.base", "2")
            .expect("takes")
            .expect("a stage");
        assert_eq!(
            (taken.seconds, &taken.notes["taken_from"]),
            (2.0, &"c".into())
        );
        let content = fs::read_to_string(folders[3].join("answers/base/a.jsonl"));
        assert_eq!(content.expect("reads"), "answers");
        assert_eq!(
            siblings.take(&own, "eval.adapter", "2").expect("looks"),
            None
        );
    }
}
