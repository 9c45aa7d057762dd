//! What can go wrong when a run is looked at. Every message names the file or the address. Never here: printing.

use report::ReportError;
use schema::disk::DiskError;

/// What can go wrong when a run is looked at.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// A file that cannot be read or written.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A page that cannot be laid out.
    #[error(transparent)]
    Page(#[from] ReportError),
    /// A record that is damaged.
    #[error("{file}: {problem}")]
    Record {
        /// The file.
        file: String,
        /// What is wrong.
        problem: serde_json::Error,
    },
    /// An address that cannot be listened at.
    #[error("cannot listen at {address}: {problem}; another --port may be free")]
    Listen {
        /// Address and port.
        address: String,
        /// The system's words.
        problem: String,
    },
    /// A folder without a run.
    #[error("{0} holds no run: there is no manifest.json in it, nor in a folder of its `runs/`")]
    NoRun(String),
}

pub(crate) type Result<T, E = LiveError> = std::result::Result<T, E>;
