//! A run that is killed at any moment leaves whole files, and the same command again ends where
//! a run left alone ends.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread::sleep,
    time::{Duration, SystemTime},
};

use tempfile::TempDir;

use crate::{
    call::{assert_same_results, call, files, json, program, results, scratch},
    tiny,
};

/// Two settings with two seeds, four languages, a checkpoint after every step.
const ARGS: &[&str] = &[
    "run",
    "recipe.toml",
    "--out",
    "out",
    "--set",
    "train.settings=sw=>en,de=>en",
    "--set",
    "seeds=[1, 2]",
    "--set",
    "train.max_steps=4",
    "--set",
    "train.save_steps=1",
    "--set",
    "train.lora.dropout=0.1",
    "--set",
    "eval.languages=en,de,sw,nl",
    "--set",
    "eval.limit=2",
];
const ADAPTERS: usize = 4;
const LANGUAGES: usize = 4;
const ANSWERS: usize = LANGUAGES * (1 + ADAPTERS);

/// The results of a run left alone.
fn expected() -> &'static BTreeMap<PathBuf, String> {
    static EXPECTED: OnceLock<BTreeMap<PathBuf, String>> = OnceLock::new();
    EXPECTED.get_or_init(|| {
        let folder = prepare();
        call(folder.path(), ARGS, 0);
        let found = results(&folder.path().join("out"));
        assert_eq!(answers(&folder.path().join("out")), ANSWERS);
        found
    })
}

fn prepare() -> TempDir {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    folder
}

fn start(folder: &Path) -> Child {
    program(folder)
        .args(ARGS)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts")
}

/// Whether the moment came before the program ended by itself.
fn wait_for(child: &mut Child, moment: impl Fn() -> bool) -> bool {
    loop {
        if moment() {
            return true;
        }
        if child.try_wait().expect("waits").is_some() {
            return false;
        }
        sleep(Duration::from_micros(100));
    }
}

/// Runs the same command to its end: what the manifest calls finished is not written again, and
/// the results are those of a run left alone.
#[track_caller]
fn finish_and_compare(folder: &Path) {
    let out = folder.join("out");
    let finished = finished_files(&out);
    call(folder, ARGS, 0);
    for (path, written) in finished {
        assert!(
            written == time(&out.join(&path)),
            "{path} was finished and is written again"
        );
    }
    assert_same_results(&results(&out), expected());
}

/// The outputs of the stages in the manifest, and when they were written; none if the run came
/// to no manifest.
fn finished_files(out: &Path) -> Vec<(String, SystemTime)> {
    if !out.join("manifest.json").exists() {
        return Vec::new();
    }
    let manifest = json(&out.join("manifest.json"));
    let stages = manifest["stages"].as_object().expect("an object").values();
    let files = stages.flat_map(|stage| {
        stage["outputs"]
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
    });
    files
        .map(|file| (file.clone(), time(&out.join(file))))
        .collect()
}

fn time(file: &Path) -> SystemTime {
    file.metadata()
        .and_then(|metadata| metadata.modified())
        .expect("a finished file")
}

/// Starts runs in new folders and kills each once `begun` holds, until one is caught before
/// `ended` holds.
#[track_caller]
fn kill_between(begun: impl Fn(&Path) -> bool, ended: impl Fn(&Path) -> bool) -> TempDir {
    for _ in 0..20 {
        let folder = prepare();
        let out = folder.path().join("out");
        let mut child = start(folder.path());
        wait_for(&mut child, || begun(&out));
        child.kill().expect("is ours");
        child.wait().expect("ends");
        if begun(&out) && !ended(&out) {
            return folder;
        }
    }
    panic!("the stage was never caught in 20 runs");
}

fn adapters(out: &Path) -> usize {
    files(out, "adapters")
        .iter()
        .filter(|path| path.ends_with("adapter_config.json"))
        .count()
}

fn answers(out: &Path) -> usize {
    finished_in(out, "answers")
}

/// Files of answers that are complete.
fn finished_in(out: &Path, folder: &str) -> usize {
    files(out, folder)
        .iter()
        .filter(|path| path.extension().is_some_and(|e| e == "jsonl"))
        .count()
}

// Promise: a run killed while it draws pairs goes on.
#[test]
fn killed_while_drawing_pairs() {
    let folder = kill_between(
        |out| !files(out, "data").is_empty(),
        |out| files(out, "data").len() == ADAPTERS,
    );
    finish_and_compare(folder.path());
}

// Promise: a run killed between two languages of the base model goes on with the same answers.
#[test]
fn killed_while_asking_the_base_model() {
    let folder = kill_between(
        |out| finished_in(out, "answers/base") > 0,
        |out| finished_in(out, "answers/base") == LANGUAGES,
    );
    finish_and_compare(folder.path());
}

// Promise: a killed training goes on from its checkpoint to the same adapter, byte by byte, and
// the same log. That the steps before the kill are not made again is seen in the log, where
// each keeps the time that it took.
#[test]
fn killed_while_training() {
    let checkpoint = |out: &Path| {
        files(out, "checkpoints")
            .iter()
            .any(|path| path.ends_with("state.safetensors"))
    };
    let log = |out: &Path| {
        files(out, "train")
            .iter()
            .map(|path| out.join(path))
            .next_back()
    };
    let folder = kill_between(
        |out| checkpoint(out) && log(out).is_some(),
        |out| !checkpoint(out),
    );
    let log = log(&folder.path().join("out")).expect("was there");
    let before = fs::read_to_string(&log).expect("reads");
    assert!(before.contains("\"kind\":\"step\""), "{before}");
    finish_and_compare(folder.path());
    assert!(
        fs::read_to_string(&log)
            .expect("reads")
            .starts_with(&before),
        "the steps were made again"
    );
    let adapter = log
        .file_stem()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    let manifest = json(&folder.path().join("out/manifest.json"));
    let took = manifest["stages"][format!("train.{adapter}")]["seconds"]
        .as_f64()
        .expect("a time");
    let text = fs::read_to_string(&log).expect("reads");
    let steps = text.lines().map(|line| {
        let record: serde_json::Value = serde_json::from_str(line).expect("JSON");
        record["seconds"].as_f64().unwrap_or(0.0)
    });
    let steps: f64 = steps.sum();
    assert!(took >= steps, "{took} s, but its updates took {steps} s");
    assert!(manifest.get("spent").is_none(), "all is finished");
    for fact in ["started", "finished", "command"] {
        assert!(manifest["made"][fact].is_string(), "{fact}");
    }
}

// Promise: a run killed between two trainings keeps the first adapter.
#[test]
fn killed_between_adapters() {
    let folder = kill_between(|out| adapters(out) == 2, |out| adapters(out) == ADAPTERS);
    finish_and_compare(folder.path());
}

// Promise: a run killed while it asks a tuned model goes on with the same answers.
#[test]
fn killed_while_asking_a_tuned_model() {
    let folder = kill_between(
        |out| answers(out) > LANGUAGES,
        |out| answers(out) == ANSWERS,
    );
    finish_and_compare(folder.path());
}

// Promise: an evaluation killed in the middle of a language goes on behind what it has
// measured, to the same bytes; a line torn by the kill is dropped, and the unfinished part is
// gone in the end.
#[test]
fn killed_in_the_middle_of_a_language() {
    let line = format!(
        "eval --model {} --task emotion --data {} --languages en,de --few-shot builtin --greedy 2 --tokens-per-batch 1 --out",
        tiny::model(),
        tiny::mini()
    );
    let args = |out: &str| -> Vec<String> {
        line.split_whitespace()
            .chain([out])
            .map(str::to_owned)
            .collect()
    };
    let folder = scratch();
    let at = |name: &str| folder.path().join(name);
    call(folder.path(), &args("alone.jsonl"), 0);
    let partial = at("killed.jsonl.partial");
    let measured =
        || fs::read_to_string(&partial).map_or(0, |text| text.matches("{\"measured\"").count());
    let caught = (0..20).any(|_| {
        let mut command = program(folder.path());
        let mut child = command
            .args(args("killed.jsonl"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        wait_for(&mut child, || measured() > 5);
        child.kill().expect("is ours");
        child.wait().expect("ends");
        let caught = partial.exists();
        if !caught {
            fs::remove_file(at("killed.jsonl")).expect("was complete");
        }
        caught
    });
    assert!(
        caught && measured() > 5 && !at("killed.jsonl").exists(),
        "never caught in the middle"
    );
    let mut torn = fs::read(&partial).expect("reads");
    torn.extend(br#"{"measured":[3,{"pre"#);
    fs::write(&partial, torn).expect("writes");
    let said = call(folder.path(), &args("killed.jsonl"), 0).stderr;
    assert!(
        said.contains("questions that were measured before"),
        "{said}"
    );
    for ending in ["", ".meta.json"] {
        let bytes = |name: &str| fs::read(at(&format!("{name}.jsonl{ending}"))).expect("reads");
        assert!(bytes("killed") == bytes("alone"), "{ending}");
    }
    assert!(!partial.exists());
    // Other inputs: what was begun is of no use, and it is said why.
    let half = |limit: &str| -> Vec<String> {
        args("other.jsonl")
            .into_iter()
            .chain(["--limit".into(), limit.into()])
            .collect()
    };
    call(folder.path(), &half("3"), 0);
    let whole = json(&at("other.jsonl.meta.json"))["evaluations"][0].to_string();
    let begun = format!(
        "{{\"begun\":{whole}}}\n{{\"measured\":[0,{{\"log_probs\":[-1.0,-2.0],\"tokens\":[1,1]}}]}}\n"
    );
    fs::write(at("other.jsonl.partial"), begun).expect("writes");
    let said = call(folder.path(), &half("4"), 0).stderr;
    assert!(
        said.contains("en: partial results were made with different limit; starting over"),
        "{said}"
    );
}

// Promise: a run killed while it writes the report writes it again.
#[test]
fn killed_while_reporting() {
    let folder = kill_between(
        |out| !files(out, "report").is_empty(),
        |out| out.join("report/index.html").is_file(),
    );
    finish_and_compare(folder.path());
}

// Promise: however often and whenever a run is killed, it gets to its end, and the end is the
// same.
#[test]
fn killed_at_twenty_random_moments() {
    let folder = prepare();
    let mut state = 0x2_4051_3816_u64;
    let mut killed = 0;
    for _ in 0..20 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let mut child = start(folder.path());
        sleep(Duration::from_micros((state >> 33) % 250_000));
        killed += usize::from(child.try_wait().expect("waits").is_none());
        child.kill().expect("is ours");
        child.wait().expect("ends");
    }
    assert!(
        killed >= 5,
        "only {killed} of 20 runs were still alive when killed"
    );
    finish_and_compare(folder.path());
}

/// Interrupts a child as Ctrl-C does, and returns its exit code and what it said; no code if it
/// was too early or too late.
#[cfg(unix)]
fn interrupt(child: Child) -> (Option<i32>, String) {
    let signalled = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .output()
        .expect("starts");
    let ended = child.wait_with_output().expect("ends");
    let caught = signalled.status.success() && !ended.status.success();
    (
        ended.status.code().filter(|_| caught),
        String::from_utf8_lossy(&ended.stderr).into_owned(),
    )
}

// Promise: Ctrl-C ends a run in good order, with exit code 130 and what to do; the next run ends
// the same.
#[cfg(unix)]
#[test]
fn interrupted_by_ctrl_c() {
    for _ in 0..10 {
        let folder = prepare();
        let out = folder.path().join("out");
        let mut child = program(folder.path())
            .args(ARGS)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        wait_for(&mut child, || !files(&out, "checkpoints").is_empty());
        if let (Some(code), message) = interrupt(child) {
            assert_eq!(code, 130, "{message}");
            assert!(
                message.contains("error: interrupted") && message.contains("same command again"),
                "{message}"
            );
            return finish_and_compare(folder.path());
        }
    }
    panic!("every run was over before it was interrupted");
}

// Promise: Ctrl-C ends `eval` and `capture` with exit code 130, and they leave no file.
#[cfg(unix)]
#[test]
fn commands_interrupted_by_ctrl_c() {
    let folder = scratch();
    let row = |at: usize| {
        format!(
            "{{\"text\": {:?}}}\n",
            format!("{at} {}", "sea ".repeat(100))
        )
    };
    fs::write(
        folder.path().join("rows.jsonl"),
        (0..3000).map(row).collect::<String>(),
    )
    .expect("writes");
    let (model, mini) = (tiny::model(), tiny::mini());
    let eval = format!(
        "eval --model {model} --task emotion --data {mini} --few-shot builtin --tokens-per-batch 1 --out"
    );
    let capture = format!("capture --model {model} --input rows.jsonl --out");
    for (line, out) in [(eval, "answers"), (capture, "states")] {
        let caught = (1..20u64).any(|attempt| {
            let mut command = program(folder.path());
            let args = command
                .args(line.split_whitespace())
                .arg(out)
                .stdout(Stdio::null())
                .stderr(Stdio::piped());
            let child = args.spawn().expect("starts");
            sleep(Duration::from_millis(100 * attempt));
            let (code, message) = interrupt(child);
            let whole = fs::remove_file(folder.path().join(out)).is_ok();
            assert!(
                code.is_none()
                    || code == Some(130) && message.contains("error: interrupted") && !whole,
                "{message}"
            );
            code.is_some()
        });
        assert!(caught, "never interrupted: {line}");
    }
}
