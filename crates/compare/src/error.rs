//! The errors of records, and of comparing them.

use std::path::{Path, PathBuf};

use schema::disk::DiskError;

/// The reason why there are no results. Every message names the file and a remedy.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A file could not be read or written.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A line is not a record.
    #[error("{path}:{line}: {problem}; delete the file and run its stage again")]
    BadLine {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// The JSON reader's message.
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
        /// The message of the JSON reader.
        problem: serde_json::Error,
    },
    /// A file in `answers/` or `inside/` has a name that does not fit its kind.
    #[error("{path}: {problem}; move the file elsewhere")]
    FileName {
        /// The file.
        path: PathBuf,
        /// The part that is wrong.
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
    /// The caller asked to stop.
    #[error("interrupted; nothing was written")]
    Stopped,
    /// There is nothing to report on.
    #[error(
        "{0} holds no answers, no training log and no analysis; run `lingualign run` first, or name another run folder"
    )]
    Nothing(PathBuf),
    /// The printed numbers that come with the program are broken: a defect of this program.
    #[error("assets/printed.toml: {0}; this is a defect of lingualign")]
    Printed(String),
}

impl CompareError {
    /// Two sets of records that differ in what must be equal.
    pub(crate) fn not_comparable(a: &Path, b: &Path, difference: impl Into<String>) -> Self {
        Self::NotComparable {
            a: a.to_owned(),
            b: b.to_owned(),
            difference: difference.into(),
        }
    }
}
