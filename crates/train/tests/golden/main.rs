//! The decoder, its gradients and its optimiser against values made with transformers and peft
//! (f32, eager attention).
//!
//! The folder is `LINGUALIGN_GOLDEN` (`tiny_llama`, `tiny_mistral`, `tiny_qwen2` and `families`
//! below it), or the copy in the repository.
// What is printed is shown where a test fails.
#![allow(clippy::print_stdout)]

#[path = "../../../../tests/golden/families.rs"]
mod families;
mod narrower;
mod of_families;

use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use candle_core::{Device, IndexOp, Tensor};
use data::example::Example;
use hub::ModelFiles;
use model::{Adapter, Decoder, Gradients, InstructionSet, Layer, Rows};
use schema::task::Precision;
use serde_json::Value;
use train::{
    adamw::{AdamW, AdamWConfig, HostGradients},
    step,
};

struct Golden {
    dir: PathBuf,
    json: Value,
    /// Where files were made; they go with it.
    _made: Option<tempfile::TempDir>,
}

impl Golden {
    fn open(name: &str) -> Self {
        let root = std::env::var_os("LINGUALIGN_GOLDEN").map_or_else(
            || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden")),
            PathBuf::from,
        );
        let dir = root.join(name);
        let text = std::fs::read_to_string(dir.join("golden.json")).expect("golden.json");
        Self {
            json: serde_json::from_str(&text).expect("JSON"),
            dir,
            _made: None,
        }
    }

    /// Of a family, whose weights are made again.
    fn of_family(name: &str) -> Self {
        let made = tempfile::tempdir().expect("a folder");
        families::write(name, made.path());
        let text = std::fs::read_to_string(made.path().join("golden.json")).expect("golden.json");
        Self {
            json: serde_json::from_str(&text).expect("JSON"),
            dir: made.path().to_owned(),
            _made: Some(made),
        }
    }

    fn model(&self) -> Decoder {
        self.model_in(Precision::F32)
    }

    fn model_in(&self, precision: Precision) -> Decoder {
        let files = ModelFiles::Folder {
            dir: self.dir.clone(),
            weights: vec![self.dir.join("model.safetensors")],
        };
        Decoder::load(&files, precision, &Device::Cpu).expect("loads")
    }

    fn ids(&self) -> Vec<Vec<u32>> {
        self.json["rows"]
            .as_array()
            .expect("rows")
            .iter()
            .map(|r| numbers(&r["ids"]).iter().map(|&x| x as u32).collect())
            .collect()
    }

    fn examples(&self) -> Vec<Example> {
        let prompt_len = numbers(&self.json["lora"]["prompt_len"]);
        self.ids()
            .into_iter()
            .zip(prompt_len)
            .map(|(input_ids, p)| Example {
                input_ids,
                prompt_len: p as usize,
            })
            .collect()
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .expect("a list")
        .iter()
        .map(|v| v.as_f64().expect("a number"))
        .collect()
}

/// Runs `check` with every set of kernels that this processor has. One at a time: the set in
/// use is the process's.
fn with_every_set(check: impl Fn(InstructionSet)) {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let chosen = model::instruction_set();
    for set in InstructionSet::ALL
        .into_iter()
        .filter(|set| set.is_available())
    {
        println!("{set}");
        model::force_instruction_set(set).expect("is available");
        check(set);
    }
    model::force_instruction_set(chosen).expect("was in use");
}

/// |difference| <= 1e-4 x the largest value of the row.
#[track_caller]
fn check_row(what: &str, got: &Tensor, want: &Value) {
    let want = numbers(want);
    let got: Vec<f32> = got.flatten_all().and_then(|t| t.to_vec1()).expect("values");
    assert_eq!(got.len(), want.len(), "{what}");
    let largest = want.iter().fold(0.0f64, |m, w| m.max(w.abs()));
    for (i, (g, w)) in got.iter().zip(&want).enumerate() {
        assert!(
            (f64::from(*g) - w).abs() <= 1e-4 * largest,
            "{what}[{i}]: {g} not {w}"
        );
    }
}

/// All rows in one flat batch, so that packing is checked too.
fn check_forward(name: &str, golden: &Golden) {
    let model = golden.model();
    let ids = golden.ids();
    let rows = Rows::new(ids.iter().map(Vec::len), 0);
    let mut layers: Vec<Tensor> = Vec::new();
    let hidden = model
        .walk(&ids.concat(), &rows, None, &mut |layer, x| {
            assert_eq!(
                layer,
                if layers.is_empty() {
                    Layer::Embedding
                } else {
                    Layer::After(layers.len())
                }
            );
            layers.push(x.clone());
            Ok(())
        })
        .expect("runs");
    // Hugging Face's last entry is after the final norm.
    *layers.last_mut().expect("layers") = model.final_norm(&hidden).expect("norm");
    for (s, want) in golden.json["rows"]
        .as_array()
        .expect("rows")
        .iter()
        .enumerate()
    {
        let range = rows.range(s);
        let last = range.end - 1;
        let logits = model
            .logits(&model.select(&hidden, &[last as u32]).expect("row"))
            .expect("logits");
        check_row(
            &format!("{name} row {s} logits"),
            &logits,
            &want["logits_last"],
        );
        for (l, layer) in layers.iter().enumerate() {
            check_row(
                &format!("{name} row {s} layer {l}"),
                &layer.i(last).expect("row"),
                &want["hidden_last_pos"][l],
            );
            let mean = layer
                .narrow(0, range.start, range.len())
                .and_then(|t| t.mean(0))
                .expect("mean");
            check_row(
                &format!("{name} row {s} layer {l} mean"),
                &mean,
                &want["hidden_mean_pos"][l],
            );
        }
    }
}

fn check_train(golden: &Golden) {
    let mut model = golden.model();
    let mut adapter = Adapter::read(&golden.dir.join("adapter"), model.config()).expect("adapter");
    model.set_adapter(Some(&adapter)).expect("fits");
    let examples = golden.examples();
    let examples: Vec<_> = examples.iter().collect();
    check_lora_logits(golden, &model);
    // One micro-batch of all, and one example at a time: the same loss and gradients.
    for budget in [1000, 1] {
        let (loss, gradients) =
            step::loss_and_gradients(&model, &examples, budget, None).expect("steps");
        assert_eq!(
            loss.target_tokens as u64,
            golden.json["lora"]["target_tokens"]
                .as_u64()
                .expect("a count")
        );
        let want = golden.json["lora"]["loss"].as_f64().expect("a loss");
        assert!(
            (loss.mean() - want).abs() <= 1e-4,
            "loss {} not {want}",
            loss.mean()
        );
        check_gradients(golden, &adapter, &gradients, loss.target_tokens);
    }
    let rate = golden.json["train"]["learning_rate"]
        .as_f64()
        .unwrap_or(1e-2);
    let mut optimiser = AdamW::new(AdamWConfig::new(0.01));
    for (i, want) in numbers(&golden.json["train"]["losses"])
        .into_iter()
        .enumerate()
    {
        let (loss, gradients) =
            step::loss_and_gradients(&model, &examples, 30, None).expect("steps");
        assert!(
            (loss.mean() - want).abs() <= 1e-4,
            "loss {i}: {} not {want}",
            loss.mean()
        );
        let mut gradients =
            HostGradients::take(&adapter, &gradients, 1.0 / loss.target_tokens as f64, i)
                .expect("finite");
        gradients.clip(1.0);
        optimiser
            .update(&mut adapter, &gradients, rate)
            .expect("updates");
        model.set_adapter(Some(&adapter)).expect("fits");
    }
}

fn check_lora_logits(golden: &Golden, model: &Decoder) {
    for (s, ids) in golden.ids().iter().enumerate() {
        let hidden = model
            .hidden(ids, &Rows::new([ids.len()], 0), None)
            .expect("runs");
        let logits = model
            .logits(&model.select(&hidden, &[ids.len() as u32 - 1]).expect("row"))
            .expect("logits");
        check_row(
            &format!("row {s} logits with the adapter"),
            &logits,
            &golden.json["lora"]["logits_last"][s],
        );
    }
}

/// Each gradient to 1e-3 by relative norm.
fn check_gradients(
    golden: &Golden,
    adapter: &Adapter,
    gradients: &Gradients,
    target_tokens: usize,
) {
    let want =
        candle_core::safetensors::load(golden.dir.join("lora_grads.safetensors"), &Device::Cpu)
            .expect("gradients");
    assert_eq!(
        want.len(),
        2 * adapter.weights.len(),
        "every projection has an adapter"
    );
    for &place in adapter.weights.keys() {
        let got = gradients.get(place).expect("a gradient");
        for (half, got) in [("lora_A", &got.a), ("lora_B", &got.b)] {
            let want = &want[&format!("base_model.model.{place}.{half}.weight")];
            let got = (got / target_tokens as f64).expect("scaled");
            let norm = |t: &Tensor| {
                t.sqr()
                    .and_then(|t| t.sum_all())
                    .and_then(|t| t.to_scalar::<f32>())
                    .expect("norm")
                    .sqrt()
            };
            let off = norm(&(got - want).expect("one shape"));
            assert!(
                off <= 1e-3 * norm(want),
                "{place}.{half}: off by {off} of {}",
                norm(want)
            );
        }
    }
}

#[test]
fn golden_llama_forward() {
    with_every_set(|_| check_forward("tiny_llama", &Golden::open("tiny_llama")));
}

#[test]
fn golden_mistral_forward() {
    with_every_set(|_| check_forward("tiny_mistral", &Golden::open("tiny_mistral")));
}

#[test]
fn golden_qwen2_forward() {
    with_every_set(|_| check_forward("tiny_qwen2", &Golden::open("tiny_qwen2")));
}

#[test]
fn golden_llama_train() {
    with_every_set(|_| check_train(&Golden::open("tiny_llama")));
}

#[test]
fn golden_mistral_train() {
    with_every_set(|_| check_train(&Golden::open("tiny_mistral")));
}

#[test]
fn golden_qwen2_train() {
    with_every_set(|_| check_train(&Golden::open("tiny_qwen2")));
}

/// The first ids of a row again and again, with endings and sources of their own.
fn examples_with_common_beginnings(golden: &Golden) -> Vec<Example> {
    let rows = golden.ids();
    let (first, other) = (&rows[0], &rows[1]);
    let example = |ids: Vec<u32>, prompt_len| Example {
        input_ids: ids,
        prompt_len,
    };
    let begin = |n: usize, rest: &[u32]| [&first[..n.min(first.len())], rest].concat();
    vec![
        example(first.clone(), 5),
        example(begin(8, &other[..6]), 6),
        example(other.clone(), 4),
        example(begin(8, &[7, 3, 9]), 5),
        example(begin(8, &[7, 3, 1, 2]), 9),
        example(begin(8, &[7, 3, 9]), 5),
    ]
}

/// Sums over examples one at a time share nothing.
#[test]
fn a_shared_beginning_changes_neither_loss_nor_gradients() {
    for name in ["tiny_llama", "tiny_mistral", "tiny_qwen2"] {
        let golden = Golden::open(name);
        let mut model = golden.model();
        let adapter = Adapter::read(&golden.dir.join("adapter"), model.config()).expect("adapter");
        model.set_adapter(Some(&adapter)).expect("fits");
        let examples = examples_with_common_beginnings(&golden);
        let examples: Vec<_> = examples.iter().collect();
        let (mut sum, mut tokens, mut want) = (0.0, 0, std::collections::BTreeMap::new());
        for example in &examples {
            let (loss, gradients) =
                step::loss_and_gradients(&model, &[example], 1000, None).expect("steps");
            sum += loss.sum;
            tokens += loss.tokens;
            for &place in adapter.weights.keys() {
                let got = gradients.get(place).expect("a gradient");
                let halves = want
                    .entry(place)
                    .or_insert_with(|| [&got.a, &got.b].map(|g| g.zeros_like().expect("0")));
                *halves = [
                    (&halves[0] + &got.a).expect("sum"),
                    (&halves[1] + &got.b).expect("sum"),
                ];
            }
        }
        for budget in [1000, 30, 1] {
            let (loss, gradients) =
                step::loss_and_gradients(&model, &examples, budget, None).expect("steps");
            assert!(
                (loss.sum - sum).abs() <= 1e-5 * sum,
                "{name}, {budget}: {} not {sum}",
                loss.sum
            );
            assert_eq!(loss.tokens, tokens, "each example's own");
            let alone = step::loss(&model, &examples, budget).expect("runs").sum;
            assert!(
                (alone - sum).abs() <= 1e-5 * sum,
                "{name}, {budget}, without gradients: {alone} not {sum}"
            );
            for (&place, want) in &want {
                let got = gradients.get(place).expect("a gradient");
                for (got, want) in [&got.a, &got.b].into_iter().zip(want) {
                    let norm = |t: &Tensor| {
                        t.sqr()
                            .and_then(|t| t.sum_all()?.to_scalar::<f32>())
                            .expect("norm")
                            .sqrt()
                    };
                    let off = norm(&(got - want).expect("one shape"));
                    assert!(
                        off <= 1e-5 * norm(want),
                        "{name}, {budget}, {place}: off by {off} of {}",
                        norm(want)
                    );
                }
            }
        }
    }
}

/// Two equal examples would have one mask between them if their rows were shared; then their
/// losses would be the same.
#[test]
fn dropout_gives_each_example_its_own_mask() {
    let golden = Golden::open("tiny_llama");
    let mut model = golden.model();
    model
        .set_adapter(Some(
            &Adapter::read(&golden.dir.join("adapter"), model.config()).expect("adapter"),
        ))
        .expect("fits");
    let example = &golden.examples()[0];
    let dropout = Some(model::ops::lora::Dropout {
        share: 0.5,
        seed: 3,
    });
    let loss = |examples: &[&Example]| {
        step::loss_and_gradients(&model, examples, 1000, dropout)
            .expect("steps")
            .0
            .sum
    };
    let (one, two) = (loss(&[example]), loss(&[example, example]));
    assert!((two - 2.0 * one).abs() > 1e-4 * one, "{two} is twice {one}");
}
