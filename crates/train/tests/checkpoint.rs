//! A checkpoint is read as it was written, or refused.

use std::{fs, path::Path};

use model::{Adapter, ModelConfig};
use train::{
    adamw::{AdamMoments, AdamW, AdamWConfig, AdapterPart},
    checkpoint::{self, Restored, TrainingProgress},
};

const INPUTS: &str = "these inputs";

fn adapter() -> Adapter {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tiny_llama");
    let model = ModelConfig::from_json_file(&golden.join("config.json")).expect("a configuration");
    Adapter::read(&golden.join("adapter"), &model).expect("an adapter")
}

fn values(adapter: &Adapter) -> Vec<Vec<f32>> {
    let matrices = adapter.weights.values().flat_map(|w| [&w.a, &w.b]);
    matrices
        .map(|m| m.flatten_all().and_then(|m| m.to_vec1()).expect("values"))
        .collect()
}

fn optimiser() -> AdamW {
    AdamW::new(AdamWConfig::new(0.0))
}

/// The state after seven updates, in `file`.
fn write(file: &Path) -> Adapter {
    let adapter = adapter();
    let mut optimiser = optimiser();
    for (&place, weights) in &adapter.weights {
        for (half, matrix) in AdapterPart::of(weights) {
            let (m, v) = (
                vec![0.5; matrix.elem_count()],
                vec![0.25; matrix.elem_count()],
            );
            optimiser
                .moments
                .insert((place, half), AdamMoments { m, v });
        }
    }
    let progress = TrainingProgress {
        inputs: INPUTS.to_owned(),
        step: 7,
        best: Some((1.5, 4)),
        records: Vec::new(),
        probes: Vec::new(),
    };
    checkpoint::write(file, &progress, &adapter, Some(&adapter), &optimiser).expect("writes");
    adapter
}

fn read(file: &Path) -> Result<Option<Restored>, String> {
    let read = checkpoint::read(file, INPUTS, &adapter(), &mut optimiser());
    read.map_err(|error| error.to_string())
}

#[test]
fn what_was_written_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("state.safetensors");
    let adapter = write(&file);
    let restored = read(&file).expect("sound").expect("these inputs");
    assert_eq!(
        (restored.progress.step, restored.progress.best),
        (7, Some((1.5, 4)))
    );
    assert_eq!(values(&restored.adapter), values(&adapter));
    let mut optimiser = optimiser();
    checkpoint::read(&file, INPUTS, &adapter, &mut optimiser).expect("sound");
    assert_eq!(optimiser.updates, 7);
    assert!(
        optimiser
            .moments
            .values()
            .all(|of| of.m[0] == 0.5 && of.v[0] == 0.25)
    );
    let other = checkpoint::read(&file, "others", &adapter, &mut optimiser).expect("sound");
    assert!(other.is_none(), "of other inputs");
}

// Training that resumes from one changed byte would go on with other numbers, and say nothing.
#[test]
fn a_changed_byte_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("state.safetensors");
    write(&file);
    let bytes = fs::read(&file).expect("reads");
    let mut numbers: Vec<usize> = (1..=8)
        .map(|from_end| bytes.len() - from_end * 512)
        .collect();
    let text = String::from_utf8_lossy(&bytes[8..4096]).into_owned();
    for (word, within) in [("\\\"step\\\":7", 9), ("1.5", 0)] {
        numbers.push(8 + text.find(word).expect("in the metadata") + within);
    }
    for at in numbers {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        fs::write(&file, changed).expect("writes");
        let message = read(&file)
            .err()
            .unwrap_or_else(|| panic!("byte {at} was read"));
        assert!(
            message.contains("state.safetensors")
                && message.contains("its checksum is another")
                && message.contains("delete it"),
            "{message}"
        );
    }
}
