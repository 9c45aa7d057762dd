//! A made-up run with known causes: the base model prefers some labels; one setting only moves
//! that preference, the other separates the labels better. Seeded, without any model.
#![allow(dead_code)] // each test file takes what it needs

pub(crate) mod grid;
pub(crate) mod inside;

use std::{collections::BTreeMap, fs, path::Path};

use schema::{
    AnswerRecord, LabelSet, Language, PromptForm, Scoring, Setting, StepRecord, ValidationRecord,
    record::TrainRecord, run_folder::RunFolder,
};

/// Knuth's 64-bit linear congruential generator.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// In 0..1.
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// About normal: the sum of twelve uniforms, centred.
    pub(crate) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// What a model knows and prefers.
#[derive(Clone, Copy)]
pub(crate) struct Mind {
    /// Distance between the labels' scores, in standard deviations.
    pub(crate) separation: f64,
    /// How much of the base's preference is left.
    pub(crate) preference: f64,
    /// Noise of its own.
    pub(crate) seed: u64,
}

/// A task's name and labels.
pub(crate) struct Shape {
    pub(crate) task: &'static str,
    pub(crate) labels: &'static [&'static str],
    pub(crate) items: usize,
}

pub(crate) const EMOTION: Shape = Shape {
    task: "emotion",
    labels: &["positive", "negative"],
    items: 40,
};
pub(crate) const SNLI: Shape = Shape {
    task: "snli",
    labels: &["entailment", "neutral", "contradiction"],
    items: 42,
};
pub(crate) const BASE: Mind = Mind {
    separation: 0.9,
    preference: 1.0,
    seed: 1,
};

/// The answers of one model in one language.
pub(crate) fn answers(
    shape: &Shape,
    language: Language,
    mind: Mind,
    adapter: Option<&str>,
) -> Vec<AnswerRecord> {
    let place = Language::ALL
        .iter()
        .position(|l| *l == language)
        .expect("one of all") as u64;
    let (mut of_item, mut own) = (Random(7), Random(1000 * mind.seed + place));
    let preferences: Vec<f64> = {
        let mut of_language = Random(50 + place);
        shape
            .labels
            .iter()
            .map(|_| 1.3 * of_language.normal() * mind.preference)
            .collect()
    };
    let skill = mind.separation * (1.6 - 0.06 * place as f64);
    let record = |item: usize| {
        let gold = item % shape.labels.len();
        let logits: Vec<f64> = (0..shape.labels.len())
            .map(|label| {
                let hit = if label == gold { skill } else { 0.0 };
                hit + 0.6 * of_item.normal() + 0.5 * own.normal() + preferences[label]
            })
            .collect();
        let mass = 0.4 + 0.5 * own.uniform();
        let scores = softmax(&logits).into_iter().map(|share| mass * share);
        let prior = softmax(&preferences).into_iter().map(|share| 0.7 * share);
        let named = |values: Vec<f64>| -> BTreeMap<String, f64> {
            shape
                .labels
                .iter()
                .map(|label| (*label).to_owned())
                .zip(values)
                .collect()
        };
        let scores = named(scores.collect());
        let best = scores.values().copied().fold(0.0, f64::max);
        let chosen = *shape
            .labels
            .iter()
            .find(|label| scores[**label] == best)
            .expect("the best");
        AnswerRecord {
            model: "smollm2-135m-instruct".to_owned(),
            adapter: adapter.map(str::to_owned),
            task: shape.task.to_owned(),
            language,
            item,
            group: (shape.labels.len() == 3).then_some(item as u64 / 3),
            gold: shape.labels[gold].to_owned(),
            chosen: chosen.to_owned(),
            correct: chosen == shape.labels[gold],
            scores,
            prior: named(prior.collect()),
            prefix_scores: BTreeMap::new(),
            log_probs: BTreeMap::new(),
            label_tokens: BTreeMap::new(),
            label_bytes: BTreeMap::new(),
            label_characters: BTreeMap::new(),
            prior_log_probs: BTreeMap::new(),
            domain_log_probs: BTreeMap::new(),
            said: None,
            tied: false,
            scoring: Scoring::Prefix,
            labels: LabelSet::English,
            protocol: None,
            few_shot: "head:2".to_owned(),
            prompt: PromptForm::Plain,
            prompt_tokens: 300,
            prompt_hash: None,
            caveats: Vec::new(),
        }
    };
    (0..shape.items).map(record).collect()
}

fn softmax(logits: &[f64]) -> Vec<f64> {
    let exponentials: Vec<f64> = logits.iter().map(|logit| logit.exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials.iter().map(|e| e / sum).collect()
}

/// JSON Lines.
pub(crate) fn lines<T: serde::Serialize>(records: &[T]) -> String {
    records
        .iter()
        .map(|record| serde_json::to_string(record).expect("plain values") + "\n")
        .collect()
}

/// Writes a file, making its folder.
pub(crate) fn put(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    fs::write(path, text).expect("writes");
}

/// Writes one model's answers in `languages`.
pub(crate) fn put_answers(
    run: &RunFolder,
    model: &str,
    shape: &Shape,
    languages: &[Language],
    mind: Mind,
) {
    let adapter = (model != "base").then_some(model);
    for &language in languages {
        let text = lines(&answers(shape, language, mind, adapter));
        put(&run.answers(model, shape.task, "english", language), &text);
    }
}

/// A falling loss with noise, and validations.
pub(crate) fn training(updates: usize, seed: u64) -> Vec<TrainRecord> {
    let mut random = Random(seed);
    let curve = |update: usize| 1.25 + 1.4 * (-(update as f64) / (updates as f64 / 5.0)).exp();
    let mut records = Vec::new();
    let mut lowest = f64::INFINITY;
    for step in 0..=updates {
        if step > 0 {
            records.push(TrainRecord::Step(StepRecord {
                step,
                epoch: step as f64 / updates as f64,
                loss: curve(step) * (1.0 + 0.12 * random.normal()),
                learning_rate: 1e-4,
                grad_norm: 1.0,
                tokens: 2100,
                target_tokens: 1200,
                seconds: 1.7,
            }));
        }
        if step % (updates / 8) == 0 {
            let late = 0.25 * (step as f64 / updates as f64).powi(3);
            let loss = curve(step) + 0.08 + late;
            records.push(TrainRecord::Validation(ValidationRecord {
                step,
                loss,
                best: loss < lowest,
            }));
            lowest = lowest.min(loss);
        }
    }
    records
}

/// A whole run: two tasks, a setting of three seeds that separates better, and one that only
/// moves the preference.
pub(crate) fn put_run(root: &Path, languages: &[Language]) -> RunFolder {
    let run = RunFolder::new(root);
    let better: Setting = "zh/de=>en".parse().expect("a setting");
    let moved: Setting = "sw=>en".parse().expect("a setting");
    put_answers(&run, "base", &EMOTION, languages, BASE);
    put_answers(&run, "base", &SNLI, languages, BASE);
    for seed in 1..=3 {
        let adapter = format!("emotion.{}.seed{seed}", better.slug());
        let mind = Mind {
            separation: 1.9,
            preference: 0.7,
            seed: 1 + seed,
        };
        put_answers(&run, &adapter, &EMOTION, languages, mind);
        put(&run.train_log(&adapter), &lines(&training(240, seed)));
        if seed == 1 {
            put_answers(
                &run,
                &adapter,
                &SNLI,
                languages,
                Mind {
                    separation: 1.2,
                    ..mind
                },
            );
        }
    }
    let adapter = format!("emotion.{}.seed1", moved.slug());
    put_answers(
        &run,
        &adapter,
        &EMOTION,
        languages,
        Mind {
            preference: 0.15,
            seed: 9,
            ..BASE
        },
    );
    put(&run.train_log(&adapter), &lines(&training(240, 9)));
    put(&run.manifest(), &manifest());
    run
}

fn manifest() -> String {
    let manifest = serde_json::json!({
        "program": {"name": "lingualign", "version": "0.1.0", "features": []},
        "model": {"name": "smollm2-135m-instruct", "sha256": "d1c62a1c0f7e3a4b5c6d7e8f90112233445566778899aabbccddeeff00112233", "dtype": "f32"},
        "device": {"kind": "cpu", "threads": 8, "peak_memory_bytes": 1_932_735_283_u64},
        "stages": {"data": {"seconds": 1.3}, "train": {"seconds": 1642.0}, "eval": {"seconds": 512.5}},
        "recipe": {
            "name": "sample", "title": "Question translation on a small model", "model": "smollm2-135m-instruct",
            "dtype": "f32", "seeds": [1, 2, 3],
            "train": {"settings": ["zh/de=>en", "sw=>en"], "tasks": ["emotion"], "pairs": 1000, "epochs": 3.0,
                "learning_rate": 1e-4, "batch_size": 16, "lora": {"rank": 8, "alpha": 16.0, "targets": ["q_proj", "v_proj"]}},
            "eval": {"tasks": ["emotion", "snli"], "labels": ["english"], "scoring": "prefix", "few_shot": "head:2"},
        },
    });
    serde_json::to_string_pretty(&manifest).expect("plain values")
}
