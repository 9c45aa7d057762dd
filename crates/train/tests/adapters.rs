//! DoRA, rsLoRA, LoRA+ and PiSSA against values that PEFT made (`tests/golden/make_adapters.py`): logits,
//! loss, gradients and ten losses, with every set of kernels that this processor has.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use candle_core::{Device, Tensor};
use data::example::Example;
use hub::ModelFiles;
use model::{Adapter, Decoder, InstructionSet, LayerProjection, LoraConfig, Projection, Rows};
use schema::task::Precision;
use serde_json::Value;
use train::{
    adamw::{AdamW, AdamWConfig, AdapterPart, HostGradients},
    step,
};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden")
}

/// One kind of adapter on one model.
struct Kind {
    dir: PathBuf,
    json: Value,
    model: Decoder,
    examples: Vec<Example>,
}

impl Kind {
    fn open(name: &str) -> Self {
        let read = |file: PathBuf| -> Value {
            let text = std::fs::read_to_string(file).expect("a golden file");
            serde_json::from_str(&text).expect("JSON")
        };
        let dir = golden().join("adapters").join(name);
        let json = read(dir.join("golden.json"));
        let base = golden().join(json["model"].as_str().expect("a model"));
        let rows = read(base.join("golden.json"));
        let rows = rows["rows"].as_array().expect("rows");
        let examples = rows
            .iter()
            .zip(numbers(&json["prompt_len"]))
            .map(|(row, prompt_len)| Example {
                input_ids: numbers(&row["ids"]).iter().map(|&id| id as u32).collect(),
                prompt_len: prompt_len as usize,
            })
            .collect();
        let files = ModelFiles::Folder {
            weights: vec![base.join("model.safetensors")],
            dir: base,
        };
        let model = Decoder::load(&files, Precision::F32, &Device::Cpu).expect("loads");
        Self {
            dir,
            json,
            model,
            examples,
        }
    }

    fn tensors(&self, file: &str) -> HashMap<String, Tensor> {
        candle_core::safetensors::load(self.dir.join(file), &Device::Cpu).expect("tensors")
    }

    /// Each row's last logits to 1e-4 of its largest.
    fn check_logits(&self, key: &str) {
        for (example, want) in self
            .examples
            .iter()
            .zip(self.json[key].as_array().expect("rows"))
        {
            let ids = &example.input_ids;
            let hidden = self.model.hidden_at(
                ids,
                &Rows::new([ids.len()], 0),
                None,
                &[ids.len() as u32 - 1],
            );
            let logits = self.model.logits(&hidden.expect("runs")).expect("logits");
            let got: Vec<f32> = logits
                .flatten_all()
                .and_then(|l| l.to_vec1())
                .expect("values");
            let want = numbers(want);
            let largest = want.iter().fold(1.0f64, |m, w| m.max(w.abs()));
            for (at, (got, want)) in got.iter().zip(&want).enumerate() {
                assert!(
                    (f64::from(*got) - want).abs() <= 1e-4 * largest,
                    "{key} {at}: {got} not {want}"
                );
            }
        }
    }

    /// Ten updates; `adapter` is on the model.
    fn check_losses(
        &mut self,
        mut adapter: Adapter,
        config: AdamWConfig,
        rate: f64,
        tolerance: f64,
    ) {
        let examples: Vec<&Example> = self.examples.iter().collect();
        let mut optimiser = AdamW::new(config);
        for (at, want) in numbers(&self.json["losses"]).into_iter().enumerate() {
            let (loss, gradients) =
                step::loss_and_gradients(&self.model, &examples, 30, None).expect("steps");
            assert!(
                (loss.mean() - want).abs() <= tolerance,
                "loss {at}: {} not {want}",
                loss.mean()
            );
            let scale = 1.0 / loss.target_tokens as f64;
            let mut gradients =
                HostGradients::take(&adapter, &gradients, scale, at).expect("finite");
            gradients.clip(1.0);
            optimiser
                .update(&mut adapter, &gradients, rate)
                .expect("updates");
            self.model.set_adapter(Some(&adapter)).expect("fits");
        }
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    serde_json::from_value(value.clone()).expect("numbers")
}

/// Runs `check` with every set of kernels that this processor has. One at a time: the set in
/// use is the process's.
fn with_every_set(check: impl Fn()) {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let chosen = model::instruction_set();
    for set in InstructionSet::ALL
        .into_iter()
        .filter(|set| set.is_available())
    {
        model::force_instruction_set(set).expect("is available");
        check();
    }
    model::force_instruction_set(chosen).expect("was in use");
}

fn norm(values: &[f32]) -> f64 {
    values
        .iter()
        .map(|&v| f64::from(v) * f64::from(v))
        .sum::<f64>()
        .sqrt()
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor
        .flatten_all()
        .and_then(|t| t.to_vec1())
        .expect("values")
}

/// To 1e-3 by relative norm.
#[track_caller]
fn check_near(what: &str, got: &[f32], want: &[f32]) {
    assert_eq!(got.len(), want.len(), "{what}");
    let apart: Vec<f32> = got.iter().zip(want).map(|(g, w)| g - w).collect();
    assert!(
        norm(&apart) <= 1e-3 * norm(want),
        "{what}: off by {} of {}",
        norm(&apart),
        norm(want)
    );
}

fn peft_name(place: LayerProjection, part: AdapterPart) -> String {
    let end = match part {
        AdapterPart::A | AdapterPart::B => ".weight",
        AdapterPart::Magnitude => "",
    };
    format!("base_model.model.{place}.{}{end}", part.name())
}

/// The gradients of the mean loss, by place and part.
fn gradients(kind: &Kind, adapter: &Adapter, budget: usize) -> HostGradients {
    let examples: Vec<&Example> = kind.examples.iter().collect();
    let (loss, gradients) =
        step::loss_and_gradients(&kind.model, &examples, budget, None).expect("steps");
    let want = kind.json["loss"].as_f64().expect("a loss");
    assert!(
        (loss.mean() - want).abs() <= 1e-4,
        "loss {} not {want}",
        loss.mean()
    );
    HostGradients::take(adapter, &gradients, 1.0 / loss.target_tokens as f64, 0).expect("finite")
}

fn check_kind(name: &str, config: AdamWConfig, rate: f64) {
    let mut kind = Kind::open(name);
    let adapter = Adapter::read(&kind.dir, kind.model.config()).expect("reads");
    kind.model.set_adapter(Some(&adapter)).expect("fits");
    kind.check_logits("logits_last");
    let want = kind.tensors("grads.safetensors");
    for (budget, checkpointing) in [(1000, false), (1, true)] {
        kind.model.set_activation_checkpointing(checkpointing);
        let got = gradients(&kind, &adapter, budget);
        let mut found = 0;
        for (&place, weights) in &adapter.weights {
            for (part, _) in AdapterPart::of(weights) {
                let name = peft_name(place, part);
                check_near(
                    &name,
                    got.get(place, part).expect("a gradient"),
                    &flat(&want[&name]),
                );
                found += 1;
            }
        }
        assert_eq!(found, want.len(), "{name}");
    }
    kind.check_losses(adapter, config, rate, 1e-4);
}

#[test]
fn dora_is_pefts() {
    for name in ["dora_llama", "dora_mistral", "dora_qwen2"] {
        with_every_set(|| check_kind(name, AdamWConfig::new(0.01), 1e-2));
    }
}

#[test]
fn rslora_is_pefts() {
    with_every_set(|| check_kind("rslora_llama", AdamWConfig::new(0.01), 1e-2));
}

#[test]
fn lora_plus_is_pefts() {
    let config = AdamWConfig {
        b_ratio: 8.0,
        ..AdamWConfig::new(0.01)
    };
    with_every_set(|| check_kind("loraplus_qwen2", config, 2e-3));
}

/// What is written is what was read, and says so to PEFT.
#[test]
fn every_kind_is_written_as_it_was_read() {
    for name in ["dora_mistral", "rslora_llama", "pissa_qwen2"] {
        let kind = Kind::open(name);
        let adapter = Adapter::read(&kind.dir, kind.model.config()).expect("reads");
        let folder = tempfile::tempdir().expect("a folder");
        adapter.write(folder.path(), "base").expect("writes");
        let again = Adapter::read(folder.path(), kind.model.config()).expect("reads");
        assert_eq!(
            (adapter.config, adapter.weights.len()),
            (again.config, again.weights.len())
        );
        for (place, weights) in &adapter.weights {
            let other = &again.weights[place];
            assert!((weights.scale - other.scale).abs() < 1e-12, "{place}");
            for ((_, one), (_, two)) in AdapterPart::of(weights)
                .into_iter()
                .zip(AdapterPart::of(other))
            {
                assert_eq!(flat(one), flat(two), "{name} {place}");
            }
        }
        let names = |dir: &Path| {
            let found =
                candle_core::safetensors::load(dir.join("adapter_model.safetensors"), &Device::Cpu);
            let mut names: Vec<String> = found.expect("tensors").into_keys().collect();
            names.sort();
            names
        };
        assert_eq!(names(folder.path()), names(&kind.dir), "{name}");
    }
}

/// Our start in the weights: PEFT's product, its gradients up to the signs of the singular vectors,
/// its losses, and a finished adapter that is plain LoRA.
fn check_pissa(name: &str, rslora: bool) {
    let mut kind = Kind::open(name);
    let config = LoraConfig {
        rank: 4,
        alpha: 12.0,
        dropout: 0.0,
        targets: Projection::ALL.to_vec(),
        rslora,
        dora: false,
    };
    let mut adapter =
        Adapter::new(config, kind.model.config(), |_, count| vec![0.0; count]).expect("fits");
    let mut state = 5u64;
    let draw = |count: usize| {
        let mut one = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 40) as f32 / 8_388_608.0 - 1.0
        };
        (0..count).map(|_| one()).collect()
    };
    kind.model
        .start_in_weights(&mut adapter, draw)
        .expect("starts");
    assert_eq!(adapter.config.rank, 8);
    assert!(
        (adapter.config.scale(8) - adapter.weights.values().next().expect("one").scale).abs()
            < 1e-12
    );
    kind.model.set_adapter(Some(&adapter)).expect("fits");
    kind.check_logits("logits_last");
    let (start, want) = (
        kind.tensors("start.safetensors"),
        kind.tensors("grads.safetensors"),
    );
    let got = gradients(&kind, &adapter, 1000);
    for (&place, weights) in &adapter.weights {
        let [peft_a, peft_b] =
            [AdapterPart::A, AdapterPart::B].map(|part| &start[&peft_name(place, part)]);
        let (a, b) = (
            weights.a.narrow(0, 0, 4).expect("half"),
            weights.b.narrow(1, 0, 4).expect("half"),
        );
        let product = |b: &Tensor, a: &Tensor| {
            flat(&b.contiguous().and_then(|b| b.matmul(a)).expect("a product"))
        };
        check_near(
            &format!("{place}"),
            &product(&b, &a),
            &product(peft_b, peft_a),
        );
        let inner = a.dims2().expect("a matrix").1;
        let (ours, theirs) = (flat(&a), flat(peft_a));
        let d_a = got.get(place, AdapterPart::A).expect("a gradient");
        let name = peft_name(place, AdapterPart::A);
        for (row, want) in flat(&want[&name]).chunks(inner).enumerate() {
            let at = row * inner..(row + 1) * inner;
            let along: f32 = ours[at.clone()]
                .iter()
                .zip(&theirs[at.clone()])
                .map(|(o, t)| o * t)
                .sum();
            let got: Vec<f32> = d_a[at].iter().map(|g| g * along.signum()).collect();
            check_near(&format!("{name} row {row}"), &got, want);
        }
        assert!(
            d_a[4 * inner..].iter().all(|g| *g == 0.0),
            "the taken half has no gradient"
        );
    }
    // AdamW's first updates have the sign of the gradient however small it is: ten losses are equal
    // from the same start alone, and as far as W - B A and [A; A] round alike.
    for (&place, weights) in &mut adapter.weights {
        let [a, b] =
            [AdapterPart::A, AdapterPart::B].map(|part| start[&peft_name(place, part)].clone());
        weights.a = Tensor::cat(&[&a, &a], 0).expect("halves");
        let taken = b.neg().expect("minus");
        let b = Tensor::cat(&[&b, &taken], 1).and_then(|b| b.contiguous());
        weights.b = b.expect("halves");
    }
    kind.model.set_adapter(Some(&adapter)).expect("fits");
    kind.check_losses(adapter, AdamWConfig::new(0.01), 1e-2, 1e-3);

    // PEFT's own conversion of the trained adapter, read by us.
    let converted = Adapter::read(&kind.dir, kind.model.config()).expect("reads");
    assert_eq!(converted.config.rank, 8);
    kind.model.set_adapter(Some(&converted)).expect("fits");
    kind.check_logits("logits_last_trained");
}

#[test]
fn pissa_is_pefts() {
    with_every_set(|| check_pissa("pissa_qwen2", false));
    with_every_set(|| check_pissa("pissa_mistral", true));
}
