//! Errors that prevent an audit. Problems of the data are findings, not errors.

use std::path::PathBuf;

use data::DataError;
use schema::disk::DiskError;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A shipped task, a tokenizer or a folder failed.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A file could not be read.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// There is no file to look at.
    #[error("{dir} holds no file of the tasks asked for; {named}", dir = dir.display())]
    Nothing {
        /// Where they were looked for.
        dir: PathBuf,
        /// How such files are named.
        named: String,
    },
    /// The caller asked to stop.
    #[error("the audit was interrupted before its end")]
    Stopped,
}
