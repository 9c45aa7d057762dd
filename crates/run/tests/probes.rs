//! Probes of a training: they change nothing, resume without a gap, and say what the evaluation
//! says of the same adapter.

#[path = "../../../tests/program/tiny.rs"]
#[allow(dead_code)] // the program's tests need more of it
mod tiny;

use std::{cell::Cell, collections::BTreeMap, fs, path::Path};

use run::{Parts, RunError, RunOptions, Watch};
use schema::{
    AnswerRecord, Language, Recipe,
    record::{ProbeAnswer, ProbeRecord, TrainRecord},
    run_folder::RunFolder,
};
use serde::de::DeserializeOwned;

const ADAPTER: &str = "emotion.sw-en.seed1";

/// Stops when it has been asked so often whether to.
#[derive(Default)]
struct Patience {
    asked: Cell<usize>,
    stop_at: Option<usize>,
}

impl Watch for Patience {
    fn note(&mut self, _: &str) {}
    fn start(&mut self, _: &str, _: usize, _: &str) {}
    fn advance(&mut self, _: usize, _: &str) {}
    fn finish(&mut self, _: &str) {}
    fn is_interrupted(&self) -> bool {
        self.asked.set(self.asked.get() + 1);
        self.stop_at.is_some_and(|stop| self.asked.get() >= stop)
    }
}

fn read_recipe(folder: &Path, keys: &[(&str, &str)]) -> Recipe {
    tiny::write_recipe(folder);
    let keys: Vec<(String, String)> = keys
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    Recipe::read(&folder.join("recipe.toml"), &keys).expect("a recipe")
}

/// Every update has a probe, so that the kept one has.
const PROBED: [(&str, &str); 3] = [
    ("train.probe.every", "1"),
    ("train.probe.items", "6"),
    ("train.save_steps", "1"),
];

fn options(folder: &Path, out: &str, parts: Parts) -> RunOptions {
    RunOptions {
        out: Some(folder.join(out)),
        device: "cpu".to_owned(),
        parts,
        ..RunOptions::whole()
    }
}

fn read_lines<T: DeserializeOwned>(file: &Path) -> Vec<T> {
    let text = fs::read_to_string(file).expect("a file");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a record"))
        .collect()
}

fn read_probes(run: &RunFolder) -> BTreeMap<(usize, Language), ProbeRecord> {
    let records: Vec<ProbeRecord> = read_lines(&run.probes(ADAPTER));
    let count = records.len();
    let by_place: BTreeMap<_, _> = records
        .into_iter()
        .map(|record| ((record.update, record.language), record))
        .collect();
    assert_eq!(by_place.len(), count, "a point is there twice");
    by_place
}

/// The update whose adapter is kept.
fn kept_update(run: &RunFolder) -> usize {
    let log: Vec<TrainRecord> = read_lines(&run.train_log(ADAPTER));
    let best = log.iter().rev().find_map(|record| match record {
        TrainRecord::Validation(validation) if validation.best => Some(validation.step),
        _ => None,
    });
    best.expect("a best one")
}

/// What a probe keeps of the evaluation's answers.
fn evaluated(run: &RunFolder, model: &str, language: Language) -> Vec<ProbeAnswer> {
    let file = run.answers(model, "emotion", "english", language);
    let answers: Vec<AnswerRecord> = read_lines(&file);
    answers
        .into_iter()
        .map(|answer| ProbeAnswer {
            item: answer.item,
            gold: answer.gold,
            correct: answer.correct,
            scores: answer.scores,
        })
        .collect()
}

fn adapter(run: &RunFolder) -> Vec<u8> {
    fs::read(run.adapter(ADAPTER).join("adapter_model.safetensors")).expect("an adapter")
}

// Promise: the point at the kept update is what `eval` says of the adapter on disk, that at 0 what
// it says of the base, to the bit; and the adapter is the same with and without probes.
#[test]
fn probes_say_what_the_evaluation_says_and_change_nothing() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let probed = read_recipe(folder.path(), &PROBED);
    let whole = options(folder.path(), "probed", Parts::ALL);
    run::run_with(&probed, &whole, &mut Patience::default()).expect("runs");
    let run = RunFolder::new(folder.path().join("probed"));
    let probes = read_probes(&run);
    let updates: Vec<usize> = probes.keys().map(|(update, _)| *update).collect();
    assert_eq!(updates, [[0; 3], [1; 3], [2; 3], [3; 3]].concat());
    let kept = kept_update(&run);
    for language in [Language::En, Language::De, Language::Sw] {
        for (update, model) in [(0, "base"), (kept, ADAPTER)] {
            let answers = evaluated(&run, model, language);
            assert_eq!(answers.len(), 4, "the evaluation's limit");
            let probe = &probes[&(update, language)];
            assert_eq!(probe.answers.len(), 6);
            assert!(probe.answers[..4] == answers, "{model} in {language}");
        }
        assert!(probes[&(0, language)].answers != probes[&(kept, language)].answers);
    }
    let swahili = &probes[&(kept, Language::Sw)];
    assert!(
        swahili
            .translation
            .is_some_and(|loss| loss.target_tokens > 0)
    );
    assert!(
        swahili
            .alignment
            .is_some_and(|found| found.cka.abs() <= 1.0)
    );
    let english = &probes[&(kept, Language::En)];
    assert!(english.alignment.is_none() && english.translation.is_none());
    let page = fs::read_to_string(run.report().join("index.html")).expect("a page");
    assert!(page.contains("CKA with English") && page.contains("Points by language"));

    let plain = read_recipe(folder.path(), &[("train.save_steps", "1")]);
    let training = options(folder.path(), "plain", Parts::TRAINING);
    run::run_with(&plain, &training, &mut Patience::default()).expect("runs");
    let without = RunFolder::new(folder.path().join("plain"));
    assert!(adapter(&without) == adapter(&run));
    assert!(!without.probes(ADAPTER).exists());
}

// Promise: whatever interrupts a training with probes, no point is lost and none is there twice.
#[test]
fn an_interrupted_training_has_every_point_once() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let recipe = read_recipe(folder.path(), &PROBED);
    let training = |out: &str| options(folder.path(), out, Parts::TRAINING);
    let mut patient = Patience::default();
    run::run_with(&recipe, &training("whole"), &mut patient).expect("runs");
    let whole = RunFolder::new(folder.path().join("whole"));
    let asked = patient.asked.get();
    let mut interrupted = 0;
    for stop in (2..asked).step_by(7) {
        let mut hasty = Patience {
            stop_at: Some(stop),
            ..Patience::default()
        };
        match run::run_with(&recipe, &training("resumed"), &mut hasty) {
            Err(RunError::Interrupted(_)) => interrupted += 1,
            Err(other) => panic!("{}", other.chain()),
            Ok(_) => break,
        }
    }
    assert!(interrupted > 3, "{interrupted} times of {asked}");
    run::run_with(&recipe, &training("resumed"), &mut Patience::default()).expect("runs");
    let resumed = RunFolder::new(folder.path().join("resumed"));
    let bytes = |run: &RunFolder| fs::read(run.probes(ADAPTER)).expect("probes");
    assert!(bytes(&resumed) == bytes(&whole));
    assert!(adapter(&resumed) == adapter(&whole));
}
