//! The checkpoint from which a killed training resumes: one safetensors file, written whole and
//! renamed, with the adapter, the best adapter so far, the optimiser's moments, and the records
//! so far as metadata.

use std::{collections::BTreeMap, path::Path};

use candle_core::{DType, Device, Tensor};
use model::{Adapter, LayerProjection, tensor_file};
use safetensors::SafeTensors;
use schema::{
    disk::DiskError,
    record::{ProbeRecord, TrainRecord},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    adamw::{AdamMoments, AdamW, AdapterPart},
    error::TrainError,
};

/// How far a training is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingProgress {
    /// Names the recipe, data and model that the checkpoint belongs to.
    pub inputs: String,
    /// Updates made.
    pub step: usize,
    /// Lowest validation loss and its step.
    pub best: Option<(f64, usize)>,
    /// The log so far.
    pub records: Vec<TrainRecord>,
    /// What was measured on the way so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<ProbeRecord>,
}

/// Writes the state of a run.
pub fn write(
    file: &Path,
    progress: &TrainingProgress,
    adapter: &Adapter,
    best: Option<&Adapter>,
    optimiser: &AdamW,
) -> Result<(), TrainError> {
    let mut values: BTreeMap<String, Vec<f32>> = BTreeMap::new();
    for (kind, adapter) in [("last", Some(adapter)), ("best", best)] {
        for (place, weights) in adapter.into_iter().flat_map(|a| &a.weights) {
            for (part, matrix) in AdapterPart::of(weights) {
                values.insert(name(kind, *place, part), matrix.flatten_all()?.to_vec1()?);
            }
        }
    }
    for ((place, part), moments) in &optimiser.moments {
        values.insert(name("m", *place, *part), moments.m.clone());
        values.insert(name("v", *place, *part), moments.v.clone());
    }
    let progress = serde_json::to_string(progress).map_err(|e| damaged(file, e.to_string()))?;
    let tensors: Vec<tensor_file::Named<'_>> = values
        .iter()
        .map(|(name, values)| (name.clone(), vec![values.len()], values.as_slice()))
        .collect();
    let bytes = tensors.iter().map(|(name, _, values)| {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        (name.as_str(), bytes.collect::<Vec<u8>>())
    });
    let sum = checksum(&progress, bytes);
    let metadata = [("progress", progress), ("sha256", sum)];
    let metadata = metadata.map(|(key, value)| (key.to_owned(), value));
    Ok(tensor_file::write(file, &tensors, metadata.into())?)
}

/// A checkpoint's contents.
pub struct Restored {
    /// How far the training is.
    pub progress: TrainingProgress,
    /// The adapter as it was.
    pub adapter: Adapter,
    /// The best one so far.
    pub best: Option<Adapter>,
}

/// Reads a checkpoint into `optimiser`; `None` if there is none, or if it belongs to other
/// inputs. `like` gives the shapes.
pub fn read(
    file: &Path,
    inputs: &str,
    like: &Adapter,
    optimiser: &mut AdamW,
) -> Result<Option<Restored>, TrainError> {
    if !file.exists() {
        return Ok(None);
    }
    let bytes = std::fs::read(file).map_err(DiskError::at("read", file))?;
    let progress = read_progress(file, &bytes)?;
    if progress.inputs != inputs {
        tracing::warn!(file = %file.display(), "the checkpoint belongs to other inputs; training starts over");
        return Ok(None);
    }
    let tensors = SafeTensors::deserialize(&bytes).map_err(|e| damaged(file, e.to_string()))?;
    check_sum(file, &bytes, &tensors)?;
    let vectors = CheckpointVectors { file, tensors };
    let adapter = vectors.adapter("last", like)?;
    let best = progress
        .best
        .map(|_| vectors.adapter("best", like))
        .transpose()?;
    optimiser.updates = progress.step;
    // Before the first update there are none.
    if progress.step > 0 {
        optimiser.moments = vectors.moments(like)?;
    }
    Ok(Some(Restored {
        progress,
        adapter,
        best,
    }))
}

/// SHA-256 of everything in a checkpoint, its tensors in the order of their names.
fn checksum<'a, B: AsRef<[u8]>>(
    progress: &str,
    tensors: impl Iterator<Item = (&'a str, B)>,
) -> String {
    let mut hash = Sha256::new();
    hash.update(progress);
    for (name, bytes) in tensors {
        hash.update(name);
        hash.update(bytes);
    }
    let digest = hash.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Refuses a checkpoint that is not as it was written; one of a program that wrote no checksum is
/// taken as it is.
fn check_sum(file: &Path, bytes: &[u8], tensors: &SafeTensors<'_>) -> Result<(), TrainError> {
    let (_, metadata) =
        SafeTensors::read_metadata(bytes).map_err(|e| damaged(file, e.to_string()))?;
    let about = metadata.metadata().clone().unwrap_or_default();
    let (Some(progress), Some(sum)) = (about.get("progress"), about.get("sha256")) else {
        return Ok(());
    };
    let mut all: Vec<(String, &[u8])> = tensors
        .tensors()
        .into_iter()
        .map(|(name, view)| (name, view.data()))
        .collect();
    all.sort();
    let found = checksum(
        progress,
        all.iter().map(|(name, bytes)| (name.as_str(), *bytes)),
    );
    if found == *sum {
        return Ok(());
    }
    Err(damaged(file, "its checksum is another".to_owned()))
}

fn damaged(file: &Path, problem: String) -> TrainError {
    TrainError::Checkpoint {
        file: file.to_owned(),
        problem,
    }
}

fn read_progress(file: &Path, bytes: &[u8]) -> Result<TrainingProgress, TrainError> {
    let (_, metadata) =
        SafeTensors::read_metadata(bytes).map_err(|e| damaged(file, e.to_string()))?;
    let progress = metadata
        .metadata()
        .as_ref()
        .and_then(|m| m.get("progress"))
        .ok_or_else(|| damaged(file, "holds no progress".into()))?;
    serde_json::from_str(progress).map_err(|e| damaged(file, e.to_string()))
}

/// The vectors of a checkpoint by their names.
struct CheckpointVectors<'a> {
    file: &'a Path,
    tensors: SafeTensors<'a>,
}

impl CheckpointVectors<'_> {
    fn vector(&self, name: &str, count: usize) -> Result<Vec<f32>, TrainError> {
        let view = self
            .tensors
            .tensor(name)
            .map_err(|e| damaged(self.file, format!("`{name}`: {e}")))?;
        let values: Vec<f32> = view
            .data()
            .as_chunks::<4>()
            .0
            .iter()
            .map(|b| f32::from_le_bytes(*b))
            .collect();
        if values.len() == count {
            return Ok(values);
        }
        let problem = format!("`{name}` has {} values, not {count}", values.len());
        Err(damaged(self.file, problem))
    }

    /// The adapter of this kind, `last` or `best`, with the shapes of `like`.
    fn adapter(&self, kind: &str, like: &Adapter) -> Result<Adapter, TrainError> {
        let mut adapter = like.clone();
        for (&place, weights) in &mut adapter.weights {
            for (part, matrix) in AdapterPart::of_mut(weights) {
                let values = self.vector(&name(kind, place, part), matrix.elem_count())?;
                *matrix =
                    Tensor::from_vec(values, matrix.shape(), &Device::Cpu)?.to_dtype(DType::F32)?;
            }
        }
        Ok(adapter)
    }

    fn moments(
        &self,
        like: &Adapter,
    ) -> Result<BTreeMap<(LayerProjection, AdapterPart), AdamMoments>, TrainError> {
        let mut all = BTreeMap::new();
        for (&place, weights) in &like.weights {
            for (part, matrix) in AdapterPart::of(weights) {
                let count = matrix.elem_count();
                let moments = AdamMoments {
                    m: self.vector(&name("m", place, part), count)?,
                    v: self.vector(&name("v", place, part), count)?,
                };
                all.insert((place, part), moments);
            }
        }
        Ok(all)
    }
}

fn name(kind: &str, place: LayerProjection, part: AdapterPart) -> String {
    format!("{kind}.{place}.{}", part.name())
}
