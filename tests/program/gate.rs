//! What `check` and `run` refuse before the first minute of work: recipes that would end in the middle, and finished work
//! that would be made again.

use std::{fs, path::Path};

use serde_json::json;

use crate::{
    call::{call_line, files, scratch},
    tiny,
};

/// A recipe and data of its own in German and English.
fn prepare(folder: &Path) {
    tiny::write_recipe(folder);
    for language in ["de", "en"] {
        let items = tiny::items(language, 6);
        let stem = format!("emotion_{language}");
        tiny::write_items(&folder.join("data"), "ap_emotion", &stem, &items);
    }
    let item = json!({"sentence1": "a.", "sentence2": "b.", "answer": "same"});
    tiny::write_items(
        &folder.join("data"),
        "paws",
        "paws_de",
        &[item.clone(), item],
    );
}

// Promise: what is missing is found by `check` and by `run`, with exit code 1 and the same words, before a run folder is
// made; several problems are told at once.
#[test]
fn a_recipe_that_would_end_in_the_middle_is_refused_by_check_and_run() {
    let folder = scratch();
    let folder = folder.path();
    prepare(folder);
    let own = "--set data.dir=data --set train.settings=de=>en";
    for (set, needles) in [
        (
            "--set data.dir=data --set eval.languages=sw,de",
            vec![
                "emotion_sw<count>_test.json",
                "emotion_sw<count>_train_question.json",
            ],
        ),
        ("--set data.dir=nowhere", vec!["nowhere"]),
        ("--set train.settings=th=>en", vec!["th"]),
        (
            "--set data.dir=data --set eval.tasks=paws --set eval.languages=de --set eval.labels=same",
            vec!["paws", "`same`", "english, agnostic"],
        ),
        (
            "--set data.dir=data --set eval.languages=de --set eval.few_shot=head:7",
            vec!["7", "6"],
        ),
        ("--set eval.tasks=emotion,nonsense", vec!["nonsense"]),
        ("--set model=smollm2", vec!["smollm2"]),
        ("--set eval.few_shot=file:none.json", vec!["none.json"]),
    ] {
        for command in ["check", "run"] {
            let line = format!("{command} recipe.toml --out out {set}");
            let told = call_line(folder, &line, 1).stderr;
            for needle in &needles {
                assert!(told.contains(needle), "{line}: `{needle}`: {told}");
            }
            assert!(told.contains("error: "), "{line}: {told}");
            assert!(!folder.join("out").exists(), "{line} made a run folder");
        }
    }
    let both = format!("run recipe.toml --out out {own} --set eval.languages=sw,hi");
    let told = call_line(folder, &both, 1).stderr;
    assert!(told.contains("3 problems"), "pairs, sw and hi: {told}");
    let only = "run recipe.toml --out out --only eval --set data.dir=data --set eval.languages=de --set eval.limit=2";
    let told = call_line(folder, only, 1).stderr;
    assert!(
        told.contains("--only train"),
        "pairs are not asked for: {told}"
    );
}

/// Bytes of the answers and adapters.
fn contents(folder: &Path) -> Vec<Vec<u8>> {
    let found = files(&folder.join("out"), ".").into_iter();
    found
        .filter(|path| !path.to_string_lossy().contains("lock"))
        .map(|path| fs::read(folder.join("out").join(path)).expect("reads"))
        .collect()
}

// Promise: where a changed key would make finished stages again, the key and the stages are named, and nothing is touched
// without --redo; --new works beside.
#[test]
fn finished_stages_are_made_again_on_request_only() {
    let folder = scratch();
    let folder = folder.path();
    tiny::write_recipe(folder);
    call_line(folder, "run recipe.toml --out out", 0);
    let before = contents(folder);
    let less = "recipe.toml --out out --set eval.limit=3";
    let needles = [
        "6 finished stages of out would be made again",
        "eval.base.emotion.english.en",
        "changed: eval.limit: 4 -> 3",
        "--redo",
        "--new",
    ];
    for command in ["run", "check"] {
        let told = call_line(folder, &format!("{command} {less}"), 1).stderr;
        for needle in needles {
            assert!(told.contains(needle), "{command}: `{needle}`: {told}");
        }
        assert!(contents(folder) == before, "{command} changed a file");
    }
    let rate = "--out out --set train.learning_rate=2e-2";
    let told = call_line(folder, &format!("train recipe.toml {rate}"), 1).stderr;
    assert!(told.contains("1 finished stage of out"), "{told}");
    let told = call_line(folder, &format!("run recipe.toml {rate}"), 1).stderr;
    assert!(
        told.contains("4 finished stages"),
        "and its answers: {told}"
    );
    assert!(contents(folder) == before, "a refusal changed a file");

    call_line(folder, &format!("run {less} --new"), 0);
    assert!(folder.join("out-2/manifest.json").exists());
    assert!(contents(folder) == before, "--new changed a file");

    // Begun with --redo, it is resumed without.
    call_line(folder, &format!("run {less} --redo --only eval"), 0);
    call_line(folder, &format!("run {less}"), 0);
    assert!(contents(folder) != before);
    call_line(folder, &format!("run {less} --redo --new"), 2);
}

// Promise: more of the same is no reason to ask.
#[test]
fn new_stages_are_added_without_a_question() {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    let line = "run recipe.toml --out out --set eval.languages=en";
    call_line(folder.path(), &format!("{line},de"), 0);
    call_line(
        folder.path(),
        &format!("{line},de,sw --set title=\"More\""),
        0,
    );
    call_line(folder.path(), line, 0);
}
