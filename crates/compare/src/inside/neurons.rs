//! Neurons of one model: one record, checked against itself.
//!
//! Never here: drawing.

use std::path::Path;

use schema::{
    disk::DiskError,
    inside::{LayerNeurons, NeuronsRecord},
};

use crate::{error::CompareError, record_lines::check_within};

/// Above, a number of neurons is damage.
const MOST_NEURONS: usize = 1 << 40;

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
        check_layer(layer, place + 1)
            .map_err(|problem| format!("block {}: {problem}", layer.layer))?;
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

/// Checks one block, which should be the one with the number `expected`.
fn check_layer(layer: &LayerNeurons, expected: usize) -> Result<(), String> {
    if layer.layer != expected {
        return Err(format!("found where block {expected} should be"));
    }
    let of_classes = [layer.specific, layer.related, layer.general, layer.inactive];
    let whole = of_classes
        .iter()
        .chain([&layer.neurons])
        .chain(layer.selected.values());
    if let Some(odd) = whole.clone().find(|count| **count > MOST_NEURONS) {
        return Err(format!("{odd} neurons: no block has so many"));
    }
    let classes: usize = of_classes.iter().sum();
    if classes != layer.neurons {
        return Err(format!(
            "its classes hold {classes} neurons of {}",
            layer.neurons
        ));
    }
    check_within(0.0, 64.0, &[("mean_entropy", layer.mean_entropy)])
}
