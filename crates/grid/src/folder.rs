//! The names in a grid's folder, in one place.

use std::path::{Path, PathBuf};

use schema::run_folder::RunFolder;

/// `runs/<grid>/` and the paths in it.
#[derive(Clone, Debug, PartialEq)]
pub struct GridFolder(PathBuf);

impl GridFolder {
    /// The folder itself; created by the first file written into it.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// The run folder of a member: `runs/<member>/`.
    pub fn run(&self, member: &str) -> RunFolder {
        RunFolder::new(self.0.join("runs").join(member))
    }

    /// Which cells there are, for people: `cells.json`.
    pub fn cells(&self) -> PathBuf {
        self.0.join("cells.json")
    }

    /// What the process that makes a cell says of itself: a [`crate::CellRecord`].
    pub(crate) fn record(&self, member: &str, model: &str) -> PathBuf {
        self.0.join("cells").join(format!("{member}.{model}.json"))
    }

    /// Locked by the process that makes a cell.
    pub(crate) fn lock(&self, member: &str, model: &str) -> PathBuf {
        self.locks().join(format!("cell.{member}.{model}"))
    }

    /// Locks of cells, and of stages that members share.
    pub(crate) fn locks(&self) -> PathBuf {
        self.0.join(".locks")
    }

    /// Scripts that were submitted, and the jobs that came of them.
    pub(crate) fn submissions(&self) -> PathBuf {
        self.0.join("submissions")
    }

    /// What cells that a cluster runs print.
    pub(crate) fn logs(&self) -> PathBuf {
        self.0.join("logs")
    }

    /// The report of all cells.
    pub fn report(&self) -> PathBuf {
        self.0.join("report")
    }
}
