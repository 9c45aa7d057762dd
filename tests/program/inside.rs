//! `[analyse]`: the files that each look leaves, what is done again, and that a killed look
//! goes on.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    thread::sleep,
    time::Duration,
};

use serde_json::Value;

use crate::{
    call::{call, call_line, files, json, json_lines, program, scratch},
    tiny,
};

const ADAPTER: &str = "emotion.sw-en.seed1";
const SECTION: &str = r#"
[analyse]
kinds = ["lens", "tuned-lens", "pca", "alignment", "neurons", "silencing", "patching"]
poolings = ["all", "last"]
limit = 6
resamples = 20
permutations = 20
neuron_share = 0.1
patched_items = 4
lens_steps = 2
lens_tokens = 32
"#;

fn recipe(section: &str) -> tempfile::TempDir {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    let path = folder.path().join("recipe.toml");
    let text = fs::read_to_string(&path).expect("reads");
    fs::write(&path, text + section).expect("writes");
    folder
}

/// Every file of what is inside, by its path relative to `run`.
fn inside(run: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let all = ["captures", "inside"]
        .into_iter()
        .flat_map(|folder| files(run, folder));
    all.map(|path| {
        (
            path.clone(),
            fs::read(run.join(path)).expect("a readable file"),
        )
    })
    .collect()
}

fn finite(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => items.iter().all(finite),
        Value::Object(entries) => entries.values().all(finite),
        _ => true,
    }
}

// Promise: every look leaves its records for the base and the adapter, in every language, all
// numbers finite, and the page speaks of them; the same command again does nothing; the parts
// can be run apart.
#[test]
fn every_look_leaves_its_records_once() {
    let folder = recipe(SECTION);
    let out = folder.path().join("out");
    call_line(
        folder.path(),
        "run recipe.toml --out out --only data,train,eval",
        0,
    );
    assert!(inside(&out).is_empty(), "nothing was looked at yet");
    call_line(folder.path(), "run recipe.toml --out out --only analyse", 0);
    let found = inside(&out);
    for model in ["base", ADAPTER] {
        let of_languages =
            ["de", "en", "sw"].map(|language| format!("lens.emotion.{language}.jsonl"));
        let of_poolings = ["all", "last"].map(|p| {
            [
                format!("pca.emotion.{p}.jsonl"),
                format!("pairs.emotion.{p}.jsonl"),
            ]
        });
        let others = [
            "tuned-lens.emotion.jsonl",
            "silencing.emotion.jsonl",
            "patching.emotion.jsonl",
        ]
        .map(str::to_owned);
        for name in of_languages
            .into_iter()
            .chain(of_poolings.into_iter().flatten())
            .chain(others)
        {
            let records = json_lines(&out.join("inside").join(model).join(&name));
            assert!(
                !records.is_empty() && records.iter().all(finite),
                "{model} {name}"
            );
        }
        assert!(
            out.join(format!("inside/{model}/neurons.emotion.json"))
                .is_file()
        );
        assert!(
            out.join(format!("captures/{model}/emotion.sw.safetensors"))
                .is_file()
        );
    }
    let changes = json_lines(&out.join(format!("inside/{ADAPTER}/changes.emotion.all.jsonl")));
    assert!(!changes.is_empty() && changes.iter().all(finite));
    assert!(!out.join("inside/base/changes.emotion.all.jsonl").exists());
    assert!(
        !found
            .keys()
            .any(|path| path.to_string_lossy().contains(".p") && path.ends_with(".partial"))
    );

    let printed = call_line(folder.path(), "run recipe.toml --out out", 0);
    assert!(
        !printed.stderr.contains("capture "),
        "nothing is captured again: {}",
        printed.stderr
    );
    assert!(
        inside(&out) == found,
        "a look that was done is not taken again"
    );
    let page = fs::read_to_string(out.join("report/index.html")).expect("a page");
    assert!(
        page.contains("id=\"inside"),
        "the page has a part on what is inside"
    );
}

// Promise: a key makes again what depends on it, and nothing else.
#[test]
fn one_changed_key_looks_again_only_where_it_matters() {
    let folder = recipe(SECTION);
    let out = folder.path().join("out");
    call_line(
        folder.path(),
        "run recipe.toml --out out --only data,train,analyse",
        0,
    );
    let stages = |manifest: &Value| manifest["stages"].as_object().expect("stages").clone();
    let before = stages(&json(&out.join("manifest.json")));
    let changed = |set: &str| -> Vec<String> {
        call(
            folder.path(),
            &[
                "run",
                "recipe.toml",
                "--out",
                "out",
                "--redo",
                "--only",
                "analyse",
                "--set",
                set,
            ],
            0,
        );
        let after = stages(&json(&out.join("manifest.json")));
        after
            .iter()
            .filter(|(name, stage)| {
                before.get(*name).map(|b| &b["inputs"]) != Some(&stage["inputs"])
            })
            .map(|(name, _)| name.clone())
            .collect()
    };
    let kinds = |names: Vec<String>| -> std::collections::BTreeSet<String> {
        names
            .iter()
            .map(|name| name.split('.').next().expect("a kind").to_owned())
            .collect()
    };
    let set = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    assert_eq!(kinds(changed("analyse.permutations=21")), set(&["map"]));
    for setting in ["analyse.lens_steps=1", "analyse.lens_vocabulary=64"] {
        assert_eq!(
            kinds(changed(setting)),
            set(&["lens", "tuned-lens"]),
            "{setting}"
        );
    }
    assert_eq!(
        kinds(changed("analyse.neuron_share=0.2")),
        set(&["neurons", "silencing"])
    );
}

// Promise: killed at any moment, the same command again ends with the same bytes.
#[test]
fn a_killed_look_goes_on() {
    let folder = recipe(SECTION);
    let out = folder.path().join("out");
    call_line(
        folder.path(),
        "run recipe.toml --out out --only data,train,analyse",
        0,
    );
    let expected = inside(&out);
    for folder in ["captures", "inside"] {
        fs::remove_dir_all(out.join(folder)).expect("removes");
    }
    for wait in [30, 90, 150, 300, 600] {
        let mut command = program(folder.path());
        command.args(["run", "recipe.toml", "--out", "out", "--only", "analyse"]);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        sleep(Duration::from_millis(wait));
        child.kill().expect("kills");
        child.wait().expect("waits");
    }
    call_line(folder.path(), "run recipe.toml --out out --only analyse", 0);
    let found = inside(&out);
    let differing: Vec<_> = expected
        .iter()
        .filter(|(path, bytes)| found.get(*path) != Some(bytes))
        .map(|(path, _)| path)
        .collect();
    assert!(
        differing.is_empty() && found.len() == expected.len(),
        "differ from those of a run left alone: {differing:?}"
    );
}

// Promise: what cannot be looked at is said before anything runs.
#[test]
fn a_wrong_section_is_refused_by_key() {
    let folder = recipe("\n[analyse]\nkinds = [\"lense\"]\ntask = \"snli\"\nlimits = 3\n");
    let printed = call_line(folder.path(), "check recipe.toml", 1);
    for part in [
        "analyse.kinds",
        "analyse.task: must be one of `eval.tasks`",
        "analyse.limits: no such key; did you mean `limit`?",
    ] {
        assert!(printed.stderr.contains(part), "{part}: {}", printed.stderr);
    }
}

// Promise: that there are too few items for maps is said before anything is computed.
#[test]
fn too_few_items_for_maps_are_refused_first() {
    let folder = recipe(&SECTION.replace("limit = 6", "limit = 4"));
    let said = "analyse.limit: the maps and measures of languages need 5 or more items in each, and there are 4 of en, 4 of de, \
                4 of sw";
    for command in ["check recipe.toml --out out", "run recipe.toml --out out"] {
        let printed = call_line(folder.path(), command, 1);
        assert!(printed.stderr.contains(said), "{}", printed.stderr);
    }
    assert!(!folder.path().join("out/answers").exists());
    let without = "check recipe.toml --out out --set analyse.kinds=lens,neurons";
    call_line(folder.path(), without, 0);
}
