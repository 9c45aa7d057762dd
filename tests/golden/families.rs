//! The tiny models of every family in the folder `families`: their weights and adapters are made
//! again from the tensors' names, as `make_families.py` made them. Shared by the tests of `model`
//! and `train`.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

/// `LINGUALIGN_GOLDEN`, where other seeds may lie, or the copy in the repository.
pub(crate) fn root() -> PathBuf {
    let golden = std::env::var_os("LINGUALIGN_GOLDEN").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden")),
        PathBuf::from,
    );
    golden.join("families")
}

/// The cases, sorted.
pub(crate) fn names() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(root())
        .expect("the folder of the families")
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.into_string().expect("a name"))
        .collect();
    names.sort();
    assert!(!names.is_empty());
    names
}

/// Writes a case's files to `to`, with weights: those that lie there, or made again.
pub(crate) fn write(name: &str, to: &Path) {
    let from = root().join(name);
    for file in ["config.json", "golden.json", "lora_grads.safetensors"] {
        if from.join(file).exists() {
            fs::copy(from.join(file), to.join(file)).expect("copies");
        }
    }
    write_weights(&from, to, "model.safetensors");
    let adapter = from.join("adapter");
    if adapter.exists() {
        let to = to.join("adapter");
        fs::create_dir_all(&to).expect("a folder");
        let config = "adapter_config.json";
        fs::copy(adapter.join(config), to.join(config)).expect("copies");
        write_weights(&adapter, &to, "adapter_model.safetensors");
    }
}

fn write_weights(from: &Path, to: &Path, file: &str) {
    if from.join(file).exists() {
        fs::copy(from.join(file), to.join(file)).expect("copies");
        return;
    }
    let list = fs::read(from.join("tensors.json")).expect("a list");
    let list: Value = serde_json::from_slice(&list).expect("JSON");
    let seed = list["seed"].as_u64().expect("a seed");
    let tensors = list["tensors"].as_object().expect("tensors");
    let made: BTreeMap<&str, (Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, entry)| {
            let shape: Vec<usize> = serde_json::from_value(entry[0].clone()).expect("a shape");
            let number = |at: usize| entry[at].as_f64().expect("a number") as f32;
            let count = shape.iter().product();
            let values = scattered(name, count, number(1), number(2), seed);
            let bytes = values.into_iter().flat_map(f32::to_le_bytes).collect();
            (name.as_str(), (shape, bytes))
        })
        .collect();
    let views = made.iter().map(|(name, (shape, bytes))| {
        let dtype = safetensors::Dtype::F32;
        let view = safetensors::tensor::TensorView::new(dtype, shape.clone(), bytes);
        (*name, view.expect("a view"))
    });
    let bytes = safetensors::serialize(views, None).expect("serializes");
    fs::write(to.join(file), bytes).expect("writes");
}

/// FNV-1a of a tensor's name, with the seed in it.
fn hashed(name: &str, seed: u64) -> u64 {
    let bytes = name.bytes().chain(seed.to_le_bytes());
    bytes.fold(0xCBF2_9CE4_8422_2325, |h, byte| {
        (h ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3)
    })
}

/// Uniform values of a tensor, by SplitMix64 from the hash of its name.
fn scattered(name: &str, count: usize, centre: f32, spread: f32, seed: u64) -> Vec<f32> {
    let start = hashed(name, seed);
    let value = |at: u64| {
        let mut z = start.wrapping_add(at.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        ((z >> 40) as f32 / 8_388_608.0 - 1.0) * spread + centre
    };
    (1..=count as u64).map(value).collect()
}
