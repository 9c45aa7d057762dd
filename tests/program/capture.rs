//! `capture`: what is asked for is what is written; a capture that was killed, stopped by a
//! full disk or kept waiting goes on; memory does not grow with the rows.

use std::{
    fs::{self, File},
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    call::{call, call_line, program, scratch},
    tiny,
};

/// Writes rows of text that begin alike and are a few hundred tokens long.
fn write_rows(folder: &Path, count: usize) {
    let row = |at: usize| {
        json!({"text": format!("The sea is {at} {}", "green water, ".repeat(20 + at % 7))})
            .to_string()
    };
    fs::write(
        folder.join("rows.jsonl"),
        (0..count).map(row).collect::<Vec<_>>().join("\n"),
    )
    .expect("writes");
}

fn args(out: &str) -> Vec<String> {
    let line = format!(
        "capture --model {} --input rows.jsonl --out {out}",
        tiny::model()
    );
    line.split_whitespace().map(str::to_owned).collect()
}

/// The header of a file of safetensors.
fn header(path: &Path) -> Value {
    let bytes = fs::read(path).expect("reads");
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    serde_json::from_slice(&bytes[8..8 + length]).expect("a JSON header")
}

/// Rows of which the progress of a capture says that they are on disk.
fn done(folder: &Path, out: &str) -> usize {
    let text = fs::read_to_string(folder.join(format!("{out}.progress"))).unwrap_or_default();
    let rows = |line: &str| {
        serde_json::from_str::<Value>(line).ok()?["done"]
            .as_array()
            .map(Vec::len)
    };
    text.lines().filter_map(rows).sum()
}

/// Names of the files in a folder that begin so.
fn names(folder: &Path, start: &str) -> Vec<String> {
    let entries = fs::read_dir(folder)
        .expect("lists")
        .map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = entries
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.retain(|name| name.starts_with(start));
    names.sort();
    names
}

// Promise: `--tensors` and `--layers` choose what is written, in the order of the file; the
// metadata names the layers.
#[test]
fn tensors_and_layers_are_chosen() {
    let folder = scratch();
    write_rows(folder.path(), 2);
    let chosen = ["--tensors", "mlp.mean,hidden.mean", "--layers", "0,2-3"].map(str::to_owned);
    call(
        folder.path(),
        &[args("some.safetensors"), chosen.to_vec()].concat(),
        0,
    );
    let found = header(&folder.path().join("some.safetensors"));
    let names: Vec<&String> = found.as_object().expect("an object").keys().collect();
    assert_eq!(names, ["__metadata__", "hidden.mean", "mlp.mean"]);
    assert_eq!(found["hidden.mean"]["shape"], json!([2, 3, 48]));
    assert_eq!(
        found["mlp.mean"]["shape"],
        json!([2, 2, 80]),
        "of blocks 2 and 3"
    );
    assert_eq!(found["__metadata__"]["layers"], "0,2,3");
    for key in [
        "model_fingerprint",
        "program",
        "numerics",
        "instruction_set",
        "dtype",
    ] {
        assert!(
            found["__metadata__"][key]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{key}: {found}"
        );
    }
}

// Promise: what cannot be asked for is said before a model is run, with what there is.
#[test]
fn tensors_and_layers_that_there_are_not() {
    let folder = scratch();
    write_rows(folder.path(), 2);
    let refused = |more: &str, code: i32| {
        let more: Vec<String> = more.split_whitespace().map(str::to_owned).collect();
        let message = call(
            folder.path(),
            &[args("none.safetensors"), more].concat(),
            code,
        )
        .stderr;
        assert!(names(folder.path(), "none").is_empty());
        message
    };
    assert!(
        refused("--layers 0-4", 1)
            .contains("layer 4: the model has layers 0, the embedding's output, to 3")
    );
    assert!(refused("--tensors mlp.last --layers 0", 1).contains("`mlp.last`: layer 0 has no mlp"));
    assert!(refused("--tensors hidden.middle", 2).contains("hidden.last"));
    assert!(refused("--layers 3-1", 2).contains("`3-1` is empty; write the smaller number first"));
    assert!(refused("--layers two", 2).contains("`two` is not a layer number"));
    let help = call_line(folder.path(), "capture --help", 0).stdout;
    for needle in [
        "--tensors",
        "--layers",
        "mlp.mean",
        "Examples:",
        "--layers 0,8-16",
        "resume an interrupted capture",
    ] {
        assert!(help.contains(needle), "`{needle}` in {help}");
    }
}

// Promise: a capture killed at any moment leaves no file of its name, and goes on to the bytes
// of one left alone.
#[test]
fn killed_in_the_middle() {
    let folder = scratch();
    write_rows(folder.path(), 600);
    call(folder.path(), &args("alone"), 0);
    let mut kept = vec![0];
    for _ in 0..40 {
        let mut child = program(folder.path());
        let mut child = child
            .args(args("killed"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        while child.try_wait().expect("waits").is_none()
            && done(folder.path(), "killed") == kept[kept.len() - 1]
        {
            sleep(Duration::from_millis(1));
        }
        child.kill().expect("is ours");
        child.wait().expect("ends");
        if folder.path().join("killed").exists() {
            break;
        }
        kept.push(done(folder.path(), "killed"));
    }
    assert!(
        kept.len() > 3 && kept.is_sorted_by(|a, b| a < b),
        "caught in the middle, further each time: {kept:?}"
    );
    call(folder.path(), &args("killed"), 0);
    let bytes = |name: &str| fs::read(folder.path().join(name)).expect("reads");
    assert!(bytes("killed") == bytes("alone"));
    assert_eq!(
        names(folder.path(), "killed"),
        ["killed"],
        "nothing is left beside it"
    );
}

// Promise: on a full disk a capture says so and how far it came, and the same command goes on
// when there is room. A limit on the size of files stands for the full disk.
#[cfg(unix)]
#[test]
fn a_full_disk_is_named_and_what_was_captured_kept() {
    let folder = scratch();
    write_rows(folder.path(), 300);
    let args = |out| {
        [
            args(out),
            vec!["--tensors".to_owned(), "hidden.mean".to_owned()],
        ]
        .concat()
    };
    call(folder.path(), &args("alone"), 0);
    let blocks = fs::metadata(folder.path().join("alone"))
        .expect("is there")
        .len()
        / 2
        / 512;
    let mut shell = Command::new("sh");
    let limited = program(folder.path());
    shell
        .args([
            "-c",
            &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\""),
        ])
        .arg(limited.get_program());
    shell
        .envs(
            limited
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .current_dir(folder.path());
    let output = shell.args(args("full")).output().expect("starts");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(
        message.contains("full.partial: the disk is full"),
        "{message}"
    );
    let kept = done(folder.path(), "full");
    assert!(kept > 0, "{message}");
    assert!(
        message.contains(&format!(
            "{kept} of 300 are kept: free some disk space and run the same command again"
        )),
        "{message}"
    );
    assert!(!folder.path().join("full").exists());
    call(folder.path(), &args("full"), 0);
    let bytes = |name: &str| fs::read(folder.path().join(name)).expect("reads");
    assert!(bytes("full") == bytes("alone"));
}

// Promise: two captures do not write one file at once.
#[test]
fn one_process_at_a_time_captures_to_a_file() {
    let folder = scratch();
    write_rows(folder.path(), 3);
    let held = File::create(folder.path().join("out.progress")).expect("creates");
    held.lock().expect("locks");
    let message = call(folder.path(), &args("out"), 1).stderr;
    assert!(
        message.contains("out.progress: another process is writing this file; wait for it"),
        "{message}"
    );
    drop(held);
    call(folder.path(), &args("out"), 0);
    assert_eq!(names(folder.path(), "out"), ["out"]);
}

/// Megabytes that a capture of so many short rows took at most, and the size of its file.
#[cfg(target_os = "linux")]
fn peak_memory(folder: &Path, rows: usize) -> (f64, f64) {
    let row = |at: usize| {
        format!(
            "{{\"ids\": [{}, {}, {}]}}\n",
            at % 256,
            at / 256 % 256,
            at % 7
        )
    };
    fs::write(
        folder.join("rows.jsonl"),
        (0..rows).map(row).collect::<String>(),
    )
    .expect("writes");
    let all = [
        "--tensors",
        "logits.last,hidden.last,hidden.mean,final.last,mlp.last,mlp.mean",
    ]
    .map(str::to_owned);
    let printed = call(folder, &[args("out"), all.to_vec()].concat(), 0).stderr;
    let peak = printed
        .lines()
        .find_map(|line| line.strip_prefix("peak memory: ")?.strip_suffix(" GB"))
        .expect("told");
    let size = fs::metadata(folder.join("out")).expect("is there").len();
    (
        peak.parse::<f64>().expect("a number") * 1e3,
        size as f64 / 1e6,
    )
}

// Promise: what is captured is written as it comes and not collected.
#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_the_rows() {
    let folder = scratch();
    let (few, _) = peak_memory(folder.path(), 2_000);
    let (many, size) = peak_memory(folder.path(), 60_000);
    assert!(size > 200.0, "{size} MB");
    assert!(
        many < few + size / 4.0,
        "{many} MB for a file of {size} MB, {few} MB for a thirtieth"
    );
}
