//! Tiny models, prompts and golden values for the tests of this crate. Never here: a test.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use candle_core::Device;
use hub::ModelFiles;
use model::Decoder;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use schema::{Language, task::Precision};
use serde_json::Value;

use crate::{LabelledPrompts, Prompts};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/golden")
        .join(name)
}

fn load_from(dir: &Path) -> Decoder {
    let files = ModelFiles::Folder {
        dir: dir.to_owned(),
        weights: vec![dir.join("model.safetensors")],
    };
    Decoder::load(&files, Precision::F32, &Device::Cpu).expect("loads")
}

/// `tiny_llama`: three blocks of 80 neurons, 257 tokens.
pub(crate) fn tiny() -> Decoder {
    load_from(&folder("tiny_llama"))
}

/// The same with one tensor changed.
pub(crate) fn tiny_with(tensor: &str, change: impl Fn(&mut [f32])) -> Decoder {
    let source = folder("tiny_llama");
    let bytes = fs::read(source.join("model.safetensors")).expect("weights");
    let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
    let mut data: BTreeMap<String, (Vec<usize>, Vec<u8>)> = tensors
        .tensors()
        .into_iter()
        .map(|(name, view)| (name, (view.shape().to_vec(), view.data().to_vec())))
        .collect();
    let (_, raw) = data.get_mut(tensor).expect("a tensor of the model");
    let mut values: Vec<f32> = raw
        .as_chunks::<4>()
        .0
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect();
    change(&mut values);
    *raw = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let view = |(shape, raw)| TensorView::new(Dtype::F32, Vec::clone(shape), raw).expect("a view");
    let dir = tempfile::tempdir().expect("a folder");
    fs::copy(source.join("config.json"), dir.path().join("config.json")).expect("copies");
    let written = safetensors::serialize(
        data.iter()
            .map(|(name, (shape, raw))| (name, view((shape, raw)))),
        None,
    )
    .expect("serializes");
    fs::write(dir.path().join("model.safetensors"), written).expect("writes");
    load_from(dir.path())
}

/// Prompts and the tokens that speak for their labels.
#[derive(Clone)]
pub(crate) struct Own {
    pub(crate) prompts: Prompts,
    pub(crate) label_sets: Vec<Vec<u32>>,
}

impl Own {
    pub(crate) fn asked(&self) -> LabelledPrompts<'_> {
        LabelledPrompts {
            prompts: &self.prompts,
            label_sets: &self.label_sets,
        }
    }
}

/// All languages as they are asked.
pub(crate) fn ask_all(all: &BTreeMap<Language, Own>) -> BTreeMap<Language, LabelledPrompts<'_>> {
    all.iter()
        .map(|(&language, own)| (language, own.asked()))
        .collect()
}

/// `tests/golden/neurons.json`.
pub(crate) fn golden() -> Value {
    serde_json::from_str(include_str!("../tests/golden/neurons.json")).expect("JSON")
}

/// The prompts of the golden file.
pub(crate) fn golden_prompts(golden: &Value) -> BTreeMap<Language, Own> {
    let all = golden["prompts"].as_object().expect("languages");
    all.iter()
        .map(|(language, own)| (language.parse().expect("a language"), read_own(own)))
        .collect()
}

fn read_own(own: &Value) -> Own {
    let pairs: Vec<Vec<usize>> = read(&own["questions"]);
    let questions = pairs.iter().map(|pair| pair[0]..pair[1]).collect();
    let (suffixes, items, golds) = (
        read(&own["suffixes"]),
        read(&own["items"]),
        read(&own["golds"]),
    );
    let prompts = Prompts::assemble(read(&own["prefix"]), suffixes, questions, items, golds);
    Own {
        prompts,
        label_sets: read(&own["label_sets"]),
    }
}

/// A part of the golden file.
pub(crate) fn read<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).expect("as the script wrote it")
}

/// Whether all numbers are as near as f32 may be to f64.
pub(crate) fn assert_near(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let far = found
        .iter()
        .zip(expected)
        .find(|(a, b)| (*a - *b).abs() > 2e-5 || a.is_nan());
    assert!(far.is_none(), "{what}: {far:?}");
}

/// The bits of what may not differ by any.
pub(crate) fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}
