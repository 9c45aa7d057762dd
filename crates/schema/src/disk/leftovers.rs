//! Temporary files and what a killed process left of them. A temporary file is locked while its
//! process lives; one of our names that nobody holds is a leftover. Never here: other names.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use tempfile::NamedTempFile;

use super::is_same_file;

const PREFIX: &str = ".";
const SUFFIX: &str = ".tmp";
/// Letters and digits between the two.
const RANDOM: usize = 6;

/// Folders that this process has looked through.
static CLEANED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A new temporary file in `folder`, locked. The first one in a folder takes leftovers away.
pub(super) fn temporary_in(folder: &Path) -> io::Result<NamedTempFile> {
    let is_new = CLEANED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(folder.to_owned());
    if is_new {
        remove_leftovers(folder);
    }
    loop {
        let temporary = tempfile::Builder::new()
            .prefix(PREFIX)
            .suffix(SUFFIX)
            .rand_bytes(RANDOM)
            .tempfile_in(folder)?;
        // Between its creation and its lock another process may take it for a leftover.
        let is_lost = matches!(
            temporary.as_file().try_lock(),
            Err(fs::TryLockError::WouldBlock)
        ) || !is_same_file(temporary.as_file(), temporary.path());
        if !is_lost {
            return Ok(temporary);
        }
    }
}

/// Removes the leftovers of dead processes in `root` and in every folder below it. What cannot be
/// listed or removed stays: it is in nobody's way.
pub fn remove_leftovers_below(root: &Path) {
    for folder in remove_leftovers(root) {
        remove_leftovers_below(&folder);
    }
}

/// Removes the leftovers in one folder; returns the folders in it.
fn remove_leftovers(folder: &Path) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() {
            folders.push(entry.path());
        } else if kind.is_file() && is_temporary(&entry.file_name().to_string_lossy()) {
            remove_unheld(&entry.path());
        }
    }
    folders
}

/// Whether a name is one that [`temporary_in`] gives.
fn is_temporary(name: &str) -> bool {
    let random = name
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.strip_suffix(SUFFIX));
    random.is_some_and(|random| {
        random.len() == RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// Removes a file unless a process holds it, or where there are no locks to tell.
fn remove_unheld(path: &Path) {
    let Ok(file) = File::open(path) else {
        return;
    };
    // The lock is held while the file is removed, so that its maker sees that it is lost.
    if file.try_lock().is_ok() && is_same_file(&file, path) {
        // What cannot be removed is in nobody's way.
        let _ = fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write_whole;

    // Promise: what a killed process left goes, what a living one writes stays, and so does every
    // file of another name.
    #[test]
    fn only_leftovers_of_dead_processes_go() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let kept = [
            ".a.tmp",
            "abcdef.tmp",
            ".abc-ef.tmp",
            ".abcdef.tmpx",
            ".abcdefg.tmp",
        ];
        for name in kept.iter().chain(&[".Abc123.tmp", "below/.zzzzzz.tmp"]) {
            fs::create_dir_all(at("below")).expect("creates");
            fs::write(at(name), "rest").expect("writes");
        }
        let living = temporary_in(folder.path()).expect("a temporary file");
        assert!(!at(".Abc123.tmp").exists());
        remove_leftovers_below(folder.path());
        assert!(!at("below/.zzzzzz.tmp").exists());
        assert!(living.path().exists(), "its process lives");
        for name in kept {
            assert!(at(name).exists(), "{name} is no name of ours");
        }
    }

    #[test]
    fn a_write_takes_leftovers_of_its_folder_away() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(".q1w2e3.tmp"), "rest").expect("writes");
        write_whole(&folder.path().join("a"), b"whole").expect("writes");
        let left = fs::read_dir(folder.path()).expect("lists").count();
        assert_eq!(left, 1);
    }
}
