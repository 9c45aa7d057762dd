//! Compares the lens on SmolLM2-135M-Instruct with values made by transformers
//! (`tests/golden/lens.py`): the tokens of every label, which items are dropped, and every
//! point of every curve.
//!
//! `check_lens MODEL.gguf`, in the repository or anywhere else.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::{path::Path, process::ExitCode};

use analyse::lens::{self, LabelTokens};
use candle_core::Device;
use data::{Tokenizer, prompt, tasks, testset};
use hub::ModelFiles;
use model::Decoder;
use schema::{FewShot, LabelSet, Language, inside::LensRecord, task::Precision};
use serde_json::Value;

const CASES: &str = include_str!("../tests/golden/lens_smollm2.json");
/// What a curve may be off; entropies are in bits.
const BOUND: f64 = 1e-4;
const SHOTS: usize = 2;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().collect();
    let [_, model] = arguments.as_slice() else {
        println!("usage: check_lens MODEL.gguf");
        return ExitCode::from(2);
    };
    let files = ModelFiles::Gguf { path: model.into() };
    let decoder = Decoder::load(&files, Precision::F32, &Device::Cpu).unwrap();
    let tokenizer = Tokenizer::load(&files).unwrap();
    let cases: Value = serde_json::from_str(CASES).unwrap();
    let mut check = Check::default();
    for case in cases.as_array().unwrap() {
        check.language(&decoder, &tokenizer, case);
    }
    check.end()
}

#[derive(Default)]
struct Check {
    count: usize,
    failed: usize,
    dropped: usize,
    worst: f64,
    worst_entropy: f64,
}

impl Check {
    fn equal<T: PartialEq + std::fmt::Debug>(&mut self, place: &str, found: T, want: T) {
        self.count += 1;
        if found != want {
            self.failed += 1;
            println!("{place}: {found:?}, not {want:?}");
        }
    }

    fn language(&mut self, decoder: &Decoder, tokenizer: &Tokenizer, case: &Value) {
        let language: Language = case["language"].as_str().unwrap().parse().unwrap();
        let task = tasks::task("emotion").unwrap();
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/mini");
        let set = testset::load(&dir, task, language, None).unwrap();
        let rendered = prompt::render(task, &set, &FewShot::Head(SHOTS), LabelSet::Same).unwrap();
        let cases = case["prompts"].as_array().unwrap();
        let prompts = analyse::encode(tokenizer, &rendered, Some(cases.len())).unwrap();
        let labels = LabelTokens::new(tokenizer, task, language).unwrap();
        for (label, own) in case["own"].as_array().unwrap().iter().enumerate() {
            self.equal(
                &format!("{language} tokens of label {label}"),
                labels.own(label),
                &ids(own),
            );
        }
        let records = lens::read(decoder, &prompts, &labels, None, 2048, &mut |_| true).unwrap();
        for ((record, rendered), case) in records.iter().zip(&rendered.prompts).zip(cases) {
            let place = format!("{language} item {}", record.item);
            self.equal(
                &place,
                rendered.text.as_str(),
                case["text"].as_str().unwrap(),
            );
            self.equal(
                &place,
                record.gold.as_str(),
                task.labels[case["gold"].as_u64().unwrap() as usize].as_str(),
            );
            self.equal(&place, record.shared_tokens.clone(), ids(&case["shared"]));
            if record.is_dropped() {
                self.dropped += 1;
            } else {
                self.curves(&place, record, &case["raw"]);
            }
        }
    }

    fn curves(&mut self, place: &str, record: &LensRecord, want: &Value) {
        let (mut worst, mut entropy) = (self.worst, self.worst_entropy);
        self.curve(place, &record.correct, &want["correct"], &mut worst);
        self.curve(
            place,
            &record.correct_english,
            &want["correct_english"],
            &mut worst,
        );
        self.curve(place, &record.possible, &want["possible"], &mut worst);
        self.curve(
            place,
            &record.possible_english,
            &want["possible_english"],
            &mut worst,
        );
        self.curve(place, &record.entropy, &want["entropy"], &mut entropy);
        (self.worst, self.worst_entropy) = (worst, entropy);
    }

    fn curve(&mut self, place: &str, found: &[f32], want: &Value, worst: &mut f64) {
        let want: Vec<f64> = want
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_f64().unwrap())
            .collect();
        self.equal(place, found.len(), want.len());
        for (layer, (&found, want)) in found.iter().zip(want).enumerate() {
            let off = (f64::from(found) - want).abs() / want.abs().max(1.0);
            *worst = worst.max(off);
            self.count += 1;
            if off > BOUND || off.is_nan() {
                self.failed += 1;
                println!("{place} after layer {layer}: {found}, not {want}");
            }
        }
    }

    fn end(self) -> ExitCode {
        println!(
            "worst probability off by {:.1e}, entropy by a share of {:.1e}",
            self.worst, self.worst_entropy
        );
        println!(
            "{} comparisons, {} failed; {} items dropped",
            self.count, self.failed, self.dropped
        );
        ExitCode::from(u8::from(
            self.failed > 0 || self.count == 0 || self.dropped == 0,
        ))
    }
}

fn ids(list: &Value) -> Vec<u32> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_u64().unwrap() as u32)
        .collect()
}
