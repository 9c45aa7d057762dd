//! A recipe run by a program of one's own: the whole of it, interrupted and resumed, and asked
//! what is done. With a tiny model of random weights.

#[path = "../../../tests/program/tiny.rs"]
#[allow(dead_code)] // the program's tests need more of it
mod tiny;

use std::path::Path;

use run::{Parts, RunError, RunOptions, Watch};
use schema::Recipe;

/// Remembers what finished, and stops after so many calls of `advance`.
#[derive(Default)]
struct Log {
    label: String,
    finished: Vec<String>,
    advanced: usize,
    stop_at: Option<usize>,
}

impl Watch for Log {
    fn note(&mut self, _: &str) {}

    fn start(&mut self, label: &str, _: usize, _: &str) {
        self.label = label.to_owned();
    }

    fn advance(&mut self, _: usize, _: &str) {
        self.advanced += 1;
    }

    fn finish(&mut self, _: &str) {
        self.finished.push(self.label.clone());
    }

    fn is_interrupted(&self) -> bool {
        self.stop_at.is_some_and(|stop| self.advanced >= stop)
    }
}

fn prepare() -> (tempfile::TempDir, Recipe) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    tiny::write_recipe(folder.path());
    let recipe = Recipe::read(&folder.path().join("recipe.toml"), &[]).expect("a recipe");
    (folder, recipe)
}

fn options(folder: &Path, out: &str) -> RunOptions {
    RunOptions {
        out: Some(folder.join(out)),
        device: "cpu".to_owned(),
        parts: Parts::ALL,
        ..RunOptions::whole()
    }
}

fn done(recipe: &Recipe, options: &RunOptions) -> Vec<String> {
    let model = run::session::find(&recipe.model, &mut Log::default()).expect("the model");
    let survey = run::survey(recipe, options, &model).expect("a survey");
    let stages = survey.stages.into_iter();
    stages
        .filter(|status| status.is_done)
        .map(|status| status.stage.name())
        .collect()
}

fn answers(folder: &Path) -> Vec<u8> {
    let file = "answers/emotion.sw-en.seed1/emotion.english.de.jsonl";
    std::fs::read(folder.join(file)).expect("answers")
}

// Promise: one call makes everything, and the same call again makes nothing but the report.
#[test]
fn a_recipe_is_run_once() {
    let (folder, recipe) = prepare();
    let options = options(folder.path(), "out");
    assert_eq!(done(&recipe, &options), [""; 0]);
    let mut log = Log::default();
    let outcome = run::run_with(&recipe, &options, &mut log).expect("runs");
    assert!(outcome.summary.is_some());
    let base = "eval base emotion english";
    let adapter = "eval emotion.sw-en.seed1 emotion english";
    let all = ["audit", base, "train emotion.sw-en.seed1", adapter];
    assert_eq!(log.finished, all);
    // With the texts of the questions of three languages.
    assert_eq!(done(&recipe, &options).len(), 12);
    let mut again = Log::default();
    run::run_with(&recipe, &options, &mut again).expect("runs");
    assert_eq!(again.finished, [""; 0]);
}

// Promise: a run that is interrupted, wherever it is, is an error of its own kind, and the same
// call resumes and ends with the same answers.
#[test]
fn an_interrupted_run_resumes() {
    let (folder, recipe) = prepare();
    let whole = options(folder.path(), "whole");
    run::run_with(&recipe, &whole, &mut Log::default()).expect("runs");
    let resumed = options(folder.path(), "resumed");
    let mut interrupted = 0;
    for stop in [2, 3, 4, 6] {
        let mut log = Log {
            stop_at: Some(stop),
            ..Log::default()
        };
        match run::run_with(&recipe, &resumed, &mut log) {
            Err(RunError::Interrupted(_)) => interrupted += 1,
            Err(other) => panic!("{}", other.chain()),
            Ok(_) => {}
        }
    }
    assert!(interrupted > 1, "interrupted {interrupted} times");
    run::run_with(&recipe, &resumed, &mut Log::default()).expect("runs");
    let path = |name: &str| folder.path().join(name);
    assert!(answers(&path("resumed")) == answers(&path("whole")));
}

// Promise: a part that needs another one names it, by an error of its own kind.
#[test]
fn a_part_names_what_it_needs() {
    let (folder, recipe) = prepare();
    let options = RunOptions {
        parts: Parts::only(&["train".to_owned()]),
        ..options(folder.path(), "out")
    };
    let error = run::run_with(&recipe, &options, &mut Log::default()).err();
    assert!(
        matches!(&error, Some(RunError::Missing(message)) if message.contains("--only data")),
        "{error:?}"
    );
}
