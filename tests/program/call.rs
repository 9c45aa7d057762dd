//! Calling the program, with an environment in which it touches neither the user's cache nor a
//! network, and reading what it leaves.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use tempfile::TempDir;

/// A folder of its own under the build's, removed when dropped.
pub(crate) fn scratch() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder")
}

/// The program, to be given arguments, started in `folder`.
pub(crate) fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lingualign"));
    command.current_dir(folder).env(
        "LINGUALIGN_CACHE",
        Path::new(env!("CARGO_TARGET_TMPDIR")).join("empty-cache"),
    );
    command
        .env("HF_HUB_OFFLINE", "1")
        .env("LINGUALIGN_PIP", "/nonexistent")
        .env("RUST_BACKTRACE", "0");
    for name in ["LINGUALIGN_LOG", "HF_TOKEN", "HF_ENDPOINT"] {
        command.env_remove(name);
    }
    command
}

/// What a call printed.
pub(crate) struct Printed {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Calls the program in `folder` and holds its exit code against `code`.
#[track_caller]
pub(crate) fn call<S: AsRef<OsStr>>(folder: &Path, args: &[S], code: i32) -> Printed {
    let assert = assert_cmd::Command::from_std(program(folder))
        .args(args)
        .assert()
        .code(code);
    let output = assert.get_output();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Printed {
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}

/// As [`call`], for arguments in one line, divided at blanks.
#[track_caller]
pub(crate) fn call_line(folder: &Path, line: &str, code: i32) -> Printed {
    call(folder, &line.split_whitespace().collect::<Vec<_>>(), code)
}

/// The objects of a file of JSON Lines.
#[track_caller]
pub(crate) fn json_lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a JSON object a line"))
        .collect()
}

/// A JSON file.
#[track_caller]
pub(crate) fn json(path: &Path) -> Value {
    let bytes = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&bytes).expect("JSON")
}

/// Every file under `root/folder`, hidden ones left out, by its path relative to `root`; none
/// if there is no folder.
pub(crate) fn files(root: &Path, folder: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(root.join(folder)) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry
            .expect("an entry")
            .file_name()
            .to_string_lossy()
            .into_owned();
        let path = format!("{folder}/{name}");
        if root.join(&path).is_dir() {
            found.extend(files(root, &path));
        } else if !name.starts_with('.') {
            found.push(PathBuf::from(path));
        }
    }
    found.sort();
    found
}

/// What a run computed: every file of its results by relative path, wall-clock times taken out
/// of the training log.
pub(crate) fn results(run: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for path in ["data", "adapters", "answers", "train", "report/tables"]
        .iter()
        .flat_map(|folder| files(run, folder))
    {
        let bytes = fs::read(run.join(&path)).expect("a readable file");
        let content = if path.starts_with("train") {
            let untimed = json_lines(&run.join(&path)).into_iter().map(|mut record| {
                drop(record.as_object_mut().expect("an object").remove("seconds"));
                record.to_string()
            });
            untimed.collect::<Vec<_>>().join("\n")
        } else {
            bytes.escape_ascii().to_string()
        };
        found.insert(path, content);
    }
    found
}

/// Fails with the names of the files in which two runs differ.
#[track_caller]
pub(crate) fn assert_same_results(
    found: &BTreeMap<PathBuf, String>,
    expected: &BTreeMap<PathBuf, String>,
) {
    let names: std::collections::BTreeSet<_> = found.keys().chain(expected.keys()).collect();
    let differing: Vec<_> = names
        .into_iter()
        .filter(|name| found.get(*name) != expected.get(*name))
        .collect();
    assert!(
        differing.is_empty(),
        "differ from those of a run left alone: {differing:?}"
    );
}
