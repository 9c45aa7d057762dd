//! `data build`: that a recipe trains on what it writes, to the byte and the split; what it
//! refuses.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Value, json};

use crate::{
    call::{call, call_line, files, json, json_lines, scratch},
    tiny,
};

const ADAPTER: &str = "emotion.sw-en.seed1";

/// Every file of a built folder.
fn read_all(folder: &Path, name: &str) -> BTreeMap<String, String> {
    let read = |path: &std::path::PathBuf| {
        let text = fs::read_to_string(folder.join(path)).expect("a text file");
        (
            path.file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned(),
            text,
        )
    };
    files(folder, name).iter().map(read).collect()
}

fn rows(folder: &Path, file: &str) -> Vec<Value> {
    json(&folder.join(file)).as_array().expect("a list").clone()
}

// Promise: the same recipe gives the same bytes, and `run` trains on the same pairs with the
// same split.
#[test]
fn a_recipe_trains_on_what_is_built() {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    for out in ["one", "two"] {
        let printed = call(
            folder.path(),
            &["data", "build", "recipe.toml", "--out", out],
            0,
        );
        assert!(
            printed
                .stderr
                .contains("6 pairs to train on, 2 to validate with"),
            "{}",
            printed.stderr
        );
    }
    let built = read_all(folder.path(), "one");
    let names: Vec<&str> = built.keys().map(String::as_str).collect();
    let (train, validation) = (
        format!("{ADAPTER}.train.json"),
        format!("{ADAPTER}.validation.json"),
    );
    assert_eq!(
        names,
        ["build.json", "dataset_info.json", &train, &validation]
    );
    assert_eq!(built, read_all(folder.path(), "two"));

    call_line(folder.path(), "run recipe.toml --out out --only data", 0);
    let drawn = json_lines(&folder.path().join(format!("out/data/{ADAPTER}.jsonl")));
    let texts = |rows: &[Value], source: &str, target: &str| -> Vec<(Value, Value)> {
        rows.iter()
            .map(|row| (row[source].clone(), row[target].clone()))
            .collect()
    };
    let trained = texts(&drawn, "source", "target");
    let out = folder.path().join("one");
    let [train, validation] =
        [train, validation].map(|file| texts(&rows(&out, &file), "instruction", "output"));
    let (kept, learnt): (Vec<_>, Vec<_>) = trained
        .into_iter()
        .partition(|pair| validation.contains(pair));
    assert_eq!(
        (kept, learnt),
        (validation, train),
        "the same pairs in the same order"
    );

    let record = &json(&out.join("build.json"))["adapters"][0];
    assert_eq!(
        (&record["training"]["pairs"], &record["validation"]["pairs"]),
        (&json!(6), &json!(2))
    );
    assert_eq!(
        record["sources"][0]["file"],
        "ap_emotion/emotion_sw120_train_question.json"
    );
    assert_eq!(
        record["read"].as_array().map(Vec::len),
        Some(3),
        "pairs, and test questions in sw and en"
    );
    assert_eq!(record["not_compared_with"], json!([]));
    for file in record["read"].as_array().expect("a list") {
        let path = Path::new(&tiny::mini()).join(file["file"].as_str().expect("a path"));
        assert_eq!(
            file["sha256"],
            json!(hub::hash_file(&path).expect("a hash"))
        );
    }
}

// Promise: training uses the split that the build writes.
#[test]
fn training_validates_on_the_validation_file() {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    let both = "--set train.settings=sw/hi=>en --set train.build.split=questions --set train.batch_size=100 \
        --set train.max_steps=1 --set train.micro_batch_tokens=4096";
    call_line(
        folder.path(),
        &format!("data build recipe.toml {both} --out built"),
        0,
    );
    call_line(
        folder.path(),
        &format!("run recipe.toml {both} --out out --only data,train"),
        0,
    );
    let adapter = "emotion.sw-hi-en.seed1";
    // A token is a byte here, and the end is one more; a single step learns every pair.
    let learnt = |part: &str| -> usize {
        let rows = rows(
            &folder.path().join("built"),
            &format!("{adapter}.{part}.json"),
        );
        rows.iter()
            .map(|row| row["output"].as_str().expect("a text").len() + 1)
            .sum()
    };
    let steps = json_lines(&folder.path().join(format!("out/train/{adapter}.jsonl")));
    let step = steps
        .iter()
        .find(|record| record["kind"] == "step")
        .expect("a step");
    assert_eq!(step["target_tokens"], json!(learnt("train")));
    assert_ne!(learnt("train"), learnt("validation"));
}

// Promise: a build replaces the files of the one before, and no others.
#[test]
fn an_earlier_build_is_replaced() {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    let build = |more: &str, code| {
        call_line(
            folder.path(),
            &format!("data build recipe.toml --out built {more}"),
            code,
        )
    };
    build("", 0);
    fs::write(folder.path().join("built/notes.txt"), "mine").expect("writes");
    build("--set train.val_size=0 --format messages", 0);
    let built = read_all(folder.path(), "built");
    let names: Vec<&str> = built.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "build.json",
            "dataset_info.json",
            &format!("{ADAPTER}.train.json"),
            "notes.txt"
        ]
    );
    let row = &rows(
        &folder.path().join("built"),
        &format!("{ADAPTER}.train.json"),
    )[0];
    assert_eq!(
        (&row["messages"][0]["role"], &row["messages"][1]["role"]),
        (&json!("user"), &json!("assistant"))
    );

    fs::remove_file(folder.path().join("built/build.json")).expect("removes");
    let refused = build("", 1);
    let message =
        "error: built holds data sets that were not built here; give another folder with --out\n";
    assert_eq!(refused.stderr, message);
    fs::write(folder.path().join("built/build.json"), "{").expect("writes");
    let damaged = build("", 1).stderr;
    assert!(
        damaged.contains("build.json is damaged; delete the folder or give another with --out"),
        "{damaged}"
    );
}

// Promise: what cannot be built is said, and nothing is left.
#[test]
fn what_cannot_be_built_is_said() {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    let refused = |more: &str, message: &str| {
        let printed = call_line(
            folder.path(),
            &format!("data build recipe.toml --out built {more}"),
            1,
        );
        assert!(printed.stderr.contains(message), "{}", printed.stderr);
        assert!(!folder.path().join("built").exists());
    };
    refused(
        "--set train.pairs=121",
        "emotion_sw120_train_question.json has 120 pairs, 121 were asked for",
    );
    refused(
        "--set train.build.control=answers",
        "no file emotion_en<count>_train.json",
    );
    refused(
        "--set train.build.template={src}",
        "train.build.template: unknown placeholder `{src}`",
    );
    let base = "model = \"x\"\n[data]\ndir = \".\"\n[eval]\ntasks = [\"emotion\"]\n";
    fs::write(folder.path().join("recipe.toml"), base).expect("writes");
    refused(
        "",
        "the recipe has no [train] section, so there are no pairs to build",
    );
}

// Promise: another way to the same pairs trains nothing again; other pairs do.
#[test]
fn only_other_pairs_are_trained_again() {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    let run = |more: &str| {
        call_line(
            folder.path(),
            &format!("run recipe.toml --out out --redo --only data,train {more}"),
            0,
        );
        let stages = json(&folder.path().join("out/manifest.json"))["stages"].clone();
        [format!("data.{ADAPTER}"), format!("train.{ADAPTER}")]
            .map(|stage| stages[stage]["inputs"].clone())
    };
    let plain = run("");
    let off = run("--set train.build.remove_overlap=off");
    assert!(plain[0] != off[0] && plain[1] == off[1]);
    let copied = run("--set train.build.control=copy");
    assert!(copied[0] != plain[0] && copied[1] != plain[1]);
}
