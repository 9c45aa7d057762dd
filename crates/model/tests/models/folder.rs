//! Hugging Face folders: shards, number formats, and a writer for the tests.

use std::{collections::BTreeMap, fs, path::Path};

use half::{bf16, f16};
use hub::ModelFiles;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use schema::task::Precision;

use super::{
    NAMES, bits, distance, folder, gguf_writer::Plain, golden, ids, load, try_load, whole,
};

/// All tensors of an f32 file.
pub(crate) fn read_weights(file: &Path) -> BTreeMap<String, Plain> {
    let bytes = fs::read(file).expect("weights");
    let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
    let plain = |view: &TensorView<'_>| Plain {
        shape: view.shape().to_vec(),
        values: view
            .data()
            .as_chunks::<4>()
            .0
            .iter()
            .map(|b| f32::from_le_bytes(*b))
            .collect(),
    };
    tensors
        .tensors()
        .iter()
        .map(|(name, view)| (name.clone(), plain(view)))
        .collect()
}

/// A safetensors file of these tensors in one number format.
pub(crate) fn serialize(weights: &BTreeMap<String, Plain>, dtype: Dtype) -> Vec<u8> {
    let encode = |values: &[f32]| -> Vec<u8> {
        match dtype {
            Dtype::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Dtype::F16 => values
                .iter()
                .flat_map(|&v| f16::from_f32(v).to_le_bytes())
                .collect(),
            Dtype::BF16 => values
                .iter()
                .flat_map(|&v| bf16::from_f32(v).to_le_bytes())
                .collect(),
            Dtype::F64 => values
                .iter()
                .flat_map(|&v| f64::from(v).to_le_bytes())
                .collect(),
            other => panic!("{other:?} is not written"),
        }
    };
    let bytes: BTreeMap<&String, Vec<u8>> = weights
        .iter()
        .map(|(n, t)| (n, encode(&t.values)))
        .collect();
    let view = |name: &String| {
        TensorView::new(dtype, weights[name].shape.clone(), &bytes[name]).expect("a view")
    };
    safetensors::serialize(weights.keys().map(|n| (n.as_str(), view(n))), None).expect("serializes")
}

pub(crate) fn write_folder(dir: &Path, config: &str, weights: &BTreeMap<String, Plain>) {
    fs::write(dir.join("config.json"), config).expect("writes");
    fs::write(
        dir.join("model.safetensors"),
        serialize(weights, Dtype::F32),
    )
    .expect("writes");
}

/// Bytes of address space that this process ever held; an allocation that is never touched
/// counts too.
#[cfg(target_os = "linux")]
pub(crate) fn memory_peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("status");
    let line = status
        .lines()
        .find(|l| l.starts_with("VmPeak:"))
        .expect("VmPeak");
    let kilobytes: u64 = line
        .split_whitespace()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .expect("a number");
    kilobytes << 10
}

/// Not known here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn memory_peak() -> u64 {
    0
}

#[test]
fn shards_are_the_single_file() {
    for name in NAMES {
        let dir = tempfile::tempdir().expect("a folder");
        let mut parts = [const { BTreeMap::new() }; 3];
        for (i, (name, tensor)) in read_weights(&golden(name).join("model.safetensors"))
            .into_iter()
            .enumerate()
        {
            parts[i % 3].insert(name, tensor);
        }
        fs::copy(
            golden(name).join("config.json"),
            dir.path().join("config.json"),
        )
        .expect("copies");
        let mut weights = Vec::new();
        for (i, part) in parts.iter().enumerate() {
            weights.push(
                dir.path()
                    .join(format!("model-0000{}-of-00003.safetensors", i + 1)),
            );
            fs::write(&weights[i], serialize(part, Dtype::F32)).expect("writes");
        }
        let files = ModelFiles::Folder {
            dir: dir.path().to_owned(),
            weights: weights.clone(),
        };
        let input_ids = ids(20, 1);
        let model = try_load(&files, Precision::F32).expect("loads");
        assert_eq!(
            bits(&whole(&model, &input_ids)),
            bits(&whole(&load(name), &input_ids)),
            "{name}"
        );
        let files = ModelFiles::Folder {
            dir: dir.path().to_owned(),
            weights: weights[1..].to_vec(),
        };
        let error = try_load(&files, Precision::F32)
            .err()
            .expect("a shard is missing")
            .to_string();
        assert!(
            error.contains("-of-00003.safetensors: tensor `") && error.contains("is missing"),
            "{error}"
        );
        fs::copy(&weights[0], dir.path().join("again.safetensors")).expect("copies");
        weights.push(dir.path().join("again.safetensors"));
        let error = try_load(
            &ModelFiles::Folder {
                dir: dir.path().to_owned(),
                weights,
            },
            Precision::F32,
        );
        let error = error.err().expect("twice").to_string();
        assert!(
            error.contains("again.safetensors: tensor `")
                && error.contains("is in another shard too"),
            "{error}"
        );
    }
}

#[test]
fn half_files_are_their_floats() {
    let dir = tempfile::tempdir().expect("a folder");
    let weights = read_weights(&golden("tiny_qwen2").join("model.safetensors"));
    let config = fs::read_to_string(golden("tiny_qwen2").join("config.json")).expect("config");
    let input_ids = ids(20, 1);
    let run = |precision| {
        whole(
            &try_load(&folder(dir.path()), precision).expect("loads"),
            &input_ids,
        )
    };
    type Round = fn(f32) -> f32;
    let kinds: [(Dtype, Round); 2] = [
        (Dtype::F16, |v| f16::from_f32(v).to_f32()),
        (Dtype::BF16, |v| bf16::from_f32(v).to_f32()),
    ];
    for (dtype, round) in kinds {
        let rounded = |t: &Plain| Plain {
            shape: t.shape.clone(),
            values: t.values.iter().map(|&v| round(v)).collect(),
        };
        write_folder(
            dir.path(),
            &config,
            &weights
                .iter()
                .map(|(n, t)| (n.clone(), rounded(t)))
                .collect(),
        );
        let (floats, halves) = (run(Precision::F32), run(Precision::Bf16));
        fs::write(
            dir.path().join("model.safetensors"),
            serialize(&weights, dtype),
        )
        .expect("writes");
        assert_eq!(
            bits(&run(Precision::F32)),
            bits(&floats),
            "{dtype:?} widened"
        );
        assert_eq!(
            bits(&run(Precision::Bf16)),
            bits(&halves),
            "{dtype:?} as bf16"
        );
        assert!(
            distance(&floats, &whole(&load("tiny_qwen2"), &input_ids)) > 1e-5,
            "{dtype:?} rounds something"
        );
    }
}

/// A tied model's file may carry the head a second time; RoPE's frequencies are ignored.
#[test]
fn known_leftovers_are_ignored() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut weights = read_weights(&golden("tiny_llama").join("model.safetensors"));
    let config = fs::read_to_string(golden("tiny_llama").join("config.json")).expect("config");
    weights.insert(
        "lm_head.weight".into(),
        weights["model.embed_tokens.weight"].clone(),
    );
    let frequencies = Plain {
        shape: vec![4],
        values: vec![1.0; 4],
    };
    weights.insert(
        "model.layers.0.self_attn.rotary_emb.inv_freq".into(),
        frequencies,
    );
    write_folder(dir.path(), &config, &weights);
    let input_ids = ids(20, 1);
    let model = try_load(&folder(dir.path()), Precision::F32).expect("loads");
    assert_eq!(
        bits(&whole(&model, &input_ids)),
        bits(&whole(&load("tiny_llama"), &input_ids))
    );
}
