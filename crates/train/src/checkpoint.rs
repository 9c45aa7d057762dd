//! What a killed training goes on from: one safetensors file, written whole and renamed, with
//! the adapter, the best adapter so far, the optimiser's means, and the records so far as
//! metadata.

use std::{collections::BTreeMap, path::Path};

use candle_core::{DType, Device, Tensor};
use model::{Adapter, LayerProjection, tensor_file};
use safetensors::SafeTensors;
use schema::{disk::DiskError, record::TrainRecord};
use serde::{Deserialize, Serialize};

use crate::{
    adamw::{AdamW, Half, Moments},
    error::TrainError,
};

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Says which recipe, data and model the checkpoint belongs to.
    pub inputs: String,
    /// Updates made.
    pub step: usize,
    /// Lowest validation loss and its step.
    pub best: Option<(f64, usize)>,
    /// The log so far.
    pub records: Vec<TrainRecord>,
}

/// Writes the state of a run.
pub fn write(
    file: &Path,
    progress: &Progress,
    adapter: &Adapter,
    best: Option<&Adapter>,
    optimiser: &AdamW,
) -> Result<(), TrainError> {
    let refuse = |problem: String| TrainError::Checkpoint {
        file: file.to_owned(),
        problem,
    };
    let mut values: BTreeMap<String, Vec<f32>> = BTreeMap::new();
    for (kind, adapter) in [("last", Some(adapter)), ("best", best)] {
        for (place, weights) in adapter.into_iter().flat_map(|a| &a.weights) {
            for (half, matrix) in [(Half::A, &weights.a), (Half::B, &weights.b)] {
                values.insert(name(kind, *place, half), matrix.flatten_all()?.to_vec1()?);
            }
        }
    }
    for ((place, half), moments) in &optimiser.moments {
        values.insert(name("m", *place, *half), moments.m.clone());
        values.insert(name("v", *place, *half), moments.v.clone());
    }
    let progress = serde_json::to_string(progress).map_err(|e| refuse(e.to_string()))?;
    let tensors: Vec<tensor_file::Named<'_>> = values
        .iter()
        .map(|(name, values)| (name.clone(), vec![values.len()], values.as_slice()))
        .collect();
    Ok(tensor_file::write(
        file,
        &tensors,
        [("progress".to_owned(), progress)].into(),
    )?)
}

/// What was read back.
pub struct Restored {
    /// Where the run stands.
    pub progress: Progress,
    /// The adapter as it was.
    pub adapter: Adapter,
    /// The best one so far.
    pub best: Option<Adapter>,
}

/// Reads a checkpoint into `optimiser`; `None` if there is none, or it belongs to other inputs.
/// `like` gives the shapes.
pub fn read(
    file: &Path,
    inputs: &str,
    like: &Adapter,
    optimiser: &mut AdamW,
) -> Result<Option<Restored>, TrainError> {
    if !file.exists() {
        return Ok(None);
    }
    let refuse = |problem: String| TrainError::Checkpoint {
        file: file.to_owned(),
        problem,
    };
    let bytes = std::fs::read(file).map_err(DiskError::at("read", file))?;
    let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|e| refuse(e.to_string()))?;
    let progress = metadata
        .metadata()
        .as_ref()
        .and_then(|m| m.get("progress"))
        .ok_or_else(|| refuse("holds no progress".into()))?;
    let progress: Progress = serde_json::from_str(progress).map_err(|e| refuse(e.to_string()))?;
    if progress.inputs != inputs {
        tracing::warn!(file = %file.display(), "the checkpoint belongs to other inputs; training starts anew");
        return Ok(None);
    }
    let tensors = SafeTensors::deserialize(&bytes).map_err(|e| refuse(e.to_string()))?;
    let vector = |name: String, count: usize| -> Result<Vec<f32>, TrainError> {
        let view = tensors
            .tensor(&name)
            .map_err(|e| refuse(format!("`{name}`: {e}")))?;
        let values: Vec<f32> = view
            .data()
            .as_chunks::<4>()
            .0
            .iter()
            .map(|b| f32::from_le_bytes(*b))
            .collect();
        if values.len() == count {
            Ok(values)
        } else {
            Err(refuse(format!(
                "`{name}` has {} values, not {count}",
                values.len()
            )))
        }
    };
    let adapter_of = |kind: &str| -> Result<Adapter, TrainError> {
        let mut adapter = like.clone();
        for (&place, weights) in &mut adapter.weights {
            for (half, matrix) in [(Half::A, &mut weights.a), (Half::B, &mut weights.b)] {
                let values = vector(name(kind, place, half), matrix.elem_count())?;
                *matrix =
                    Tensor::from_vec(values, matrix.shape(), &Device::Cpu)?.to_dtype(DType::F32)?;
            }
        }
        Ok(adapter)
    };
    let adapter = adapter_of("last")?;
    let best = progress.best.map(|_| adapter_of("best")).transpose()?;
    optimiser.updates = progress.step;
    optimiser.moments.clear();
    for (&place, weights) in &like.weights {
        for (half, count) in [
            (Half::A, weights.a.elem_count()),
            (Half::B, weights.b.elem_count()),
        ] {
            let moments = Moments {
                m: vector(name("m", place, half), count)?,
                v: vector(name("v", place, half), count)?,
            };
            optimiser.moments.insert((place, half), moments);
        }
    }
    Ok(Some(Restored {
        progress,
        adapter,
        best,
    }))
}

fn name(kind: &str, place: LayerProjection, half: Half) -> String {
    format!("{kind}.{place}.{}", half.name())
}
