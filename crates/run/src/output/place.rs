//! Where a path leads, whether it is there already or not. Never here: what is refused.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

/// Folders in a folder that is read are looked through to this depth for hard links.
const DEPTH: usize = 4;

/// A file or folder that is read.
pub(super) struct ReadPlace {
    /// In words.
    pub(super) what: &'static str,
    /// As it was given.
    pub(super) given: PathBuf,
    /// Where it is.
    pub(super) place: PathBuf,
    pub(super) is_folder: bool,
}

impl ReadPlace {
    /// `None` where there is nothing, which its reader says.
    pub(super) fn find(what: &'static str, path: &Path) -> Option<Self> {
        let found = fs::metadata(path).ok()?;
        Some(Self {
            what,
            given: path.to_owned(),
            place: find_place(path),
            is_folder: found.is_dir(),
        })
    }

    /// The file, or those of the folder.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        list(&self.place, DEPTH, &mut files);
        files
    }
}

fn list(path: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    if !path.is_dir() {
        files.push(path.to_owned());
    } else if depth > 0 {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.for_each(|entry| list(&entry.path(), depth - 1, files));
    }
}

/// The path without links and dots, as far as it is there; what is not is taken as written.
pub(super) fn find_place(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut place = PathBuf::new();
    for component in absolute.components() {
        match component {
            Component::ParentDir => drop(place.pop()),
            Component::CurDir => {}
            other => place.push(other),
        }
        if let Ok(real) = fs::canonicalize(&place) {
            place = real;
        }
    }
    place
}
