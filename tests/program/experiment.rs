//! `run`: what it leaves, and what it does again.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde_json::json;

use crate::{
    call::{
        assert_same_results, call, call_line, files, json, json_lines, program, results, scratch,
    },
    tiny,
};

const ADAPTER: &str = "emotion.sw-en.seed1";

/// When each file was written.
fn times(run: &Path, folders: &[&str]) -> BTreeMap<PathBuf, SystemTime> {
    let all = folders.iter().flat_map(|folder| files(run, folder));
    all.map(|path| {
        let written = fs::metadata(run.join(&path))
            .and_then(|m| m.modified())
            .expect("a time");
        (path, written)
    })
    .collect()
}

/// The files that differ, or are in one of the two only.
fn rewritten(
    before: &BTreeMap<PathBuf, SystemTime>,
    after: &BTreeMap<PathBuf, SystemTime>,
) -> Vec<String> {
    let names: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let changed = names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name));
    changed
        .map(|name| name.to_string_lossy().replace('\\', "/"))
        .collect()
}

const STAGES: &[&str] = &["data", "adapters", "train", "answers"];

/// A folder with the recipe and a finished run in `out`, and the summary that it printed.
fn finished_run() -> (tempfile::TempDir, String) {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    let printed = call_line(folder.path(), "run recipe.toml --out out", 0);
    (folder, printed.stdout)
}

// Promise: one command leaves a manifest, pairs, a PEFT adapter, a log, answers before and
// after, and a report.
#[test]
fn a_run_leaves_every_file_of_the_run_folder() {
    let (folder, summary) = finished_run();
    let out = folder.path().join("out");
    let answers = |model: &str| {
        ["de", "en", "sw"].map(|l| format!("answers/{model}/emotion.english.{l}.jsonl"))
    };
    let mut expected: Vec<String> = answers("base")
        .into_iter()
        .chain(answers(ADAPTER))
        .collect();
    expected.extend([
        format!("data/{ADAPTER}.jsonl"),
        format!("train/{ADAPTER}.jsonl"),
    ]);
    expected.extend(
        [
            "adapter_config.json",
            "adapter_model.safetensors",
            "README.md",
        ]
        .map(|f| format!("adapters/{ADAPTER}/{f}")),
    );
    expected.extend(
        [
            "manifest.json",
            "audit.json",
            "report/index.html",
            "report/report.md",
            "report/tables/overview.csv",
        ]
        .map(str::to_owned),
    );
    for name in &expected {
        assert!(out.join(name).is_file(), "{name} is missing");
    }
    assert!(
        !out.join("checkpoints").join(ADAPTER).exists(),
        "a finished training needs no checkpoint"
    );
    assert!(
        summary.contains("sw=>en") && summary.contains("index.html"),
        "{summary}"
    );
    let manifest = json(&out.join("manifest.json"));
    assert_eq!(manifest["recipe"]["train"]["max_steps"], 3);
    assert_eq!(manifest["model"]["name"], "tiny");
    assert_eq!(
        manifest["stages"].as_object().map(|stages| stages.len()),
        Some(1 + 2 + 3 + 6)
    );
    assert_eq!(
        json_lines(&out.join("answers/base/emotion.english.de.jsonl")).len(),
        4
    );
    let steps = json_lines(&out.join(format!("train/{ADAPTER}.jsonl")))
        .iter()
        .filter(|r| r["kind"] == "step")
        .count();
    assert_eq!(steps, 3);
    let peft = json(&out.join(format!("adapters/{ADAPTER}/adapter_config.json")));
    assert_eq!(
        (&peft["peft_type"], &peft["r"], &peft["target_modules"]),
        (&json!("LORA"), &json!(8), &json!(["q_proj", "v_proj"]))
    );
}

// Promise: the same command again finds all stages done, writes none of their files, and ends
// with the same summary.
#[test]
fn a_second_run_does_nothing_again() {
    let (folder, summary) = finished_run();
    let out = folder.path().join("out");
    let (before, manifest) = (times(&out, STAGES), json(&out.join("manifest.json")));
    let again = call_line(folder.path(), "run recipe.toml --out out", 0);
    assert_eq!(
        rewritten(&before, &times(&out, STAGES)),
        Vec::<String>::new()
    );
    assert_eq!(again.stdout, summary);
    assert_eq!(
        json(&out.join("manifest.json"))["stages"],
        manifest["stages"]
    );
}

// Promise: a key changes only the stages that depend on it.
#[test]
fn one_changed_key_redoes_only_what_depends_on_it() {
    let (folder, _) = finished_run();
    let out = folder.path().join("out");
    let first = results(&out);
    let changed = |set: &str| {
        let before = times(&out, STAGES);
        call(
            folder.path(),
            &["run", "recipe.toml", "--out", "out", "--redo", "--set", set],
            0,
        );
        rewritten(&before, &times(&out, STAGES))
    };
    let of_eval = changed("eval.limit=2");
    assert_eq!(of_eval.len(), 2 * 6, "each with its meta: {of_eval:?}");
    assert!(
        of_eval.iter().all(|name| name.starts_with("answers/")),
        "{of_eval:?}"
    );
    let is_answers =
        |path: &Path| path.starts_with("answers") && path.extension().is_some_and(|e| e == "jsonl");
    for (path, content) in results(&out).iter().filter(|(path, _)| is_answers(path)) {
        assert!(
            first[path].starts_with(content.as_str()),
            "{}: fewer items, the same answers",
            path.display()
        );
        assert_eq!(content.matches("\\n").count(), 2);
    }
    changed("title=back");
    assert_same_results(&results(&out), &first);
    assert_eq!(
        changed("eval.tokens_per_batch=64"),
        Vec::<String>::new(),
        "no result depends on it"
    );
    let of_training = changed("train.learning_rate=2e-2");
    assert_eq!(of_training.len(), 3 + 1 + 2 * 3, "{of_training:?}");
    assert!(
        of_training
            .iter()
            .all(|name| name.contains(ADAPTER) && !name.starts_with("data")),
        "{of_training:?}"
    );
}

// Promise: what is lost or damaged is made again, alone, and comes out the same.
#[test]
fn a_lost_or_damaged_file_is_made_again() {
    let (folder, _) = finished_run();
    let out = folder.path().join("out");
    let expected = results(&out);
    let answers = format!("answers/{ADAPTER}/emotion.english.de.jsonl");
    let adapter = format!("adapters/{ADAPTER}/adapter_model.safetensors");
    let train = |name: &str| name.starts_with("adapters") || name.starts_with("train");
    let check = |break_it: &dyn Fn(), redone: &dyn Fn(&str) -> bool, count: usize| {
        let before = times(&out, STAGES);
        break_it();
        call_line(folder.path(), "run recipe.toml --out out", 0);
        let names = rewritten(&before, &times(&out, STAGES));
        assert!(
            names.len() == count && names.iter().all(|name| redone(name)),
            "{names:?}"
        );
        assert_same_results(&results(&out), &expected);
    };
    check(
        &|| fs::remove_file(out.join(&answers)).expect("removes"),
        &|name| name.starts_with(&answers),
        2,
    );
    check(
        &|| fs::write(out.join(&answers), "{}\n").expect("writes"),
        &|name| name.starts_with(&answers),
        2,
    );
    let shorten = || {
        let text = fs::read_to_string(out.join(&answers)).expect("reads");
        fs::write(out.join(&answers), &text[..text.len() / 2]).expect("writes");
    };
    check(&shorten, &|name| name.starts_with(&answers), 2);
    check(
        &|| fs::remove_file(out.join(&adapter)).expect("removes"),
        &train,
        4,
    );
}

// Promise: the report is of the recipe at hand, never a mean with answers that an earlier
// recipe left in the folder.
#[test]
fn answers_of_an_earlier_recipe_stay_out_of_the_report() {
    let (folder, _) = finished_run();
    let narrower = [
        "run",
        "recipe.toml",
        "--out",
        "out",
        "--redo",
        "--set",
        "eval.languages=de",
        "--set",
        "eval.limit=2",
    ];
    call(folder.path(), &narrower, 0);
    let overview = fs::read_to_string(folder.path().join("out/report/tables/emotion.english.csv"))
        .expect("a table");
    assert!(
        overview.contains("de") && !overview.contains("sw,") && !overview.contains("Swahili"),
        "{overview}"
    );
    let other_rule = [
        "run",
        "recipe.toml",
        "--out",
        "out",
        "--redo",
        "--set",
        "eval.languages=de",
        "--set",
        "eval.scoring=sequence",
    ];
    call(folder.path(), &other_rule, 0);
    let other_setting = [
        "run",
        "recipe.toml",
        "--out",
        "out",
        "--redo",
        "--set",
        "train.settings=de=>en",
    ];
    let summary = call(folder.path(), &other_setting, 0).stdout;
    assert!(
        summary.contains("de=>en") && !summary.contains("sw=>en"),
        "{summary}"
    );
    assert!(
        folder.path().join("out/answers").join(ADAPTER).is_dir(),
        "but nothing is deleted"
    );
    let again = call_line(folder.path(), "report out", 0).stdout;
    assert_eq!(again, summary, "`report` alone reads the same");
}

// Promise: data, model and exemplars count as inputs by their content, not their name.
#[test]
fn changed_content_under_the_same_name_is_noticed() {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    let (data, model) = (folder.path().join("data"), folder.path().join("model"));
    tiny::write_items(&data, "ap_emotion", "emotion_de", &tiny::items("de", 6));
    tiny::make_model(&model);
    let line = "run recipe.toml --out out --redo --only eval --set data.dir=data --set model=./model --set eval.languages=de";
    let run = || {
        let printed = call_line(folder.path(), line, 1); // there is no adapter, but the base model is asked
        assert!(printed.stderr.contains("no adapter"), "{}", printed.stderr);
        fs::read_to_string(
            folder
                .path()
                .join("out/answers/base/emotion.english.de.jsonl"),
        )
        .expect("answers")
    };
    let first = run();
    assert_eq!(run(), first);
    let mut items = tiny::items("de", 6);
    items[0]["input"] = json!("Kaputt.");
    tiny::write_items(&data, "ap_emotion", "emotion_de", &items);
    let second = run();
    assert_ne!(second, first);
    let weights = model.join("model.safetensors");
    let mut bytes = fs::read(&weights).expect("reads");
    let last = bytes.len() - 1;
    bytes[last] ^= 0x80; // the sign of one weight
    fs::write(&weights, bytes).expect("writes");
    assert_ne!(run(), second);
}

// Promise: a model under another name is another one in the records, so its answers are not
// mixed with those before.
#[test]
fn a_renamed_model_is_asked_again() {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    let run = |name: &str, languages: &str| {
        tiny::make_model(&folder.path().join(name));
        let model = format!("model=./{name}");
        let languages = format!("eval.languages={languages}");
        let args = [
            "run",
            "recipe.toml",
            "--out",
            "out",
            "--redo",
            "--set",
            model.as_str(),
            "--set",
            languages.as_str(),
        ];
        call(folder.path(), &args, 0);
        json_lines(
            &folder
                .path()
                .join("out/answers/base/emotion.english.de.jsonl"),
        )[0]["model"]
            .clone()
    };
    assert_eq!(run("first", "de"), "first");
    assert_eq!(run("second", "de,en"), "second");
}

// Promise: threads change no result, of training neither.
#[test]
fn a_run_does_not_depend_on_threads() {
    let (folder, _) = finished_run();
    call_line(folder.path(), "run recipe.toml --out one --threads 1", 0);
    assert_same_results(
        &results(&folder.path().join("one")),
        &results(&folder.path().join("out")),
    );
}

// Promise: two settings that share a source train on the same pairs of it (`data` and `train`
// alone make no answers).
#[test]
fn train_makes_the_adapters_and_nothing_else() {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    call(
        folder.path(),
        &[
            "train",
            "recipe.toml",
            "--out",
            "out",
            "--set",
            "train.settings=sw=>en,sw/de=>en",
        ],
        0,
    );
    let out = folder.path().join("out");
    assert_eq!(files(&out, "adapters").len(), 2 * 3);
    assert!(!out.join("answers").exists() && !out.join("report").exists());
    let sw = |name: &str| {
        let all = json_lines(&out.join("data").join(name));
        let mut of: Vec<String> = all
            .into_iter()
            .filter(|pair| pair["language"] == "sw")
            .map(|pair| pair.to_string())
            .collect();
        of.sort();
        of
    };
    assert_eq!(
        sw("emotion.sw-en.seed1.jsonl"),
        sw("emotion.sw-de-en.seed1.jsonl")
    );
    assert_eq!(sw("emotion.sw-en.seed1.jsonl").len(), 8);
}

// Promise: without `--out` a run stands in `runs/<name>` under the current folder.
#[test]
fn the_run_folder_is_named_after_the_recipe() {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    let mut command = program(folder.path());
    let status = command
        .args(["run", "recipe.toml", "--only", "data"])
        .output()
        .expect("starts")
        .status;
    assert!(
        status.success()
            && folder
                .path()
                .join("runs/tiny")
                .join("data")
                .join(format!("{ADAPTER}.jsonl"))
                .is_file()
    );
}
