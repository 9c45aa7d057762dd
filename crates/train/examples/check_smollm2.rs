//! Compares the decoder on a real model with values made by transformers and peft
//! (`tests/golden/make_smollm2.py`): logits, hidden states and lens of six prompts; loss, every
//! LoRA gradient and five AdamW steps of one batch.
//!
//! `check_smollm2 MODEL.gguf GOLDEN_DIR`, with `smollm2_forward_f32.json` and
//! `smollm2_lora_f32.json` in the folder.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::{collections::BTreeMap, path::Path, process::ExitCode};

use candle_core::{Device, IndexOp, Tensor};
use data::{Tokenizer, example::Example};
use hub::ModelFiles;
use model::{
    Adapter, Decoder, LayerProjection, LoraConfig, Projection, Rows, adapter::LoraWeights,
    ops::softmax,
};
use schema::task::Precision;
use serde_json::Value;
use train::{
    adamw::{AdamW, AdamWConfig, HostGradients},
    step,
};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().collect();
    let [_, model, golden] = arguments.as_slice() else {
        println!("usage: check_smollm2 MODEL.gguf GOLDEN_DIR");
        return ExitCode::from(2);
    };
    let files = ModelFiles::Gguf { path: model.into() };
    let mut decoder = Decoder::load(&files, Precision::F32, &Device::Cpu).unwrap();
    let mut check = Check::default();
    let read = |name: &str| -> Value {
        serde_json::from_str(&std::fs::read_to_string(Path::new(golden).join(name)).unwrap())
            .unwrap()
    };
    forward(
        &decoder,
        &Tokenizer::load(&files).unwrap(),
        &read("smollm2_forward_f32.json"),
        &mut check,
    );
    lora(&mut decoder, &read("smollm2_lora_f32.json"), &mut check);
    check.end()
}

/// Counts comparisons and keeps the worst of each kind.
#[derive(Default)]
struct Check {
    worst: BTreeMap<String, (f64, f64)>,
    failed: usize,
    count: usize,
}

impl Check {
    /// |got - want| must not be above `bound`.
    fn close(&mut self, what: &str, got: f64, want: f64, bound: f64) {
        self.count += 1;
        let off = (got - want).abs();
        let entry = self.worst.entry(what.to_owned()).or_insert((0.0, bound));
        if off / bound > entry.0 / entry.1 {
            *entry = (off, bound);
        }
        if off > bound || off.is_nan() {
            self.failed += 1;
            if self.failed < 20 {
                println!("{what}: {got} is not {want} (off by {off:.2e}, allowed {bound:.2e})");
            }
        }
    }

    fn end(self) -> ExitCode {
        for (what, (off, bound)) in &self.worst {
            println!("{what:<24} worst {off:.2e} of {bound:.2e}");
        }
        println!("{} comparisons, {} failed", self.count, self.failed);
        ExitCode::from(u8::from(self.failed > 0 || self.count == 0))
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_f64().unwrap())
        .collect()
}

fn ids(value: &Value) -> Vec<u32> {
    numbers(value).into_iter().map(|x| x as u32).collect()
}

fn values(tensor: &Tensor) -> Vec<f64> {
    tensor
        .flatten_all()
        .unwrap()
        .to_vec1::<f32>()
        .unwrap()
        .into_iter()
        .map(f64::from)
        .collect()
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum::<f64>().sqrt()
}

/// 1e-4 x max(1, largest value of the row), the measure of the tiny models' golden tests.
fn bound(row: &[f64]) -> f64 {
    1e-4 * row.iter().fold(1.0f64, |m, v| m.max(v.abs()))
}

fn forward(decoder: &Decoder, tokenizer: &Tokenizer, golden: &Value, check: &mut Check) {
    let lens_ids = ids(&golden["lens_ids"]);
    for prompt in golden["prompts"].as_array().unwrap() {
        let input_ids = ids(&prompt["ids"]);
        let encoded = tokenizer
            .encode_plain(prompt["text"].as_str().unwrap())
            .unwrap();
        check.close(
            "token ids that differ",
            f64::from(u8::from(encoded != input_ids)),
            0.0,
            0.5,
        );
        let mut layers: Vec<Tensor> = Vec::new();
        let last = input_ids.len() - 1;
        let rows = Rows::new([input_ids.len()], 0);
        let walk = &mut |_, x: &Tensor| {
            layers.push(x.narrow(0, last, 1)?);
            Ok(())
        };
        decoder.walk(&input_ids, &rows, None, walk).unwrap();
        let end = layers.len() - 1;
        let logits = values(&decoder.logits(&layers[end]).unwrap());
        for pair in prompt["top20"].as_array().unwrap() {
            let (id, want) = (
                pair[0].as_u64().unwrap() as usize,
                pair[1].as_f64().unwrap(),
            );
            check.close("logits", logits[id], want, bound(&logits));
        }
        let max = logits.iter().fold(f64::NEG_INFINITY, |m, &v| m.max(v));
        let log_sum = max + logits.iter().map(|l| (l - max).exp()).sum::<f64>().ln();
        check.close(
            "log sum exp",
            log_sum,
            prompt["logsumexp"].as_f64().unwrap(),
            bound(&logits),
        );
        for (l, layer) in layers.iter().enumerate() {
            // The reference's last hidden state is after the final norm.
            let state = if l == end {
                decoder.final_norm(layer).unwrap()
            } else {
                layer.clone()
            };
            let state = values(&state);
            let want = numbers(&prompt["hidden_first8"][l]);
            for (got, want) in state.iter().zip(&want) {
                check.close("hidden states", *got, *want, bound(&state));
            }
            check.close(
                "hidden norms",
                norm(&state),
                prompt["hidden_l2"][l].as_f64().unwrap(),
                1e-4 * norm(&state),
            );
            let p = values(&softmax::softmax(&decoder.logits(layer).unwrap()).unwrap());
            for (id, want) in lens_ids.iter().zip(numbers(&prompt["lens_prob"][l])) {
                check.close("lens probabilities", p[*id as usize], want, 1e-4);
            }
        }
    }
}

/// The adapter whose matrices follow the formula in the golden file.
fn formula_adapter(
    golden: &Value,
    layers: usize,
    shape: impl Fn(&str) -> (usize, usize),
) -> Adapter {
    let rank = golden["r"].as_u64().unwrap() as usize;
    let alpha = golden["alpha"].as_f64().unwrap();
    let targets = [Projection::Q, Projection::V];
    let fill = |count: usize, step: f64, offset: f64| -> Vec<f32> {
        (0..count)
            .map(|t| (0.02 * (step * t as f64 + offset).sin()) as f32)
            .collect()
    };
    let mut weights = BTreeMap::new();
    for layer in 0..layers {
        for (c, &projection) in targets.iter().enumerate() {
            let (out, inner) = shape(projection.name());
            let offset = 1.3 * layer as f64 + c as f64;
            let a = Tensor::from_vec(
                fill(rank * inner, 0.37, offset),
                (rank, inner),
                &Device::Cpu,
            )
            .unwrap();
            let b = Tensor::from_vec(
                fill(out * rank, 0.53, offset + 0.5),
                (out, rank),
                &Device::Cpu,
            )
            .unwrap();
            weights.insert(
                LayerProjection { layer, projection },
                LoraWeights {
                    a,
                    b,
                    scale: alpha / rank as f64,
                    magnitude: None,
                    frozen: 0,
                },
            );
        }
    }
    Adapter {
        config: LoraConfig {
            rank,
            alpha,
            dropout: 0.0,
            targets: targets.to_vec(),
            rslora: false,
            dora: false,
        },
        weights,
    }
}

fn lora(decoder: &mut Decoder, golden: &Value, check: &mut Check) {
    let examples: Vec<Example> = golden["ids"]
        .as_array()
        .unwrap()
        .iter()
        .zip(numbers(&golden["prompt_len"]))
        .map(|(row, p)| Example {
            input_ids: ids(row),
            prompt_len: p as usize,
        })
        .collect();
    let examples: Vec<_> = examples.iter().collect();
    let without = step::loss(decoder, &examples, 400).unwrap().mean();
    check.close(
        "loss without LoRA",
        without,
        golden["loss_without_lora"].as_f64().unwrap(),
        1e-4,
    );
    let config = decoder.config().clone();
    let mut adapter = formula_adapter(golden, config.num_hidden_layers, |name| {
        config.projection_shape(name).unwrap()
    });
    decoder.set_adapter(Some(&adapter)).unwrap();
    let (loss, gradients) = step::loss_and_gradients(decoder, &examples, 400, None).unwrap();
    check.close(
        "target tokens",
        loss.target_tokens as f64,
        golden["target_tokens"].as_f64().unwrap(),
        0.5,
    );
    check.close("loss", loss.mean(), golden["loss"].as_f64().unwrap(), 1e-4);
    for want in golden["grads"].as_array().unwrap() {
        let projection = Projection::by_name(want["module"].as_str().unwrap()).unwrap();
        let got = gradients
            .get(LayerProjection {
                layer: want["layer"].as_u64().unwrap() as usize,
                projection,
            })
            .unwrap();
        let got = if want["matrix"] == "A" {
            &got.a
        } else {
            &got.b
        };
        let got: Vec<f64> = values(&got.i(..).unwrap())
            .into_iter()
            .map(|g| g / loss.target_tokens as f64)
            .collect();
        let size = want["l2"].as_f64().unwrap();
        check.close("gradient norms", norm(&got), size, 1e-3 * size);
        for (g, w) in got.iter().zip(numbers(&want["first4"])) {
            check.close("gradient values", *g, w, 1e-3 * size);
        }
    }
    let mut optimiser = AdamW::new(AdamWConfig::new(0.01));
    for want in numbers(&golden["loss_after_step"]) {
        let (loss, gradients) = step::loss_and_gradients(decoder, &examples, 400, None).unwrap();
        let gradients =
            HostGradients::take(&adapter, &gradients, 1.0 / loss.target_tokens as f64, 0).unwrap();
        optimiser.update(&mut adapter, &gradients, 1e-3).unwrap();
        decoder.set_adapter(Some(&adapter)).unwrap();
        check.close(
            "losses of five steps",
            step::loss(decoder, &examples, 400).unwrap().mean(),
            want,
            1e-4,
        );
    }
}
