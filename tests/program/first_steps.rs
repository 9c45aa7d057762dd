//! What somebody does first: the quickstart, completions and manual pages, and keys of other programs in a recipe.

use std::fs;

use serde_json::Value;

use crate::{
    call::{call, call_line, files, json, scratch},
    tiny,
};

#[test]
fn the_quickstart_brings_its_recipe_and_its_data() {
    let folder = scratch();
    let here = folder.path();
    let model = format!("model={}", tiny::model());
    let args = [
        "quickstart",
        "--set",
        &model,
        "--set",
        "train.max_steps=2",
        "--set",
        "eval.limit=2",
        "--set",
        "eval.languages=en,sw",
        "--only",
        "data,train,eval,report",
    ];
    call(here, &args, 0);
    assert!(here.join("quickstart/run/report/index.html").is_file());
    let manifest = json(&here.join("quickstart/run/manifest.json"));
    assert_eq!(manifest["recipe"]["data"]["dir"], "quickstart/data");
    // Again: nothing is made anew; a recipe that was changed is the user's.
    let printed = call(here, &args, 0);
    assert!(
        !printed.stderr.contains("is there already"),
        "{}",
        printed.stderr
    );
    let recipe = here.join("quickstart/quickstart.toml");
    let text = fs::read_to_string(&recipe).expect("reads");
    fs::write(&recipe, text + "\n").expect("writes");
    let printed = call(here, &args, 1);
    assert!(
        printed.stderr.contains("is another file"),
        "{}",
        printed.stderr
    );
}

#[test]
fn shells_and_man_know_every_command() {
    let folder = scratch();
    for shell in ["bash", "zsh", "fish"] {
        let printed = call_line(folder.path(), &format!("completions {shell}"), 0);
        assert!(printed.stdout.contains("reproduce"), "{shell}");
    }
    call_line(folder.path(), "man pages", 0);
    let pages = files(folder.path(), "pages");
    assert!(
        pages
            .iter()
            .any(|page| page.ends_with("lingualign-grid-run.1")),
        "{pages:?}"
    );
    let text = fs::read_to_string(folder.path().join("pages/lingualign-run.1")).expect("reads");
    assert!(
        text.contains(".TH lingualign\\-run 1") || text.contains(".TH lingualign-run 1"),
        "{text}"
    );
}

#[test]
fn keys_of_other_programs_are_told_what_they_are_called_here() {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    let line = "check recipe.toml --set train.lora_rank=4 --set eval.num_fewshot=3 --set train.per_device_train_batch_size=4";
    let printed = call_line(folder.path(), line, 1);
    for hint in [
        "`train.lora.rank`",
        "head:K",
        "`train.batch_size`, the whole batch",
    ] {
        assert!(printed.stderr.contains(hint), "{hint}: {}", printed.stderr);
    }
}

#[test]
fn a_program_is_told_of_stages_and_progress_in_json() {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    let printed = call_line(folder.path(), "run recipe.toml --progress json", 0);
    let events: Vec<Value> = printed
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}")))
        .collect();
    let of_kind = |kind: &'static str| events.iter().filter(move |event| event["event"] == kind);
    let last = of_kind("stage").next_back().expect("stages");
    assert_eq!(last["place"], last["of"]);
    let most = last["of"].as_u64().expect("a number");
    assert!(of_kind("stage").count() as u64 <= most, "once each at most");
    assert!(of_kind("start").count() > 2 && of_kind("finish").count() == of_kind("start").count());
    assert!(
        last["stage"] == "report" && last["seconds_left"] == 0.0,
        "{last}"
    );
    let run = folder.path().join("runs/tiny");
    let page = fs::read_to_string(run.join("live.html")).expect("the page of the run");
    assert!(page.contains("Done: all"), "{page}");
    let left = fs::read_dir(run.join(".work")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "no process is at work");
    let printed = call_line(folder.path(), "run missing.toml --progress json", 1);
    let error: Value = serde_json::from_str(printed.stderr.trim()).expect("JSON");
    assert_eq!(error["event"], "error");
}

// Promise: what `init` writes is checked, audited and run as it is, with rows of the languages that it has sentences for and
// English ones, marked, in place of others; nothing is written over.
#[test]
fn what_init_writes_runs_as_it_is() {
    let folder = scratch();
    let here = folder.path();
    let printed = call_line(here, "init first/mytask --languages en,de,es,hr", 0);
    for next in [
        "cd first/mytask",
        "lingualign check recipe.toml",
        "lingualign run recipe.toml",
    ] {
        assert!(printed.stdout.contains(next), "{next}: {}", printed.stdout);
    }
    assert!(
        printed.stderr.contains("no sentences in Croatian (hr)"),
        "{}",
        printed.stderr
    );
    let place = here.join("first/mytask");
    let rows = |code: &str| {
        let text = fs::read_to_string(place.join(format!("data/{code}.csv"))).expect("rows");
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(rows("de").len(), 13, "a dozen and the header");
    assert!(rows("de")[1].contains("Ich liebe"), "{:?}", rows("de"));
    assert!(
        rows("hr")[1].starts_with("\"(in English) I love"),
        "{:?}",
        rows("hr")
    );

    let model = format!("--set model={}", tiny::model());
    let checked = call_line(&place, &format!("check recipe.toml {model}"), 0);
    assert!(checked.stderr.contains("adapters: 1"), "{}", checked.stderr);
    call_line(
        &place,
        &format!("run recipe.toml {model} --set train.max_steps=2"),
        0,
    );
    assert!(place.join("runs/mytask/report/index.html").is_file());

    let printed = call_line(here, "init first/mytask --languages de", 1);
    assert!(
        printed.stderr.contains("is not empty"),
        "{}",
        printed.stderr
    );
    for (line, said) in [
        ("init emotion --languages de", "taken"),
        ("init a.b --languages de", "cannot name a task"),
        ("init other --languages en", "another language than English"),
        ("init other --languages xx", "`xx`"),
    ] {
        let printed = call_line(here, line, 1);
        assert!(printed.stderr.contains(said), "{line}: {}", printed.stderr);
        assert!(!here.join("other").exists());
    }
}
