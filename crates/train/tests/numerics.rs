//! Guards `model::NUMERICS`: the bits of the adapter and of the log after a tiny training, for
//! each instruction set of the processor.

use std::path::Path;

use candle_core::{Device, Tensor};
use data::example::Example;
use hub::ModelFiles;
use model::{Decoder, InstructionSet};
use schema::{recipe::TrainRecipe, record::TrainRecord, task::Precision};
use train::{TrainingRun, train};

#[path = "../../../tests/numerics/mod.rs"]
mod numerics;

use numerics::{Known, check_numbers};

const fn known(set: InstructionSet, precision: Precision, hash: u64, size: f64) -> Known {
    Known {
        set,
        precision,
        hash,
        size,
    }
}

/// The rows of AVX-512 are those of AVX2: both add the same products in the same order.
const KNOWN: [Known; 12] = [
    known(
        InstructionSet::Portable,
        Precision::F32,
        0xcc6b_fd29_5759_6169,
        0.474907041,
    ),
    known(
        InstructionSet::Portable,
        Precision::Bf16,
        0x3255_ea73_4950_965e,
        0.474807727,
    ),
    known(
        InstructionSet::Portable,
        Precision::Nf4,
        0x83de_42a8_d6eb_b63f,
        0.455294868,
    ),
    known(
        InstructionSet::Avx2,
        Precision::F32,
        0xd9a2_1f12_df74_2083,
        0.474907061,
    ),
    known(
        InstructionSet::Avx2,
        Precision::Bf16,
        0x913e_73f0_5cbe_d54b,
        0.474807732,
    ),
    known(
        InstructionSet::Avx2,
        Precision::Nf4,
        0xcf26_c66c_ac05_4c54,
        0.455294883,
    ),
    known(
        InstructionSet::Avx512,
        Precision::F32,
        0xd9a2_1f12_df74_2083,
        0.474907061,
    ),
    known(
        InstructionSet::Avx512,
        Precision::Bf16,
        0x913e_73f0_5cbe_d54b,
        0.474807732,
    ),
    known(
        InstructionSet::Avx512,
        Precision::Nf4,
        0xcf26_c66c_ac05_4c54,
        0.455294883,
    ),
    known(
        InstructionSet::Avx512Bf16,
        Precision::F32,
        0xd9a2_1f12_df74_2083,
        0.474907061,
    ),
    known(
        InstructionSet::Avx512Bf16,
        Precision::Bf16,
        0x8a58_bfce_aeb8_d2f4,
        0.474610382,
    ),
    known(
        InstructionSet::Avx512Bf16,
        Precision::Nf4,
        0xf059_5aa5_9ef5_188a,
        0.455319505,
    ),
];

/// Token ids below the tiny model's vocabulary, with beginnings in common.
fn examples() -> Vec<Example> {
    let example = |index: u32| {
        let common = [5, 9, 2, 17, 30, 11];
        let own = (0..4 + index % 3).map(|at| (index * 7 + at * 5) % 60 + 1);
        Example {
            input_ids: common.into_iter().chain(own).collect(),
            prompt_len: 6 + index as usize % 2,
        }
    };
    (0..8).map(example).collect()
}

/// Trains four steps on six of the examples, two for validation; returns the adapter's values,
/// losses and norms.
fn train_a_little(precision: Precision) -> Vec<f64> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tiny_llama");
    let files = ModelFiles::Folder {
        weights: vec![dir.join("model.safetensors")],
        dir,
    };
    let mut model = Decoder::load(&files, precision, &Device::Cpu).expect("loads");
    let mut recipe = TrainRecipe::paper(Vec::new(), Vec::new());
    recipe.batch_size = 3;
    recipe.max_steps = Some(4);
    recipe.micro_batch_tokens = 24;
    recipe.learning_rate = 1e-2;
    recipe.eval_steps = 2;
    recipe.lora.rank = 4;
    let examples = examples();
    let folder = tempfile::tempdir().expect("a folder");
    let run = TrainingRun {
        recipe: &recipe,
        seed: 3,
        examples: &examples[..6],
        validation: &examples[6..],
        checkpoint: folder.path().join("checkpoint.safetensors"),
        inputs: String::new(),
    };
    let outcome = train(&mut model, &run, &mut |_| true).expect("trains");
    let mut values = Vec::new();
    for weights in outcome.adapter.weights.values() {
        values.extend(flat(&weights.a));
        values.extend(flat(&weights.b));
    }
    for record in &outcome.records {
        match record {
            TrainRecord::Step(step) => values.extend([step.loss, step.grad_norm]),
            TrainRecord::Validation(validation) => values.push(validation.loss),
        }
    }
    values
}

fn flat(tensor: &Tensor) -> Vec<f64> {
    let values: Vec<f32> = tensor
        .flatten_all()
        .and_then(|t| t.to_vec1())
        .expect("values");
    values.into_iter().map(f64::from).collect()
}

#[test]
fn a_tiny_training_gives_the_known_numbers() {
    check_numbers("training", &KNOWN, train_a_little);
}
