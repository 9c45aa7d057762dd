//! Several processes in one run folder: each stage is made once, by whichever process comes to it
//! first; killed and started again, they leave what one process leaves.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::OnceLock,
    thread::sleep,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    call::{assert_same_results, call, call_line, files, json, program, results, scratch},
    tiny,
};

/// Four adapters, four languages, captures and the lens: stages that need others, and stages that
/// need none.
const ARGS: &[&str] = &[
    "run",
    "recipe.toml",
    "--out",
    "out",
    "--threads",
    "2",
    "--set",
    "train.settings=sw=>en,de=>en",
    "--set",
    "seeds=[1, 2]",
    "--set",
    "train.max_steps=4",
    "--set",
    "train.save_steps=1",
    "--set",
    "eval.languages=en,de,sw,nl",
    "--set",
    "eval.limit=4",
];
const ADAPTERS: usize = 4;
const ANALYSES: &str = r#"
[analyse]
kinds = ["lens", "pca", "neurons", "silencing"]
languages = ["en", "de"]
poolings = ["last"]
limit = 6
resamples = 20
permutations = 20
neuron_share = 0.1
"#;

fn prepare() -> TempDir {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    let path = folder.path().join("recipe.toml");
    let text = fs::read_to_string(&path).expect("reads");
    fs::write(&path, text + ANALYSES).expect("writes");
    folder
}

/// What a run leaves, without the times in it.
#[derive(Debug, PartialEq)]
struct Left {
    results: BTreeMap<PathBuf, String>,
    inside: BTreeMap<PathBuf, Vec<u8>>,
    manifest: Value,
    report: Value,
}

impl Left {
    fn read(run: &Path) -> Self {
        let inside = ["captures", "inside"]
            .into_iter()
            .flat_map(|folder| files(run, folder));
        Self {
            results: results(run),
            inside: inside
                .map(|path| (path.clone(), fs::read(run.join(path)).expect("reads")))
                .collect(),
            manifest: without_times(json(&run.join("manifest.json"))),
            report: json(&run.join("report/results.json")),
        }
    }

    #[track_caller]
    fn assert_is(&self, expected: &Self) {
        assert_same_results(&self.results, &expected.results);
        assert!(
            self.inside.keys().eq(expected.inside.keys()),
            "{:?}",
            self.inside.keys()
        );
        for (path, bytes) in &self.inside {
            assert!(
                *bytes == expected.inside[path],
                "{} differs",
                path.display()
            );
        }
        let stages = |left: &Self| left.manifest["stages"].as_object().expect("stages").clone();
        let (found, wanted) = (stages(self), stages(expected));
        for (name, stage) in &wanted {
            assert_eq!(found.get(name), Some(stage), "stage {name}");
        }
        assert_eq!(self.manifest, expected.manifest);
        assert_eq!(self.report, expected.report);
    }
}

/// A manifest without times, command, memory, and the hashes of logs, which hold times.
fn without_times(mut manifest: Value) -> Value {
    manifest["machine"]["peak_memory_bytes"] = Value::Null;
    manifest["made"] = Value::Null;
    for (_, stage) in manifest["stages"].as_object_mut().expect("stages") {
        stage["seconds"] = Value::Null;
        let outputs = stage["outputs"].as_object_mut().expect("outputs");
        outputs.retain(|file, _| !file.starts_with("train/"));
        if let Some(notes) = stage["notes"].as_object_mut() {
            let times = [
                "asking_seconds",
                "tokens_per_second",
                "available_bytes",
                "resumed",
            ];
            notes.retain(|name, _| !times.contains(&name.as_str()));
        }
    }
    manifest
}

/// What one process leaves.
fn expected() -> &'static Left {
    static EXPECTED: OnceLock<Left> = OnceLock::new();
    EXPECTED.get_or_init(|| {
        let folder = prepare();
        call(folder.path(), ARGS, 0);
        Left::read(&folder.path().join("out"))
    })
}

fn start(folder: &Path) -> Child {
    program(folder)
        .args(ARGS)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts")
}

/// Waits for success; what the process said.
#[track_caller]
fn finish(child: Child) -> String {
    let ended = child.wait_with_output().expect("ends");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success(), "{said}");
    said
}

/// Lines that report a finished training.
fn trained(said: &str) -> Vec<&str> {
    said.lines()
        .filter(|line| line.contains("best at step"))
        .filter_map(|line| line.split_once("] train ")?.1.split_whitespace().next())
        .collect()
}

// Promise: two processes started at once share the stages of a run, make none twice, and leave
// what one process leaves.
#[test]
fn two_processes_share_a_run() {
    let mut shared = false;
    for _ in 0..5 {
        let folder = prepare();
        let (first, second) = (start(folder.path()), start(folder.path()));
        let (first, second) = (finish(first), finish(second));
        let mut made = [trained(&first), trained(&second)].concat();
        shared |= made.len() > trained(&first).len() && made.len() > trained(&second).len();
        made.sort_unstable();
        let count = made.len();
        made.dedup();
        assert_eq!(
            (made.len(), count),
            (ADAPTERS, ADAPTERS),
            "{first}\n{second}"
        );
        Left::read(&folder.path().join("out")).assert_is(expected());
        if shared {
            return;
        }
    }
    panic!("one process alone trained every adapter in five runs");
}

// Promise: two processes that are killed again and again, each at its own moments, get to the end
// that one process left alone gets to.
#[test]
fn two_processes_killed_and_started_again() {
    let folder = prepare();
    let mut state = 0x2_4051_3816_u64;
    let mut killed = 0;
    let mut children = [start(folder.path()), start(folder.path())];
    for round in 0..16 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        sleep(Duration::from_micros((state >> 33) % 400_000));
        let child = &mut children[round % 2];
        killed += usize::from(child.try_wait().expect("waits").is_none());
        child.kill().expect("is ours");
        child.wait().expect("ends");
        children[round % 2] = start(folder.path());
    }
    assert!(killed >= 4, "only {killed} were still alive when killed");
    for child in children {
        finish(child);
    }
    Left::read(&folder.path().join("out")).assert_is(expected());
}

/// Holds a file of the run folder's locks, as a process does that makes a stage.
fn hold(folder: &Path, lock: &str) -> File {
    let path = folder.join("out/.locks").join(lock);
    fs::create_dir_all(path.parent().expect("a folder")).expect("creates");
    let file = File::create(path).expect("creates");
    file.lock().expect("locks");
    file
}

// Promise: a stage that another process is making is passed over, and waited for when all others
// are done; when that process dies, the stage is taken over.
#[test]
fn a_stage_in_other_hands_is_passed_over_then_taken_over() {
    let folder = prepare();
    let out = folder.path().join("out");
    let adapter = "emotion.sw-en.seed1";
    let held = hold(folder.path(), &format!("stage.train.{adapter}"));
    let mut child = start(folder.path());
    let mut said = BufReader::new(child.stderr.take().expect("piped")).lines();
    let note = format!("waiting for train.{adapter}, which another process is making");
    let waits = said.any(|line| line.expect("reads") == note);
    assert!(waits, "ended without waiting");
    let done = files(&out, "adapters");
    let done = done
        .iter()
        .filter(|path| path.ends_with("adapter_config.json"));
    assert_eq!(done.count(), ADAPTERS - 1, "the others do not wait");
    assert!(!out.join("adapters").join(adapter).exists());
    drop(held);
    let rest: Vec<String> = said.map(|line| line.expect("reads")).collect();
    assert!(child.wait().expect("ends").success(), "{rest:?}");
    assert!(!rest.contains(&note), "noted twice: {rest:?}");
    Left::read(&out).assert_is(expected());
}

// Promise: while a process runs a recipe, another recipe, model or device is kept out of its
// folder with a message, and leaves it as it was; the same recipe is let in.
#[test]
fn another_recipe_is_kept_out() {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    call_line(folder.path(), "train recipe.toml --out out", 0);
    let manifest = fs::read(folder.path().join("out/manifest.json")).expect("a manifest");
    let held = File::options()
        .write(true)
        .open(folder.path().join("out/.lock"))
        .expect("the lock");
    held.lock_shared().expect("locks");
    let other = "run recipe.toml --out out --set eval.limit=3";
    let refused = call_line(folder.path(), other, 1).stderr;
    assert!(
        refused.contains("another process is at work in out with another recipe"),
        "{refused}"
    );
    let is_unchanged =
        fs::read(folder.path().join("out/manifest.json")).expect("reads") == manifest;
    assert!(is_unchanged && files(&folder.path().join("out"), "answers").is_empty());
    call_line(folder.path(), "run recipe.toml --out out", 0);
    assert!(!files(&folder.path().join("out"), "answers").is_empty());
    drop(held);
    call_line(folder.path(), &format!("{other} --redo"), 0);
}
