//! What makes a number worth less is said where it is printed; what the data says does not steer
//! the terminal; `report` holds the records against the manifest.

use std::fs;

use serde_json::json;

use crate::{
    call::{call_line, scratch},
    tiny,
};

// Promise: degenerate answers and a training that trains nothing are said by each command in the
// same words.
#[test]
fn each_command_says_what_its_numbers_are_worth() {
    let folder = scratch();
    let model = folder.path().join("short");
    tiny::make_model(&model);
    let config = fs::read_to_string(model.join("config.json")).expect("reads");
    let mut config: serde_json::Value = serde_json::from_str(&config).expect("JSON");
    config["max_position_embeddings"] = json!(64);
    fs::write(model.join("config.json"), config.to_string()).expect("writes");
    tiny::write_recipe(folder.path());
    let line = "run recipe.toml --out out --set model=./short --set train.max_steps=1 --set train.warmup_ratio=0.5 \
                --set train.cutoff_len=40 --set eval.languages=de";
    let printed = call_line(folder.path(), line, 0);
    let page = fs::read_to_string(folder.path().join("out/report/report.md")).expect("reads");
    let log = "emotion.sw-en.seed1: nothing was trained: the learning rate was 0 in every update";
    let cut = "emotion.sw-en.seed1: examples cut to train.cutoff_len tokens, so that the model does not see their ends: ";
    let long = "prompts longer than the model's context (max_position_embeddings) in de 4 of 4: the model was not made \
                for such positions";
    for said in [log, cut, long] {
        assert!(printed.stderr.contains(said), "{said}: {}", printed.stderr);
        assert!(printed.stdout.contains(said), "{said}: {}", printed.stdout);
        assert!(page.contains(said), "{said}: {page}");
    }
    let answers = "out/answers/base/emotion.english.de.jsonl";
    let compared = call_line(
        folder.path(),
        &format!("compare {answers} {answers} --all"),
        0,
    )
    .stdout;
    assert!(
        compared.contains(&format!("note: before: {long}")),
        "{compared}"
    );
    let undefined =
        "What this test can detect is unknown: no answer became right or wrong, so nothing varies.";
    assert!(compared.contains(undefined), "{compared}");
}

// Promise: a text of the data is shown, and does not steer the terminal.
#[test]
fn a_word_of_the_data_does_not_steer_the_terminal() {
    let folder = scratch();
    let data = folder.path().join("data");
    let word = "\u{1b}]0;title\u{7}\u{202e}".to_owned() + &"x".repeat(200_000);
    let items = [json!({"input": "A day.", "answer": word})];
    tiny::write_items(&data, "ap_emotion", "emotion_de", &items);
    let line = format!(
        "eval --model {} --task emotion --data data --languages de --few-shot zero --out a.jsonl",
        tiny::model()
    );
    let said = call_line(folder.path(), &line, 1).stderr;
    assert!(!said.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{said:?}");
    assert!(said.contains("\\u{1b}]0;title\\u{7}\\u{202e}xxx"), "{said}");
    assert!(said.len() < 10_000, "{}", said.len());
}

// Promise: `report` uses no record that the run did not write, and says if the run is not
// finished.
#[test]
fn a_report_is_of_what_the_run_wrote() {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    call_line(folder.path(), "run recipe.toml --out out", 0);
    let manifest = folder.path().join("out/manifest.json");
    let whole = call_line(folder.path(), "report out", 0).stdout;
    assert!(!whole.contains("not finished"), "{whole}");
    let text = fs::read_to_string(&manifest).expect("reads");
    let mut half: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let current = half["current"].as_array_mut().expect("a list");
    current.retain(|stage| stage != "eval.base.emotion.english.de");
    fs::write(&manifest, half.to_string()).expect("writes");
    let said = call_line(folder.path(), "report out", 0).stdout;
    assert!(
        said.contains("missing: The run is not finished: only what it has made so far is shown."),
        "{said}"
    );
    fs::write(&manifest, text).expect("writes");
    let answers = folder
        .path()
        .join("out/answers/base/emotion.english.sw.jsonl");
    let changed =
        fs::read_to_string(&answers)
            .expect("reads")
            .replacen("\"item\":", "\"item\": ", 1);
    fs::write(&answers, changed).expect("writes");
    let said = call_line(folder.path(), "report out", 1).stderr;
    assert!(
        said.contains("emotion.english.sw.jsonl: not the file that the run wrote"),
        "{said}"
    );
}
