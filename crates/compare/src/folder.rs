//! Files and folders of a run folder, listed in a fixed order.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use schema::disk::DiskError;
/// The folder in `answers/` and `inside/` of the model without an adapter.
pub(crate) use schema::run_folder::BASE;

use crate::error::CompareError;

/// Files and folders in `folder`, sorted, hidden and temporary ones left out; none if it does
/// not exist.
pub(crate) fn list(folder: &Path) -> Result<Vec<PathBuf>, CompareError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(DiskError::at("list", folder)(error).into()),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry.map_err(DiskError::at("list", folder))?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

/// As [`list`], but only files of JSON Lines, and none that is `stale`.
pub(crate) fn list_jsonl(
    folder: &Path,
    stale: &BTreeSet<PathBuf>,
) -> Result<Vec<PathBuf>, CompareError> {
    let mut paths = list(folder)?;
    paths.retain(|path| path.extension().is_some_and(|e| e == "jsonl") && !stale.contains(path));
    Ok(paths)
}

pub(crate) fn name_of(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}
