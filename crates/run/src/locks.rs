//! Locks in a run folder, so that several processes can work in it: the folder's own, shared by
//! those that run one recipe; one per stage; and a short one around every change of the manifest.
//! The system releases them whatever ends the process. A lock's file stays where it is: were it
//! removed, two processes could lock two files of one name.

use std::{
    fs::{self, File, TryLockError},
    io::{self, ErrorKind},
    path::Path,
};

use schema::{disk::open_own, run_folder::RunFolder};

use crate::{
    RunError,
    error::{At, Result},
    watch::Watch,
};

/// Held while it lives.
#[derive(Debug)]
pub struct FileLock(File);

impl FileLock {
    /// Locks a file for this process alone; `None` if another one holds it. The file is made where
    /// there is none, and stays.
    ///
    /// # Errors
    /// It cannot be made or locked.
    pub fn try_new(path: &Path) -> Result<Option<Self>> {
        let file = open(path)?;
        let is_held = is_free(file.try_lock()).at_path("lock", path)?;
        Ok(is_held.then_some(Self(file)))
    }

    /// Waits until no other process holds it.
    fn wait(path: &Path) -> Result<Self> {
        let file = open(path)?;
        match file.lock() {
            Err(problem) if problem.kind() != ErrorKind::Unsupported => {
                Err(problem).at_path("lock", path)
            }
            _ => Ok(Self(file)),
        }
    }
}

/// The right to change the manifest: one process at a time, briefly.
#[derive(Debug)]
pub(crate) struct ManifestLock {
    _lock: FileLock,
}

impl ManifestLock {
    /// Waits for a process that is changing it.
    pub(crate) fn new(folder: &RunFolder) -> Result<Self> {
        let _lock = FileLock::wait(&folder.lock_of("manifest"))?;
        Ok(Self { _lock })
    }
}

/// The lock of a stage; `None` while another process is making it.
pub(crate) fn try_stage(folder: &RunFolder, stage: &str) -> Result<Option<FileLock>> {
    FileLock::try_new(&folder.lock_of(&format!("stage.{stage}")))
}

/// Whether another process is making a stage.
pub(crate) fn is_busy(folder: &RunFolder, stage: &str) -> Result<bool> {
    Ok(try_stage(folder, stage)?.is_none())
}

/// This process among those at work in a run folder.
#[derive(Debug)]
pub(crate) struct Presence {
    lock: FileLock,
    is_alone: bool,
}

impl Presence {
    /// Enters the folder. The manifest's lock keeps others from entering until the manifest says
    /// which recipe is run here.
    pub(crate) fn enter(
        folder: &RunFolder,
        _: &ManifestLock,
        watch: &mut dyn Watch,
    ) -> Result<Self> {
        let path = folder.lock();
        let file = open(&path)?;
        let is_alone = match file.try_lock() {
            Err(TryLockError::Error(problem)) if problem.kind() == ErrorKind::Unsupported => {
                // Some network file systems have no locks; the user must then avoid two runs.
                watch.note(&format!(
                    "note: {} cannot be locked; start no second run in it",
                    folder.root().display()
                ));
                true
            }
            tried => is_free(tried).at_path("lock", &path)?,
        };
        if !is_alone && !is_free(file.try_lock_shared()).at_path("lock", &path)? {
            return Err(busy(folder));
        }
        Ok(Self {
            lock: FileLock(file),
            is_alone,
        })
    }

    /// Whether no other process was at work when it entered.
    pub(crate) fn is_alone(&self) -> bool {
        self.is_alone
    }

    /// Lets others in that run the same recipe.
    pub(crate) fn share(&self, _: &ManifestLock) -> Result<()> {
        if !self.is_alone {
            return Ok(());
        }
        let FileLock(file) = &self.lock;
        match file.unlock().and_then(|()| file.lock_shared()) {
            Err(problem) if problem.kind() != ErrorKind::Unsupported => {
                Err(problem).at(|| "cannot share the run folder's lock")
            }
            _ => Ok(()),
        }
    }
}

/// A folder in which another recipe is run.
pub(crate) fn busy(folder: &RunFolder) -> RunError {
    RunError::Busy(format!(
        "another process is at work in {} with another recipe, model or device; wait until it has ended, or give \
         another folder with --out",
        folder.root().display()
    ))
}

fn open(path: &Path) -> Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).at_path("create", folder)?;
    }
    Ok(open_own(path, File::options().read(true).write(true))?)
}

/// Whether a lock was free. Where there are no locks it always is.
fn is_free(tried: std::result::Result<(), TryLockError>) -> io::Result<bool> {
    match tried {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(problem)) if problem.kind() == ErrorKind::Unsupported => Ok(true),
        Err(TryLockError::Error(problem)) => Err(problem),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Promise: a stage has one maker at a time, and another when that one is gone.
    #[test]
    fn a_stage_has_one_maker() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = RunFolder::new(root.path());
        let first = try_stage(&folder, "train.a").expect("locks");
        assert!(first.is_some());
        assert!(is_busy(&folder, "train.a").expect("looks"));
        assert!(!is_busy(&folder, "train.b").expect("looks"));
        drop(first);
        assert!(!is_busy(&folder, "train.a").expect("looks"));
    }
}
