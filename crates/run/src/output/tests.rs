//! Outputs that are refused, and those that are not.

use std::{fs, path::Path};

use super::*;

fn refused(check: &OutputCheck, path: &Path, needle: &str) {
    let error = check
        .file(path, &nothing_is_ours)
        .expect_err("refused")
        .to_string();
    assert!(
        error.contains(needle) && error.contains(&path.display().to_string()),
        "{error}"
    );
}

#[cfg(unix)]
#[test]
fn only_an_ordinary_file_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let check = OutputCheck::new(true);
    refused(&check, Path::new("/dev/null"), "no ordinary file");
    refused(&check, Path::new("/dev/stdout"), "a link to");
    refused(&check, folder.path(), "it is a folder");
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).expect("binds");
    refused(&check, &at("socket"), "no ordinary file");
    std::os::unix::fs::symlink(at("nothing"), at("link")).expect("links");
    refused(&check, &at("link"), "a link to");
    refused(&check, Path::new("-"), "results go to files");
    check
        .file(&at("new/a.json"), &nothing_is_ours)
        .expect("free");
}

#[test]
fn a_file_of_another_is_replaced_on_request_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.json");
    fs::write(&file, "").expect("writes");
    let check = OutputCheck::new(false);
    check.file(&file, &nothing_is_ours).expect("empty");
    fs::write(&file, "mine").expect("writes");
    refused(&check, &file, "--replace");
    check.file(&file, &|_| true).expect("ours");
    OutputCheck::new(true)
        .file(&file, &nothing_is_ours)
        .expect("asked for");
}

// Promise: whatever name an input has, it is not written over, with --replace either.
#[cfg(unix)]
#[test]
fn inputs_are_never_written_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("model/deep")).expect("creates");
    fs::write(at("model/deep/weights"), "w").expect("writes");
    fs::write(at("rows"), "r").expect("writes");
    fs::hard_link(at("rows"), at("hard")).expect("links");
    fs::hard_link(at("model/deep/weights"), at("hard2")).expect("links");
    std::os::unix::fs::symlink(at("model"), at("alias")).expect("links");
    std::os::unix::fs::symlink(at("rows"), at("soft")).expect("links");
    let check = OutputCheck::new(true)
        .reading("rows", &at("rows"))
        .reading("the model", &at("alias"));
    for name in [
        "rows",
        "hard",
        "hard2",
        "soft",
        "model/../rows",
        "none/../rows",
    ] {
        refused(&check, &at(name), "this command reads it");
    }
    for name in [
        "model/new",
        "alias/new",
        "model/deep/new/a",
        "none/../model/x",
    ] {
        refused(&check, &at(name), "inside the model");
    }
    check
        .file(&at("modelx"), &nothing_is_ours)
        .expect("only its name begins alike");
    let through = OutputCheck::new(true).reading("rows", &at("soft"));
    refused(&through, &at("rows"), "this command reads it");
}

#[test]
fn a_folder_of_others_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let check = OutputCheck::new(false);
    let is_run = &is_run_folder;
    check
        .folder(&folder.path().join("new"), is_run)
        .expect("free");
    fs::create_dir(folder.path().join("new")).expect("creates");
    check
        .folder(&folder.path().join("new"), is_run)
        .expect("empty");
    fs::write(folder.path().join("new/notes"), "mine").expect("writes");
    let error = check.folder(&folder.path().join("new"), is_run);
    assert!(
        error
            .expect_err("refused")
            .to_string()
            .contains("did not write"),
    );
    fs::write(folder.path().join("new/manifest.json"), "{}").expect("writes");
    check
        .folder(&folder.path().join("new"), is_run)
        .expect("a run");
}
