//! Whole models: the laws of the decoder on the tiny models in `tests/golden`, and its files,
//! honest and hostile.
//!
//! Never here: comparison with transformers (crate `train`), text.

mod adapters;
mod configs;
mod decoder;
mod dropout;
mod family_configs;
mod family_laws;
mod folder;
mod gguf;
mod gguf_families;
mod gguf_keys;
mod gguf_writer;
mod gguf_written;
mod hostile;
mod merge;
mod peft;
mod walk;

#[path = "../../../../tests/golden/families.rs"]
mod families;

use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use hub::ModelFiles;
use model::{Adapter, Decoder, KvCache, LoraConfig, ModelError, Rows};
use schema::task::Precision;

const NAMES: [&str; 3] = ["tiny_llama", "tiny_mistral", "tiny_qwen2"];

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/golden")
        .join(name)
}

fn folder(dir: &Path) -> ModelFiles {
    ModelFiles::Folder {
        dir: dir.to_owned(),
        weights: vec![dir.join("model.safetensors")],
    }
}

fn try_load(files: &ModelFiles, precision: Precision) -> Result<Decoder, ModelError> {
    Decoder::load(files, precision, &Device::Cpu)
}

fn load(name: &str) -> Decoder {
    try_load(&folder(&golden(name)), Precision::F32).expect("loads")
}

/// `n` token ids of the tiny models' vocabulary.
fn ids(n: usize, seed: u64) -> Vec<u32> {
    let mut random = Random(seed);
    (0..n).map(|_| (random.next() % 257) as u32).collect()
}

/// Logits of every row.
fn logits(
    model: &Decoder,
    input_ids: &[u32],
    rows: &Rows,
    prefix: Option<&KvCache>,
) -> Vec<Vec<f32>> {
    let hidden = model.hidden(input_ids, rows, prefix).expect("runs");
    values(&model.logits(&hidden).expect("logits"))
}

/// Logits of every row of one sequence.
fn whole(model: &Decoder, input_ids: &[u32]) -> Vec<Vec<f32>> {
    logits(model, input_ids, &Rows::new([input_ids.len()], 0), None)
}

fn values(x: &Tensor) -> Vec<Vec<f32>> {
    x.to_vec2().expect("rows")
}

fn bits(rows: &[Vec<f32>]) -> Vec<u32> {
    rows.iter().flatten().map(|v| v.to_bits()).collect()
}

/// Largest difference.
fn distance(a: &[Vec<f32>], b: &[Vec<f32>]) -> f32 {
    assert_eq!((a.len(), a[0].len()), (b.len(), b[0].len()));
    a.iter()
        .flatten()
        .zip(b.iter().flatten())
        .fold(0.0, |most: f32, (a, b)| {
            let off = (a - b).abs();
            if off.is_nan() {
                f32::INFINITY
            } else {
                most.max(off)
            }
        })
}

/// An adapter on every projection with both matrices random; alpha is not the rank.
fn random_adapter(model: &Decoder, rank: usize, alpha: f64, seed: u64) -> Adapter {
    let config = LoraConfig {
        rank,
        alpha,
        dropout: 0.0,
        targets: model.config().projections(),
        rslora: false,
        dora: false,
    };
    let mut random = Random(seed);
    let mut adapter = Adapter::new(config, model.config(), |_, count| {
        (0..count).map(|_| 0.2 * random.uniform()).collect()
    })
    .expect("adapter");
    for weights in adapter.weights.values_mut() {
        let shape = weights.b.shape().clone();
        let values: Vec<f32> = (0..shape.elem_count())
            .map(|_| 0.2 * random.uniform())
            .collect();
        weights.b = Tensor::from_vec(values, shape, &Device::Cpu).expect("B");
    }
    adapter
}

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// In [-1, 1).
    fn uniform(&mut self) -> f32 {
        (self.next() >> 40) as f32 / 8_388_608.0 - 1.0
    }
}
