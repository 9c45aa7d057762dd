use std::{
    fs,
    path::{Path, PathBuf},
};

use candle_core::Device;
use hub::{ModelFiles, catalogue};
use proptest::prelude::*;
use safetensors::SafeTensors;
use schema::task::Precision;

use super::*;
use crate::{Decoder, Rows};

fn config(name: &str) -> ModelConfig {
    let entry = catalogue::entry(name).expect("in the catalogue");
    ModelConfig::from_json(Path::new(name), &entry.config().into()).expect("a decoder's")
}

fn tiny() -> ModelConfig {
    let file = PathBuf::from("../../tests/golden/tiny_qwen2/config.json");
    ModelConfig::from_json_file(&file).expect("a decoder's")
}

fn recipe(seed: u64) -> RandomWeightsRecipe {
    RandomWeightsRecipe {
        format: FloatFormat::F32,
        seed,
        initializer_range: 0.02,
        shard_bytes: 5_000_000_000,
    }
}

/// Every file's bytes.
fn bytes(config: &ModelConfig, recipe: RandomWeightsRecipe) -> Vec<(String, Vec<u8>)> {
    let weights = RandomWeights::plan(config, recipe).expect("plans");
    let shards = weights.shards().iter();
    let made: Vec<_> = shards
        .map(|shard| {
            (
                shard.name.clone(),
                weights.pieces(shard).collect::<Vec<_>>().concat(),
            )
        })
        .collect();
    let all: u64 = made.iter().map(|(_, bytes)| bytes.len() as u64).sum();
    assert_eq!(all, weights.bytes());
    made
}

// Promise: the shapes are the published ones, of every entry of the catalogue.
#[test]
fn every_catalogue_model_has_its_published_number_of_parameters() {
    for entry in catalogue::entries() {
        let weights = RandomWeights::plan(&config(entry.name), recipe(0)).expect("plans");
        assert_eq!(weights.parameters(), entry.parameters, "{}", entry.name);
    }
}

#[test]
fn shards_are_cut_and_named_as_hugging_face_does() {
    let mistral = config("mistral-7b");
    let format = FloatFormat::Bf16;
    let plan = RandomWeights::plan(
        &mistral,
        RandomWeightsRecipe {
            format,
            ..recipe(0)
        },
    )
    .expect("plans");
    let names: Vec<&str> = plan.shards().iter().map(|s| s.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "model-00001-of-00003.safetensors",
            "model-00002-of-00003.safetensors",
            "model-00003-of-00003.safetensors"
        ]
    );
    let index = plan.index().expect("of several shards");
    assert_eq!(index["metadata"]["total_size"], 14_483_464_192_u64);
    assert_eq!(index["weight_map"]["lm_head.weight"], names[2]);
    assert_eq!(index["weight_map"]["model.embed_tokens.weight"], names[0]);
    for shard in plan.shards() {
        let values: usize = shard.tensors.iter().map(TensorPlan::len).sum();
        assert!(values * format.bytes() <= 5_000_000_000);
    }
}

#[test]
fn the_seed_alone_decides_every_byte() {
    let within = |threads: usize, seed| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let pool = pool.build().expect("threads");
        pool.install(|| bytes(&tiny(), recipe(seed)))
    };
    let one = within(1, 7);
    assert!(one == within(3, 7));
    assert!(one != within(1, 8));
}

/// Mean, deviation and the largest distance from the mean.
fn spread(values: &[f32]) -> (f64, f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
    let away = |v: &f32| f64::from(*v) - mean;
    let variance = values.iter().map(|v| away(v).powi(2)).sum::<f64>() / count;
    let most = values.iter().map(|v| away(v).abs()).fold(0.0, f64::max);
    (mean, variance.sqrt(), most)
}

// Promise: no two parts of a tensor that is made in several pieces, of several streams each, are
// the same numbers.
#[test]
fn a_long_tensor_does_not_repeat_itself() {
    let values = Values {
        format: FloatFormat::Bf16,
        seed: 1,
        spread: 1.0,
    };
    let len = (1 << 22) + 70_000;
    let pieces: Vec<Vec<u8>> = values.pieces(3, len, 0.0).collect();
    assert_eq!(pieces.len(), 2);
    let all = pieces.concat();
    assert_eq!(all.len(), 2 * len);
    let mut begins: Vec<&[u8]> = all.chunks(2 << 16).map(|stream| &stream[..64]).collect();
    let count = begins.len();
    begins.sort_unstable();
    begins.dedup();
    assert_eq!((begins.len(), count), (66, 66));
    assert!(values.pieces(4, len, 0.0).next() != Some(pieces[0].clone()));
}

#[test]
fn values_have_the_mean_and_the_deviation_asked_for() {
    let file = &bytes(&tiny(), recipe(3))[0].1;
    let tensors = SafeTensors::deserialize(file).expect("safetensors");
    let read = |name: &str| -> Vec<f32> {
        let data = tensors.tensor(name).expect("there").data();
        let values = data.as_chunks::<4>().0;
        values.iter().map(|&raw| f32::from_le_bytes(raw)).collect()
    };
    let (mean, deviation, most) = spread(&read("model.embed_tokens.weight"));
    assert!(mean.abs() < 0.001, "{mean}");
    assert!((deviation / 0.02 - 1.0).abs() < 0.03, "{deviation}");
    assert!((0.055..0.07).contains(&most), "{most}");
    let (mean, deviation, _) = spread(&read("model.norm.weight"));
    assert!((mean - 1.0).abs() < 0.02, "{mean}");
    assert!((0.01..0.03).contains(&deviation), "{deviation}");
    assert!(spread(&read("model.layers.1.self_attn.q_proj.bias")).1 > 0.01);
    let other = read("model.layers.1.self_attn.q_proj.weight");
    assert!(other != read("model.layers.0.self_attn.q_proj.weight"));
}

// Promise: a made-up model can be used, whatever its numbers are stored as and however it is cut.
#[test]
fn decoders_load_and_give_ordinary_numbers() {
    for (format, shard_bytes) in [
        (FloatFormat::F32, 1 << 40),
        (FloatFormat::Bf16, 20_000),
        (FloatFormat::F16, 1),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let source = PathBuf::from("../../tests/golden/tiny_qwen2/config.json");
        fs::copy(source, folder.path().join("config.json")).expect("copies");
        let recipe = RandomWeightsRecipe {
            format,
            shard_bytes,
            ..recipe(1)
        };
        let mut weights = Vec::new();
        for (name, bytes) in bytes(&tiny(), recipe) {
            weights.push(folder.path().join(name));
            fs::write(&weights[weights.len() - 1], bytes).expect("writes");
        }
        let dir = folder.path().to_owned();
        let decoder = Decoder::load(
            &ModelFiles::Folder { dir, weights },
            Precision::F32,
            &Device::Cpu,
        );
        let decoder = decoder.expect("loads");
        let ids: Vec<u32> = (0..64).collect();
        let hidden = decoder
            .hidden(&ids, &Rows::new([64], 0), None)
            .expect("runs");
        let numbers = |tensor: &candle_core::Tensor| -> Vec<f32> {
            let flat = tensor.flatten_all().expect("flat");
            flat.to_vec1().expect("numbers")
        };
        let (_, deviation, _) = spread(&numbers(&hidden));
        assert!((0.01..3.0).contains(&deviation), "{deviation}");
        let logits = numbers(&decoder.logits(&hidden).expect("logits"));
        assert!(logits.iter().all(|logit| logit.is_finite()));
        assert!((0.02..5.0).contains(&spread(&logits).1));
    }
}

proptest! {
    // Promise: each tensor is in one file, whatever the size of a shard.
    #[test]
    fn a_cut_loses_no_tensor(shard_bytes in 1_u64..400_000) {
        let weights = RandomWeights::plan(&tiny(), RandomWeightsRecipe { shard_bytes, ..recipe(0) });
        let weights = weights.expect("plans");
        let mut names: Vec<&str> = weights.shards().iter()
            .flat_map(|shard| shard.tensors.iter().map(|tensor| tensor.name.as_str()))
            .collect();
        names.sort_unstable();
        let tensors = list_tensors(&tiny());
        let mut all: Vec<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
        all.sort_unstable();
        prop_assert_eq!(names, all);
    }
}
