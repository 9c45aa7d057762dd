//! What can be wrong with records, or with comparing them.

use std::path::PathBuf;

use schema::disk::DiskError;

/// Why there are no results. Every message names the file and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A file could not be read or written.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A line is no record.
    #[error("{path}:{line}: {problem}; delete the file and run its stage again")]
    BadLine {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// What the JSON reader said.
        problem: serde_json::Error,
    },
    /// A record contradicts itself or another one.
    #[error("{path}:{line}: {problem}; delete the file and run its stage again")]
    BadRecord {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// The contradiction.
        problem: String,
    },
    /// `manifest.json` is broken.
    #[error("{path}: {problem}; repair it, or delete it and run again")]
    BadManifest {
        /// The file.
        path: PathBuf,
        /// What the JSON reader said.
        problem: serde_json::Error,
    },
    /// A file in `answers/` or `inside/` has a name that does not tell what it is.
    #[error("{path}: {problem}; move the file elsewhere")]
    FileName {
        /// The file.
        path: PathBuf,
        /// Which part is wrong.
        problem: String,
    },
    /// Two sets of records cannot be compared.
    #[error("{a} and {b} cannot be compared: {difference}; evaluate both in the same way")]
    NotComparable {
        /// One file or folder.
        a: PathBuf,
        /// The other.
        b: PathBuf,
        /// Where they differ.
        difference: String,
    },
    /// There is nothing to report on.
    #[error(
        "{0} holds no answers, no training log and no analysis; run `lingualign run` first, or name another run folder"
    )]
    Nothing(PathBuf),
}
