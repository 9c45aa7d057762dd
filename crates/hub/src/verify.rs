//! The cache's files compared with the hashes that were recorded when they came. Never here:
//! fetching them again.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{Cache, FileRecord, HubError, Progress, cache, find::cached_dirs, hash::hash_watched};

/// What became of a cached file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileState {
    /// As it was fetched.
    Whole,
    /// It is not there.
    Missing,
    /// Its bytes are others; what is wrong.
    Damaged(String),
}

/// A cached file, compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedFile {
    /// Its path.
    pub path: PathBuf,
    /// What became of it.
    pub state: FileState,
}

/// Compares every file of the model `name` in the cache with its recorded SHA-256, or every
/// model's and data set's where no name is given.
///
/// # Errors
/// The name is no model's; nothing of it is in the cache, or its download has not ended; a file
/// cannot be read; the user wants to stop.
pub fn verify(
    name: Option<&str>,
    cache: &Cache,
    progress: &mut dyn Progress,
) -> Result<Vec<CheckedFile>, HubError> {
    let dirs = match name {
        Some(name) => cached_dirs(name, cache)?,
        None => cache.list()?.into_iter().map(|cached| cached.dir).collect(),
    };
    let mut checked = Vec::new();
    for dir in &dirs {
        let Some(source) = cache::read_source(dir)? else {
            continue;
        };
        for file in &source.files {
            let path = dir.join(&file.name);
            progress.start(&path.display().to_string(), None);
            let state = compare(&path, file, progress);
            progress.finish();
            checked.push(CheckedFile {
                state: state?,
                path,
            });
        }
    }
    if checked.is_empty() {
        let problem = match name {
            Some(name) => format!("holds nothing of `{name}` whose download has ended"),
            None => "holds nothing whose download has ended".to_owned(),
        };
        return Err(HubError::Unusable {
            path: cache.root().to_owned(),
            problem: problem + "; `lingualign model pull NAME` fetches a model",
        });
    }
    Ok(checked)
}

fn compare(path: &Path, file: &FileRecord, progress: &dyn Progress) -> Result<FileState, HubError> {
    let Ok(found) = fs::metadata(path) else {
        return Ok(FileState::Missing);
    };
    if found.len() != file.size {
        let problem = format!("{} bytes, {} were fetched", found.len(), file.size);
        return Ok(FileState::Damaged(problem));
    }
    let hash = hash_watched(path, progress)?;
    Ok(if hash == file.sha256 {
        FileState::Whole
    } else {
        FileState::Damaged(format!("SHA-256 is {hash}, {} was fetched", file.sha256))
    })
}
