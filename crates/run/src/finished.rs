//! A finished run as its manifest tells it, for those who take it elsewhere. Never here: whether its files are still so.

use std::collections::BTreeMap;

use schema::{Recipe, run_folder::RunFolder};

use crate::{
    error::{At, Result, bail},
    manifest::{Manifest, Recorded},
};

/// A run of which every stage is done.
pub struct FinishedRun {
    /// As resolved.
    pub recipe: Recipe,
    /// Hash of the model's files.
    pub model_fingerprint: String,
    /// `cpu`, `cuda`, `metal`.
    pub device: String,
    /// Instruction set of the CPU's products.
    pub instruction_set: String,
    /// By the names of the stages: their files, relative to the run's folder, and their SHA-256.
    pub stages: BTreeMap<String, BTreeMap<String, String>>,
}

impl FinishedRun {
    /// The files of all stages and their SHA-256.
    pub fn outputs(&self) -> impl Iterator<Item = (&String, &String)> {
        self.stages.values().flatten()
    }
}

/// Reads the manifest of a run's folder.
///
/// # Errors
/// There is none, it is damaged, or a stage is not done.
pub fn read_finished(folder: &RunFolder) -> Result<FinishedRun> {
    let recorded = Recorded::read(folder)?;
    let file = folder.manifest();
    if recorded.text().is_null() {
        bail!(
            "{} is no folder of a run: it has no manifest.json",
            folder.root().display()
        );
    }
    if recorded.is_unfinished() {
        bail!(
            "{}: the run is not finished; run its recipe again to complete it",
            folder.root().display()
        );
    }
    let manifest: Manifest = serde_json::from_value(recorded.text().clone())
        .at(|| format!("{} cannot be understood", file.display()))?;
    let current = manifest.current;
    let stages = manifest.stages.into_iter();
    Ok(FinishedRun {
        recipe: manifest.recipe,
        model_fingerprint: manifest.model.fingerprint,
        device: manifest.machine.device,
        instruction_set: manifest.machine.instruction_set,
        stages: stages
            .filter(|(name, _)| current.contains(name))
            .map(|(name, stage)| (name, stage.outputs))
            .collect(),
    })
}
