//! What no command writes over: its inputs, files of others, links, devices. Every refusal comes
//! before the work, names the path, and leaves all as it was.

use std::{fs, path::Path};

use tempfile::TempDir;

use crate::{
    call::{call, call_line, scratch},
    tiny,
};

/// A folder with a model, a test file in `data`, a recipe, rows and a file of the user's.
fn workplace() -> TempDir {
    let folder = scratch();
    let at = |name: &str| folder.path().join(name);
    tiny::make_model(&at("model"));
    tiny::write_recipe(folder.path());
    tiny::write_items(
        &at("data"),
        "ap_emotion",
        "emotion_de",
        &tiny::items("de", 4),
    );
    fs::write(at("rows.jsonl"), "{\"ids\": [1, 2]}\n{\"ids\": [3]}\n").expect("writes");
    fs::write(at("mine.txt"), "my notes").expect("writes");
    folder
}

const EVAL: &str =
    "eval --model model --task emotion --data data --languages de --few-shot builtin";
const CAPTURE: &str = "capture --model model --input rows.jsonl";
const TRANSLATE: &str =
    "data translate --engine command --command cat --from en --to de --cache c.redb";

/// The bytes of every file below a folder.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<_> = crate::call::files(folder, ".")
        .into_iter()
        .map(|path| {
            (
                path.display().to_string(),
                fs::read(folder.join(&path)).expect("reads"),
            )
        })
        .collect();
    found.sort();
    found
}

/// Refused with these words, and no file is changed or made.
#[track_caller]
fn refused(folder: &Path, line: &str, needles: &[&str]) {
    let before = contents(folder);
    let printed = call_line(folder, line, 1).stderr;
    for needle in needles {
        assert!(printed.contains(needle), "{line}: {needle}: {printed}");
    }
    assert!(contents(folder) == before, "{line} changed a file");
}

#[test]
fn a_file_that_is_read_is_not_written() {
    let folder = workplace();
    let folder = folder.path();
    fs::hard_link(folder.join("rows.jsonl"), folder.join("hard.jsonl")).expect("links");
    let inside = ["cannot write", "which this command reads"];
    let input = ["cannot write", "this command reads it"];
    refused(
        folder,
        &format!("{EVAL} --out model/model.safetensors"),
        &input,
    );
    refused(
        folder,
        &format!("{EVAL} --replace --out model/model.safetensors"),
        &input,
    );
    refused(folder, &format!("{EVAL} --out model/new.jsonl"), &inside);
    refused(folder, &format!("{EVAL} --out data/new.jsonl"), &inside);
    refused(
        folder,
        &format!("{EVAL} --out a.jsonl --lm-eval data/ap_emotion"),
        &inside,
    );
    let test = "data/ap_emotion/emotion_de4_test.json";
    refused(folder, &format!("{EVAL} --out {test}"), &input);
    for out in ["rows.jsonl", "hard.jsonl", "data/../rows.jsonl"] {
        refused(folder, &format!("{CAPTURE} --out {out}"), &input);
        refused(folder, &format!("{CAPTURE} --replace --out {out}"), &input);
        let line = format!("{TRANSLATE} --in rows.jsonl --replace --out {out}");
        fs::write(folder.join("rows.jsonl"), "{\"text\": \"a\"}\n").expect("writes");
        refused(folder, &line, &input);
    }
    refused(folder, &format!("{CAPTURE} --out model/a"), &inside);
    refused(folder, "data audit data --json data/audit.json", &inside);
    refused(folder, &format!("data audit data --html {test}"), &input);
    refused(
        folder,
        "data build recipe.toml --set data.dir=data --out data/ap_emotion",
        &inside,
    );
    let run = "run recipe.toml --set model=./model --out";
    refused(folder, &format!("{run} model"), &["cannot write"]);
    refused(folder, &format!("{run} model/run"), &inside);
    let train = "train recipe.toml --set model=./model --out model/adapters";
    refused(folder, train, &inside);
    refused(
        folder,
        &format!("{run} data --set data.dir=data"),
        &["cannot write"],
    );
    let import = format!("data import {test} --as emotion --language de --out data --replace");
    refused(folder, &import, &["is a file that is read here"]);
    refused(
        folder,
        &format!("{TRANSLATE} --in c.redb --task emotion --out d.json"),
        &[],
    );
}

#[test]
fn a_file_of_others_is_replaced_on_request_only() {
    let folder = workplace();
    let folder = folder.path();
    let other = ["mine.txt", "--replace"];
    refused(folder, &format!("{EVAL} --out mine.txt"), &other);
    refused(folder, &format!("{CAPTURE} --out mine.txt"), &other);
    refused(folder, "data audit data --json mine.txt", &other);
    refused(folder, "data audit data --html mine.txt", &other);
    fs::write(folder.join("lines.jsonl"), "{\"text\": \"a\"}\n").expect("writes");
    fs::write(folder.join("old.jsonl"), "{\"text\": \"b\"}\n").expect("writes");
    let line = format!("{TRANSLATE} --in lines.jsonl --out old.jsonl");
    refused(folder, &line, &["old.jsonl", "--replace"]);
    call_line(folder, &format!("{line} --replace"), 0);
    for beside in [".meta.json", ".partial"] {
        fs::write(folder.join(format!("a{beside}")), "mine").expect("writes");
        refused(
            folder,
            &format!("{EVAL} --out a"),
            &[&format!("a{beside}"), "--replace"],
        );
        fs::remove_file(folder.join(format!("a{beside}"))).expect("removes");
    }
    for beside in [".progress", ".partial"] {
        fs::write(folder.join(format!("s{beside}")), "mine").expect("writes");
        refused(
            folder,
            &format!("{CAPTURE} --out s"),
            &[&format!("s{beside}"), "--replace"],
        );
        fs::remove_file(folder.join(format!("s{beside}"))).expect("removes");
    }
    fs::create_dir_all(folder.join("notes")).expect("creates");
    fs::write(folder.join("notes/a.txt"), "mine").expect("writes");
    refused(
        folder,
        "run recipe.toml --out notes",
        &["notes", "did not write"],
    );
    // Before the model is looked for, which may take an hour's download.
    fs::rename(folder.join("model"), folder.join("away")).expect("renames");
    refused(
        folder,
        "run recipe.toml --out notes",
        &["notes", "did not write"],
    );
    fs::rename(folder.join("away"), folder.join("model")).expect("renames");
    refused(
        folder,
        "data build recipe.toml --out notes",
        &["notes", "did not write"],
    );
    fs::write(folder.join("notes/emotion_de.yaml"), "mine").expect("writes");
    let harness = "data lm-eval --task emotion --data data --few-shot builtin --out notes";
    refused(folder, harness, &["emotion_de.yaml", "--replace"]);
    call_line(folder, &format!("{EVAL} --out mine.txt --replace"), 0);
    let answers = fs::read_to_string(folder.join("mine.txt")).expect("reads");
    assert_eq!(answers.lines().count(), 4);
}

// Promise: what a command wrote itself it writes again without a question; where the answers were
// to other questions it says so.
#[test]
fn own_files_are_written_again() {
    let folder = workplace();
    let folder = folder.path();
    let twice = |line: &str| {
        call_line(folder, line, 0);
        call_line(folder, line, 0);
    };
    twice(&format!("{EVAL} --out a.jsonl"));
    let other = call_line(folder, &format!("{EVAL} --labels same --out a.jsonl"), 0).stderr;
    assert!(
        other.contains("the answers in a.jsonl are of another model, task or way to ask"),
        "{other}"
    );
    twice(&format!("{CAPTURE} --out a.safetensors"));
    twice("data audit data --json a.json --html a.html");
    twice("data build recipe.toml --out built");
    twice("data lm-eval --task emotion --data data --few-shot builtin --out harness");
    fs::write(folder.join("empty.jsonl"), "").expect("writes");
    call_line(folder, &format!("{EVAL} --out empty.jsonl"), 0);
}

#[cfg(unix)]
#[test]
fn devices_and_links_stay_what_they_are() {
    use std::os::unix::fs::{FileTypeExt, symlink};

    let folder = workplace();
    let folder = folder.path();
    let at = |name: &str| folder.join(name);
    let made = std::process::Command::new("mkfifo")
        .arg(at("pipe"))
        .status();
    assert!(made.expect("starts").success());
    symlink(at("mine.txt"), at("link")).expect("links");
    fs::write(at("lines.jsonl"), "{\"text\": \"a\"}\n").expect("writes");
    for (out, why) in [
        ("/dev/null", "device"),
        ("pipe", "pipe"),
        ("link", "a link to"),
    ] {
        let lines = [
            format!("{EVAL} --replace --out {out}"),
            format!("{CAPTURE} --replace --out {out}"),
            format!("data audit data --replace --json {out}"),
            format!("data audit data --replace --html {out}"),
            format!("{TRANSLATE} --in lines.jsonl --replace --out {out}"),
        ];
        for line in lines {
            let printed = call_line(folder, &line, 1).stderr;
            assert!(
                printed.contains("cannot write") && printed.contains(why),
                "{line}: {printed}"
            );
        }
        let line = format!("run recipe.toml --out {out}");
        call_line(folder, &line, 1);
    }
    let kind = |path: &Path| fs::symlink_metadata(path).expect("is there").file_type();
    assert!(kind(Path::new("/dev/null")).is_char_device());
    assert!(kind(&at("pipe")).is_fifo() && kind(&at("link")).is_symlink());
    assert_eq!(fs::read(at("mine.txt")).expect("reads"), b"my notes");
}

// Promise: in a folder that others may write into, a lock or a part that is a link is refused by
// name, and what it points to is not emptied.
#[cfg(unix)]
#[test]
fn what_a_lock_links_to_is_not_emptied() {
    use std::os::unix::fs::symlink;

    let folder = workplace();
    let folder = folder.path();
    let at = |name: &str| folder.join(name);
    let tried = |link: &str, line: &str| {
        fs::create_dir_all(at(link).parent().expect("a folder")).expect("creates");
        symlink(at("mine.txt"), at(link)).expect("links");
        let printed = call_line(folder, line, 1).stderr;
        assert!(
            printed.contains(link) && printed.contains("a link to"),
            "{printed}"
        );
        assert_eq!(fs::read(at("mine.txt")).expect("reads"), b"my notes");
        fs::remove_file(at(link)).expect("removes");
    };
    tried("out/.lock", "run recipe.toml --out out");
    tried("out2/.locks/manifest", "run recipe.toml --out out2");
    call_line(folder, "run recipe.toml --out out3 --only data", 0);
    tried(
        "out3/.locks/stage.train.emotion.sw-en.seed1",
        "run recipe.toml --out out3",
    );
    tried(
        "a.jsonl.partial",
        &format!("{EVAL} --out a.jsonl --replace"),
    );
    tried("s.partial", &format!("{CAPTURE} --out s --replace"));
    tried("s.progress", &format!("{CAPTURE} --out s --replace"));
}

// Promise: what a killed process left goes with the next command in the folder.
#[test]
fn leftovers_go() {
    let folder = workplace();
    let folder = folder.path();
    fs::create_dir_all(folder.join("out/answers/base")).expect("creates");
    let left = [
        "out/.Ab12cd.tmp",
        "out/answers/base/.Ab12cd.tmp",
        ".Zb12cd.tmp",
    ];
    for name in left {
        fs::write(folder.join(name), "rest").expect("writes");
    }
    fs::write(folder.join("out/manifest.json"), "{\"stages\": {}}").expect("writes");
    call_line(folder, "run recipe.toml --out out --only data", 0);
    call_line(folder, &format!("{EVAL} --out a.jsonl"), 0);
    for name in left {
        assert!(!folder.join(name).exists(), "{name} is left");
    }
}

#[test]
fn help_says_that_devices_are_refused() {
    let folder = scratch();
    for command in ["eval", "capture"] {
        let help = call(folder.path(), &[command, "--help"], 0).stdout;
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            help.contains("an ordinary file, no device or pipe"),
            "{help}"
        );
    }
}
