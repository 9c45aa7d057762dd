//! Guards `model::NUMERICS`: the bits of the adapter and of the log after a tiny training, for
//! each instruction set of the processor.

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
};

use candle_core::{Device, Tensor};
use data::example::Example;
use hub::ModelFiles;
use model::Decoder;
use schema::{recipe::TrainRecipe, record::TrainRecord, task::Precision};
use train::{Event, Outcome, TrainError, TrainingRun, train, workers::Alone};

#[path = "../../../tests/numerics/mod.rs"]
mod numerics;

use numerics::check_numbers;

/// As the test prints them. Those of AVX-512 are AVX2's: the same sums in the same order.
const KNOWN: &str = "\
portable f32: 0xcc6bfd2957596169, 4.749070406e-1
portable bf16: 0x3255ea734950965e, 4.748077272e-1
portable nf4: 0x83de42a8d6ebb63f, 4.552948677e-1
avx2 f32: 0xd9a21f12df742083, 4.749070611e-1
avx2 bf16: 0x913e73f05cbed54b, 4.748077319e-1
avx2 nf4: 0xcf26c66cac054c54, 4.552948827e-1
avx512 f32: 0xd9a21f12df742083, 4.749070611e-1
avx512 bf16: 0x913e73f05cbed54b, 4.748077319e-1
avx512 nf4: 0xcf26c66cac054c54, 4.552948827e-1
avx512bf16 f32: 0xd9a21f12df742083, 4.749070611e-1
avx512bf16 bf16: 0x8a58bfceaeb8d2f4, 4.746103815e-1
avx512bf16 nf4: 0x93062317a3b05a11, 4.551640212e-1";

/// The set of kernels is the process's: one test at a time.
static KERNELS: Mutex<()> = Mutex::new(());

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

/// The tiny model.
fn model(precision: Precision) -> Decoder {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tiny_llama");
    let files = ModelFiles::Folder {
        weights: vec![dir.join("model.safetensors")],
        dir,
    };
    Decoder::load(&files, precision, &Device::Cpu).expect("loads")
}

/// Trains four steps on six of the examples, two for validation, until `watch` says stop.
fn train_while(
    model: &mut Decoder,
    folder: &Path,
    micro_batch_tokens: usize,
    watch: &mut dyn FnMut(Event<'_>) -> bool,
) -> Result<Outcome, TrainError> {
    let mut recipe = TrainRecipe::paper(Vec::new(), Vec::new());
    recipe.batch_size = 3;
    recipe.max_steps = Some(4);
    recipe.micro_batch_tokens = micro_batch_tokens;
    recipe.learning_rate = 1e-2;
    recipe.eval_steps = 2;
    recipe.lora.rank = 4;
    let examples = examples();
    let run = TrainingRun {
        recipe: &recipe,
        seed: 3,
        examples: &examples[..6],
        validation: &examples[6..],
        checkpoint: folder.join("checkpoint.safetensors"),
        inputs: String::new(),
        setup: String::new(),
    };
    train(model, &run, &mut Alone, watch)
}

fn train_a_little(precision: Precision) -> Vec<f64> {
    let folder = tempfile::tempdir().expect("a folder");
    let outcome = train_while(&mut model(precision), folder.path(), 24, &mut |_| true);
    values(&outcome.expect("trains"))
}

/// The adapter's values, losses and norms.
fn values(outcome: &Outcome) -> Vec<f64> {
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
    let _alone = KERNELS.lock().unwrap_or_else(PoisonError::into_inner);
    check_numbers("training", KNOWN, train_a_little);
}

/// A step of a large model takes minutes, a validation more: a stop is heard within both, and what
/// was begun is done anew.
#[test]
fn a_training_stopped_at_any_micro_batch_resumes_to_the_same_numbers() {
    let _alone = KERNELS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut model = model(Precision::F32);
    let mut pieces = 0;
    let folder = tempfile::tempdir().expect("a folder");
    let whole = train_while(&mut model, folder.path(), 12, &mut |event| {
        pieces += usize::from(matches!(event, Event::Working));
        true
    });
    let whole = values(&whole.expect("trains"));
    assert!(
        pieces > 7,
        "{pieces} micro-batches in 4 steps and 3 validations"
    );
    for stop in 0..pieces {
        let folder = tempfile::tempdir().expect("a folder");
        let mut seen = 0;
        let stopped = train_while(&mut model, folder.path(), 12, &mut |event| {
            let working = matches!(event, Event::Working);
            seen += usize::from(working);
            !(working && seen == stop + 1)
        });
        assert!(matches!(stopped, Err(TrainError::Stopped(_))), "{stop}");
        assert_eq!(seen, stop + 1, "nothing is run after the stop");
        let resumed = train_while(&mut model, folder.path(), 12, &mut |_| true);
        assert_eq!(values(&resumed.expect("resumes")), whole, "{stop}");
    }
}
