//! What flipped bits, signals, bombs and settings without measure meet: files that are hashed,
//! loops that look for a signal, bounds with the name of their key.

use std::{
    fs,
    path::Path,
    process::Stdio,
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{
    call::{call, call_line, program, scratch},
    tiny,
};

/// Flips a bit in the middle of a file.
fn flip(path: &Path) {
    let mut bytes = fs::read(path).expect("reads");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).expect("writes");
}

// Promise: a flipped bit in any file of a run is found by --verify, which names file and stage and
// runs nothing; without it the stage is made again, and that is said.
#[test]
fn a_flipped_bit_in_a_run_is_found() {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    let run = "run recipe.toml --out out";
    call_line(folder.path(), run, 0);
    let sound = call_line(folder.path(), &format!("{run} --verify"), 0).stderr;
    assert!(sound.contains("all are as they were written"), "{sound}");
    for (file, stage) in [
        (
            "train/emotion.sw-en.seed1.jsonl",
            "train.emotion.sw-en.seed1",
        ),
        (
            "answers/base/emotion.english.de.jsonl",
            "eval.base.emotion.english.de",
        ),
        ("audit.json", "audit"),
    ] {
        let path = folder.path().join("out").join(file);
        flip(&path);
        let damaged = fs::read(&path).expect("reads");
        let refused = call_line(folder.path(), &format!("{run} --verify"), 1).stderr;
        let needle = format!("{stage}: {file} is not as it was written");
        assert!(refused.contains(&needle), "{refused}");
        assert!(
            fs::read(&path).expect("reads") == damaged,
            "nothing was run"
        );
        let again = call_line(folder.path(), run, 0).stderr;
        let needle = format!("note: {stage} is made again: {file} is not as it was written");
        assert!(again.contains(&needle), "{again}");
        call_line(folder.path(), &format!("{run} --verify"), 0);
    }
}

#[cfg(unix)]
#[track_caller]
fn terminated(folder: &Path, line: &str, wait: Duration) {
    let mut child = program(folder)
        .args(line.split_whitespace())
        .stdout(Stdio::null())
        // A pipe that nobody reads would hold the program up when it is full.
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    sleep(wait);
    let kill = std::process::Command::new("kill")
        .arg(child.id().to_string())
        .status();
    assert!(kill.expect("starts").success());
    let start = Instant::now();
    let status = child.wait().expect("ends");
    let took = start.elapsed();
    assert!(
        took < Duration::from_secs(2),
        "{line}: {took:?} after the signal"
    );
    assert_eq!(
        status.code(),
        Some(130),
        "{line} was over before the signal"
    );
}

// Promise: SIGTERM between quick stages stops the run too.
#[cfg(unix)]
#[test]
fn a_signal_stops_many_quick_stages() {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    let seeds: Vec<String> = (1..3001).map(|seed| seed.to_string()).collect();
    let text = fs::read_to_string(folder.path().join("recipe.toml")).expect("reads");
    let text = text.replace("seeds = [1]", &format!("seeds = [{}]", seeds.join(",")));
    fs::write(folder.path().join("recipe.toml"), text).expect("writes");
    let wait = Duration::from_secs(3);
    terminated(folder.path(), "run recipe.toml --out out --only data", wait);
    terminated(folder.path(), "data build recipe.toml --out built", wait);
}

#[test]
fn numbers_without_measure_are_refused_by_name() {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    let lens = "--set analyse.kinds=[\"tuned-lens\"] --set analyse.lens_tokens=";
    for (set, needle) in [
        (
            "--set train.lora.rank=100000000",
            "train.lora.rank: must be at most 65536",
        ),
        (
            "--set train.lora.rank=60000",
            "train.lora.rank: 60000 is more than",
        ),
        (
            "--set train.batch_size=99999999999",
            "train.batch_size: must be at most",
        ),
        (
            "--set eval.tokens_per_batch=99999999999",
            "eval.tokens_per_batch: must be at most",
        ),
        (
            "--set train.epochs=1e300",
            "train.epochs: must be at most 1000000",
        ),
        (
            &format!("{lens}99999999999"),
            "analyse.lens_tokens: must be at most 1000000",
        ),
        (
            "--set analyse.resamples=99999999999",
            "analyse.resamples: must be at most 1000000",
        ),
    ] {
        let line = format!("run recipe.toml --out out {set}");
        let printed = call_line(folder.path(), &line, 1).stderr;
        assert!(printed.contains(needle), "{set}: {printed}");
    }
    let eval = format!(
        "eval --model {} --task emotion --data {} --out a.jsonl",
        tiny::model(),
        tiny::mini()
    );
    for flag in ["--limit", "--greedy", "--tokens-per-batch"] {
        let printed = call_line(folder.path(), &format!("{eval} {flag} 99999999999"), 2).stderr;
        assert!(printed.contains("to 1000000000"), "{flag}: {printed}");
    }
    call_line(folder.path(), "--threads 60000 model list", 2);
}

// Promise: neither a field without an end nor a page that unpacks to all memory is read whole.
#[test]
fn a_row_without_an_end_is_refused() {
    let folder = scratch();
    let long = "x".repeat(70 << 20);
    fs::write(
        folder.path().join("a.csv"),
        format!("text,id\n\"{long}\",1\n"),
    )
    .expect("writes");
    fs::write(
        folder.path().join("a.jsonl"),
        format!("{{\"text\": \"{long}\"}}\n"),
    )
    .expect("writes");
    fs::write(
        folder.path().join("a.json"),
        format!("[{{\"text\": \"{long}\"}}]\n"),
    )
    .expect("writes");
    for file in ["a.csv", "a.jsonl", "a.json"] {
        let line = format!("data import {file} --as text --language de --out out");
        let printed = call_line(folder.path(), &line, 1).stderr;
        assert!(
            printed.contains(file) && printed.contains("longer than 64 MiB"),
            "{printed}"
        );
    }
}

#[test]
fn no_path_in_a_file_leads_out_of_its_folder() {
    let folder = scratch();
    let task = fs::read_to_string(tiny::repository("assets/examples/topic/topic.toml"));
    let task = task.expect("shipped");
    for out in ["../..", "/etc", "a/../../b", "a//b"] {
        fs::write(
            folder.path().join("topic.toml"),
            format!("folder = \"{out}\"\n{task}"),
        )
        .expect("writes");
        let line = format!(
            "eval --model {} --task topic.toml --data . --out a.jsonl",
            tiny::model()
        );
        let printed = call_line(folder.path(), &line, 1).stderr;
        assert!(
            printed.contains("folder: `") && printed.contains("must lead down"),
            "{printed}"
        );
    }
    fs::create_dir_all(folder.path().join("built")).expect("creates");
    for out in ["../secret.json", "/etc/passwd", "a/../../b.json"] {
        let info = serde_json::json!({"x": {"file_name": out}}).to_string();
        fs::write(folder.path().join("built/dataset_info.json"), info).expect("writes");
        let line = "data import built --as snli --language de --out data";
        let printed = call_line(folder.path(), line, 1).stderr;
        assert!(printed.contains("no path below the folder"), "{printed}");
    }
    for name in ["../x", "a/b", ".hidden"] {
        let line = format!(
            "data lm-eval --task emotion --data {} --few-shot builtin --name {name} --out h",
            tiny::mini()
        );
        call(
            folder.path(),
            &line.split_whitespace().collect::<Vec<_>>(),
            1,
        );
        assert!(!folder.path().join("h").exists());
    }
}

// Promise: `check`, which writes nothing, ends soon after a signal whatever it reads. It prints the
// recipe before it counts the tokens of two hundred thousand prompts.
#[cfg(unix)]
#[test]
fn a_signal_ends_a_check() {
    use std::io::Read;
    let folder = scratch();
    tiny::write_recipe(folder.path());
    let items: Vec<_> = (0..200_000)
        .map(|at| serde_json::json!({"input": format!("Text {at} of many"), "answer": "positive"}))
        .collect();
    let data = folder.path().join("data");
    tiny::write_items(&data, "ap_emotion", "emotion_en", &items);
    let pairs = "ap_emotion/emotion_sw120_train_question.json";
    fs::copy(Path::new(&tiny::mini()).join(pairs), data.join(pairs)).expect("copies");
    let line = "check recipe.toml --set data.dir=data --set eval.languages=en --set eval.limit=200000 --out out";
    let mut child = program(folder.path())
        .args(line.split_whitespace())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut first = [0];
    let stdout = child.stdout.as_mut().expect("is piped");
    stdout.read_exact(&mut first).expect("the recipe");
    let kill = std::process::Command::new("kill")
        .arg(child.id().to_string())
        .status();
    assert!(kill.expect("starts").success());
    let ended = child.wait_with_output().expect("ends");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(130), "{said}");
    assert!(
        said.contains("error: interrupted") && !said.contains("stages in"),
        "{said}"
    );
}
