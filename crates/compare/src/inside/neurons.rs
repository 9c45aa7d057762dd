//! Neurons of one model: one record, checked against itself.
//!
//! Never here: drawing.

use std::path::Path;

use schema::{disk::DiskError, inside::NeuronsRecord};

use super::record_lines::check_within;
use crate::error::CompareError;

/// Reads `neurons.<task>.json`.
pub(super) fn read(path: &Path) -> Result<NeuronsRecord, CompareError> {
    let bytes = std::fs::read(path).map_err(DiskError::at("read", path))?;
    let record: NeuronsRecord =
        serde_json::from_slice(&bytes).map_err(|problem| CompareError::BadLine {
            path: path.to_owned(),
            line: problem.line(),
            problem,
        })?;
    match check(&record) {
        Err(problem) => Err(CompareError::BadRecord {
            path: path.to_owned(),
            line: 1,
            problem,
        }),
        Ok(()) => Ok(record),
    }
}

fn check(record: &NeuronsRecord) -> Result<(), String> {
    check_within(
        0.0,
        1.0,
        &[("share", record.share), ("threshold", record.threshold)],
    )?;
    for (place, layer) in record.layers.iter().enumerate() {
        let of = |problem: String| format!("block {}: {problem}", layer.layer);
        if layer.layer != place + 1 {
            return Err(of(format!("stands where block {} should", place + 1)));
        }
        let classes = layer.specific + layer.related + layer.general + layer.inactive;
        if classes != layer.neurons {
            return Err(of(format!(
                "its classes hold {classes} neurons of {}",
                layer.neurons
            )));
        }
        check_within(0.0, 64.0, &[("mean_entropy", layer.mean_entropy)]).map_err(of)?;
    }
    for (language, neurons) in &record.selected {
        let counted: usize = record
            .layers
            .iter()
            .filter_map(|layer| layer.selected.get(language))
            .sum();
        if counted != neurons.len() {
            return Err(format!(
                "`{language}` has {} neurons, but its blocks count {counted}",
                neurons.len()
            ));
        }
    }
    for overlap in &record.overlap {
        check_within(0.0, 1.0, &[("jaccard", overlap.jaccard)])
            .map_err(|problem| format!("{} and {}: {problem}", overlap.a, overlap.b))?;
    }
    Ok(())
}
