//! `manifest.json`: what a run was made from, and which stages are done with which inputs. A
//! stage whose inputs' hash and outputs are still there is skipped; anything else is made
//! again.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use anyhow::{Context, Result};
use schema::{Recipe, run_folder::RunFolder, write_whole};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::machine;

/// A finished stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stage {
    /// Hash of everything that its outputs depend on.
    pub(crate) inputs: String,
    /// Files it wrote, relative to the run folder, with their hashes.
    pub(crate) outputs: BTreeMap<String, String>,
    /// Wall-clock time it took.
    pub(crate) seconds: f64,
    /// Counts and messages worth keeping.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) notes: BTreeMap<String, serde_json::Value>,
}

/// The model behind the numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ModelFacts {
    /// As named in records.
    pub(crate) name: String,
    /// Where it was fetched from.
    pub(crate) revision: Option<String>,
    /// Hash of its files.
    pub(crate) fingerprint: String,
}

/// The machine's part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct MachineFacts {
    /// `cpu`, `cuda`, ...
    pub(crate) device: String,
    /// Instruction set of the CPU's products.
    pub(crate) instruction_set: String,
    /// Worker threads.
    pub(crate) threads: usize,
    /// Largest resident memory of the program so far, bytes; `None` where the system does not
    /// tell.
    pub(crate) peak_memory_bytes: Option<u64>,
}

/// The file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// Name and version.
    pub(crate) program: String,
    /// As resolved.
    pub(crate) recipe: Recipe,
    /// The model.
    pub(crate) model: ModelFacts,
    /// The machine.
    pub(crate) machine: MachineFacts,
    /// Finished stages, those of earlier recipes too.
    pub(crate) stages: BTreeMap<String, Stage>,
    /// The stages that are done with what this recipe asks for. The report reads no output of
    /// another one.
    #[serde(default)]
    pub(crate) current: BTreeSet<String>,
}

impl Manifest {
    /// The manifest of a run folder with this recipe; keeps the stages of an earlier run.
    pub(crate) fn open(folder: &RunFolder, recipe: &Recipe) -> Result<Self> {
        let file = folder.manifest();
        let stages = match std::fs::read_to_string(&file) {
            Ok(text) => {
                let old: serde_json::Value = serde_json::from_str(&text).with_context(|| {
                    format!(
                        "{} is damaged; delete it to make all stages again",
                        file.display()
                    )
                })?;
                serde_json::from_value(old["stages"].clone()).with_context(|| {
                    format!(
                        "{} has no readable stages; delete it to make them again",
                        file.display()
                    )
                })?
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(e) => return Err(e).with_context(|| format!("cannot read {}", file.display())),
        };
        Ok(Self {
            program: program().to_owned(),
            recipe: recipe.clone(),
            model: ModelFacts::default(),
            machine: MachineFacts::default(),
            stages,
            current: BTreeSet::new(),
        })
    }

    /// Writes it, with the memory peak so far.
    pub(crate) fn write(&mut self, folder: &RunFolder) -> Result<()> {
        self.machine.peak_memory_bytes = machine::peak_memory();
        let text = serde_json::to_string_pretty(self)?;
        Ok(write_whole(&folder.manifest(), (text + "\n").as_bytes())?)
    }

    /// Whether a stage was done with these inputs and its outputs are as it left them.
    pub(crate) fn is_done(&self, folder: &RunFolder, name: &str, inputs: &str) -> Result<bool> {
        let Some(stage) = self.stages.get(name).filter(|s| s.inputs == inputs) else {
            return Ok(false);
        };
        for (file, hash) in &stage.outputs {
            let path = folder.root().join(file);
            if !path.is_file() || hub::hash_file(&path)? != *hash {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Records a stage and writes the manifest.
    pub(crate) fn finish(
        &mut self,
        folder: &RunFolder,
        name: &str,
        mut stage: Stage,
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
        self.stages.insert(name.to_owned(), stage);
        self.current.insert(name.to_owned());
        self.write(folder)
    }
}

/// Name and version of this program.
pub(crate) fn program() -> &'static str {
    concat!("lingualign ", env!("CARGO_PKG_VERSION"))
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
