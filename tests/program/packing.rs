//! A run for others: packed, repeated, repeated with other data; its results in another program's schema.

use std::{fs, path::Path};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    call::{call, call_line, files, json, json_lines, scratch},
    tiny,
};

/// A finished run in `out`, its data in `data`.
fn run() -> TempDir {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    copy(Path::new(&tiny::mini()), &folder.path().join("data"));
    let recipe = folder.path().join("recipe.toml");
    let text = fs::read_to_string(&recipe).expect("reads");
    let text = text.replace(&format!("{:?}", tiny::mini()), "\"data\"");
    fs::write(&recipe, text).expect("writes");
    call_line(folder.path(), "run recipe.toml --out out", 0);
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("lists") {
        let entry = entry.expect("an entry");
        let (path, copied) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &copied);
        } else {
            fs::copy(&path, &copied).expect("copies");
        }
    }
}

#[test]
fn a_packed_run_comes_out_again() {
    let folder = run();
    let here = folder.path();
    call_line(here, "pack out", 0);
    call_line(here, "pack out --out again.zip", 0);
    let read = |name: &str| fs::read(here.join(name)).expect("reads");
    assert_eq!(
        read("out.zip"),
        read("again.zip"),
        "the same run has the same bytes"
    );

    let printed = call_line(here, "reproduce out.zip --out repeated", 0);
    let record = json(&here.join("repeated/reproduction.json"));
    let stages = record["stages"].as_array().expect("stages");
    assert!(
        stages.iter().all(|stage| stage["likeness"] == "same"),
        "{}",
        printed.stdout
    );
    let manifest = json(&here.join("out/manifest.json"));
    assert_eq!(
        stages.len(),
        manifest["current"].as_array().expect("stages").len()
    );
    // What is finished is kept.
    let again = call_line(here, "reproduce out.zip --out repeated", 0);
    assert_eq!(again.stdout, printed.stdout);
}

#[test]
fn another_answer_is_found_and_told() {
    let folder = run();
    let here = folder.path();
    call_line(here, "pack out", 0);
    call_line(here, "reproduce out.zip --out repeated", 0);
    let file = here.join("repeated/packed/run/answers/base/emotion.english.de.jsonl");
    let mut lines = json_lines(&file);
    let chosen = lines[1]["chosen"].clone();
    let other = if chosen == "positive" {
        "negative"
    } else {
        "positive"
    };
    lines[1]["chosen"] = other.into();
    let text: Vec<String> = lines.iter().map(ToString::to_string).collect();
    let changed = text.join("\n") + "\n";
    // An original with another answer: the manifest and the list of files have its hash.
    replace_packed(&here.join("repeated/packed"), &file, &changed);
    let printed = call_line(here, "reproduce changed.zip --out other", 1);
    assert!(
        printed
            .stdout
            .contains("eval.base.emotion.english.de: 1 of 4 answers differ"),
        "{}",
        printed.stdout
    );
}

/// Packs the run below `packed` with another text of one of its files.
fn replace_packed(packed: &Path, file: &Path, text: &str) {
    let manifest = packed.join("run/manifest.json");
    let old = hub::hash_file(file).expect("hashes");
    fs::write(file, text).expect("writes");
    let new = hub::hash_file(file).expect("hashes");
    let changed = fs::read_to_string(&manifest)
        .expect("reads")
        .replace(&old, &new);
    fs::write(&manifest, changed).expect("writes");
    let here = packed.parent().and_then(Path::parent).expect("the folder");
    call(
        here,
        &["pack", "repeated/packed/run", "--out", "changed.zip"],
        0,
    );
}

#[test]
fn other_data_another_model_and_an_unfinished_run_are_refused() {
    let folder = run();
    let here = folder.path();
    call_line(here, "pack out", 0);
    tiny::make_model(&here.join("model"));
    let config = here.join("model/tokenizer_config.json");
    let text = fs::read_to_string(&config).expect("reads");
    fs::write(&config, text + " ").expect("writes");
    let printed = call_line(here, "reproduce out.zip --model ./model", 1);
    assert!(
        printed.stderr.contains("made with another model"),
        "{}",
        printed.stderr
    );

    let file = here.join("data/ap_emotion/emotion_de40_test.json");
    let text = fs::read_to_string(&file).expect("reads");
    fs::write(&file, text + "\n").expect("writes");
    let printed = call_line(here, "reproduce out.zip", 1);
    assert!(
        printed
            .stderr
            .contains("emotion_de40_test.json is another file"),
        "{}",
        printed.stderr
    );
    let printed = call_line(here, "pack out --out later.zip", 1);
    assert!(
        printed.stderr.contains("would be made again"),
        "{}",
        printed.stderr
    );
    call_line(
        here,
        &format!("reproduce out.zip --data {}", tiny::mini()),
        0,
    );

    let manifest = here.join("out/manifest.json");
    let mut value = json(&manifest);
    value["current"].as_array_mut().expect("a list").pop();
    fs::write(&manifest, value.to_string()).expect("writes");
    let printed = call_line(here, "pack out --out later.zip", 1);
    assert!(
        printed.stderr.contains("not finished"),
        "{}",
        printed.stderr
    );
    assert!(!here.join("later.zip").exists());
}

#[test]
fn results_for_every_eval_ever_are_those_of_the_answers() {
    let folder = run();
    let here = folder.path();
    call_line(here, "report out --every-eval every --organization lab", 0);
    let written = files(here, "every/data");
    assert_eq!(written.len(), 2, "the base and an adapter: {written:?}");
    for file in written {
        let log = json(&here.join(&file));
        let answers = match log["model_info"]["additional_details"]["adapter"].as_str() {
            Some(adapter) => format!("out/answers/{adapter}"),
            None => "out/answers/base".to_owned(),
        };
        let results = log["evaluation_results"].as_array().expect("results");
        let score = |name: &str| {
            let is_it = |result: &&Value| result["evaluation_result_id"] == name;
            results
                .iter()
                .find(is_it)
                .map(|result| result["score_details"]["score"].as_f64())
        };
        let mut sum = 0.0;
        for language in ["de", "en", "sw"] {
            let lines =
                json_lines(&here.join(format!("{answers}/emotion.english.{language}.jsonl")));
            let right = lines.iter().filter(|line| line["correct"] == true).count();
            let share = right as f64 / lines.len() as f64;
            let name = format!("lingualign.emotion.english.plain.{language}.accuracy");
            assert_eq!(score(&name), Some(Some(share)), "{name}");
            sum += share;
        }
        let mean = score("lingualign.emotion.english.plain.mean.accuracy").flatten();
        assert!((mean.expect("a mean") - sum / 3.0).abs() < 1e-12);
    }
}
