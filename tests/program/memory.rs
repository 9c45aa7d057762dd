//! What a run says of memory and time, activation checkpointing, and what `check` says of a run
//! before it is made.

use crate::{
    call::{assert_same_results, call, call_line, json, results, scratch},
    tiny,
};

const ON: [&str; 2] = ["--set", "train.activation_checkpointing=true"];

// Promise: activation checkpointing changes no byte of a result, is noted, and alone gives no
// reason to do anything again.
#[test]
fn activation_checkpointing_changes_no_result() {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    call_line(folder.path(), "train recipe.toml --out plain", 0);
    call(
        folder.path(),
        &[&["train", "recipe.toml", "--out", "again"][..], &ON].concat(),
        0,
    );
    let (plain, again) = (folder.path().join("plain"), folder.path().join("again"));
    assert_same_results(&results(&plain), &results(&again));
    let stages = |run: &std::path::Path| json(&run.join("manifest.json"))["stages"].clone();
    let noted = |run| stages(run)["train.emotion.sw-en.seed1"]["notes"].clone();
    assert_eq!(
        (
            &noted(&plain)["activation_checkpointing"],
            &noted(&again)["activation_checkpointing"]
        ),
        (&false.into(), &true.into())
    );
    assert!(
        noted(&plain)["estimated_bytes"].as_u64() > noted(&again)["estimated_bytes"].as_u64(),
        "{}",
        noted(&plain)
    );
    let before = stages(&plain);
    call(
        folder.path(),
        &[&["train", "recipe.toml", "--out", "plain"][..], &ON].concat(),
        0,
    );
    assert_eq!(stages(&plain), before, "nothing is done again");
}

// Promise: a run ends with its peak of memory, and its manifest holds it and the time of asking
// alone.
#[test]
#[cfg(target_os = "linux")]
fn a_run_tells_its_peak_memory_and_how_long_it_asked() {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    let printed = call_line(
        folder.path(),
        "run recipe.toml --out out --only eval --set train.max_steps=1",
        1,
    );
    assert!(printed.stderr.contains("no adapter"), "{}", printed.stderr);
    let printed = call_line(folder.path(), "run recipe.toml --out out", 0);
    let last = printed.stderr.lines().last().unwrap_or_default();
    assert!(
        last.starts_with("peak memory: ") && last.ends_with(" GB"),
        "{}",
        printed.stderr
    );
    let manifest = json(&folder.path().join("out/manifest.json"));
    assert!(
        manifest["machine"]["peak_memory_bytes"].as_u64() > Some(1 << 20),
        "{}",
        manifest["machine"]
    );
    for (name, stage) in manifest["stages"]
        .as_object()
        .expect("stages")
        .iter()
        .filter(|(n, _)| n.starts_with("eval."))
    {
        let (asking, whole) = (
            stage["notes"]["asking_seconds"].as_f64(),
            stage["seconds"].as_f64(),
        );
        assert!(asking > Some(0.0) && asking <= whole, "{name}: {stage}");
    }
}

// Promise: `check` estimates memory with and without activation checkpointing, and time where
// model and data are there.
#[test]
fn check_estimates_memory_and_time() {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    let told = call_line(folder.path(), "check recipe.toml", 0).stderr;
    for needle in [
        "memory, estimated: weights 0.00 GB (f32)",
        "without activation checkpointing",
        "  evaluation, ",
        "time on this CPU, from a block and the head timed now (",
    ] {
        assert!(told.contains(needle), "`{needle}` in\n{told}");
    }
    let times = told.lines().filter(|line| line.contains(" s for each of "));
    assert_eq!(times.count(), 2, "{told}");
    let later = "check recipe.toml --set model=qwen1.5-1.8b --set dtype=bf16";
    let fetched_later = call_line(folder.path(), later, 0).stderr;
    assert!(
        fetched_later.contains("weights 3.67 GB (bf16)"),
        "{fetched_later}"
    );
    assert!(
        fetched_later.contains("no estimate of time before the model is fetched"),
        "{fetched_later}"
    );
    let no_data = call_line(folder.path(), "check recipe.toml --set data.dir=nowhere", 1).stderr;
    assert!(no_data.contains("no estimate of time: "), "{no_data}");
}

// Promise: `check` lists which stages a run would make and which it would skip in the run folder,
// and makes none.
#[test]
fn check_lists_the_stages() {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    let stages = |verb: &str, more: &str| -> String {
        let line = format!("check recipe.toml --out out{more}");
        // A run that would make finished stages again is refused.
        let code = i32::from(!more.is_empty());
        let said = call_line(folder.path(), &line, code).stderr;
        said.lines()
            .find_map(|line| line.strip_prefix(&format!("  {verb} ")))
            .unwrap_or_else(|| panic!("no line `{verb}` in\n{said}"))
            .to_owned()
    };
    let before = "audit data.emotion.sw-en.seed1 questions.emotion.{en,de,sw} eval.base.emotion.english.{en,de,sw}";
    let adapter = "train.emotion.sw-en.seed1 eval.emotion.sw-en.seed1.emotion.english.{en,de,sw}";
    assert_eq!(stages("run", ""), format!("13: {before} {adapter} report"));
    assert_eq!(stages("skip", ""), "0:");
    assert!(!folder.path().join("out").exists());
    call_line(folder.path(), "run recipe.toml --out out", 0);
    assert_eq!(stages("run", ""), "1: report");
    assert_eq!(stages("skip", ""), format!("12: {before} {adapter}"));
    // Another training: its pairs and the base model's answers stay.
    let other = " --set train.learning_rate=2e-2";
    assert_eq!(stages("skip", other), format!("8: {before}"));
    assert_eq!(stages("run", other), format!("5: {adapter} report"));
}
