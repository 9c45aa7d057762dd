//! `run --only`: parts alone, in order, and what each needs.

use crate::{
    call::{assert_same_results, call_line, files, results, scratch},
    tiny,
};

// Promise: each part writes its own folder and no other; together they are the whole run.
#[test]
fn parts_one_after_another_are_the_whole_run() {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    let out = folder.path().join("out");
    let there = || {
        ["data", "adapters", "train", "answers", "report"].map(|name| !files(&out, name).is_empty())
    };
    call_line(folder.path(), "run recipe.toml --out out --only data", 0);
    assert_eq!(there(), [true, false, false, false, false]);
    call_line(folder.path(), "run recipe.toml --out out --only train", 0);
    assert_eq!(there(), [true, true, true, false, false]);
    call_line(folder.path(), "run recipe.toml --out out --only eval", 0);
    assert_eq!(there(), [true, true, true, true, false]);
    call_line(folder.path(), "run recipe.toml --out out --only report", 0);
    assert_eq!(there(), [true; 5]);
    call_line(
        folder.path(),
        "run recipe.toml --out whole --only data,train,eval,report",
        0,
    );
    assert_same_results(&results(&folder.path().join("whole")), &results(&out));
}

// Promise: a part whose files are not there yet names the part to run first.
#[test]
fn a_part_says_what_it_needs() {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    let check = |part: &str, needles: &[&str]| {
        let message = call_line(
            folder.path(),
            &format!("run recipe.toml --out {part} --only {part}"),
            1,
        )
        .stderr;
        assert!(
            needles.iter().all(|needle| message.contains(needle)),
            "{part}: {message}"
        );
    };
    check("train", &["data", "first"]);
    check("eval", &["no adapter", "train"]);
    check("report", &["holds no answers"]);
    assert_eq!(
        files(&folder.path().join("eval"), "answers/base").len(),
        2 * 3,
        "the base model needs no adapter"
    );
}

// Promise: `--only eval` never evaluates an adapter, nor `--only train` pairs, of another
// recipe than the one at hand.
#[test]
fn a_part_refuses_what_another_recipe_left() {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    call_line(folder.path(), "run recipe.toml --out out", 0);
    let stale = call_line(
        folder.path(),
        "run recipe.toml --out out --redo --only eval --set train.learning_rate=2e-2",
        1,
    );
    assert!(
        stale.stderr.contains("emotion.sw-en.seed1") && stale.stderr.contains("train"),
        "{}",
        stale.stderr
    );
    let stale = call_line(
        folder.path(),
        "run recipe.toml --out out --redo --only train --set train.pairs=9",
        1,
    );
    assert!(
        stale.stderr.contains("emotion.sw-en.seed1") && stale.stderr.contains("data"),
        "{}",
        stale.stderr
    );
    call_line(folder.path(), "run recipe.toml --out out --only eval", 0);
}
