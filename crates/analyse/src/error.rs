//! The one error type of this crate; every message names the place and says what to do.

use std::path::{Path, PathBuf};

use data::DataError;
use model::ModelError;
use schema::disk::DiskError;

/// Errors of capturing states, and of the analyses.
#[derive(Debug, thiserror::Error)]
pub enum AnalyseError {
    /// A line of the input is not a row.
    #[error(
        "{file}, line {line}: {problem}; a row is {{\"text\": \"...\"}} or {{\"ids\": [1, 2, 3]}}"
    )]
    Row {
        /// The file.
        file: String,
        /// From 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// A file has no rows, or a language no prompts.
    #[error("{0} has no rows")]
    Empty(String),
    /// A file of this crate is broken, cut short, of another kind, or in use.
    #[error("{file}: {problem}", file = file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The request cannot be computed from the data.
    #[error("{what}: {problem}")]
    Unusable {
        /// What was named: a layer, a pooling, a language, a measure.
        what: String,
        /// Why not, and what to do.
        problem: String,
    },
    /// Data or tokenizer.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Model or tensor library.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A file cannot be read or written.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The caller asked to stop.
    #[error("interrupted after {done} of {total} {unit}; run the same command again to resume")]
    Stopped {
        /// Finished, and on disk where the work can be resumed.
        done: usize,
        /// Of how many.
        total: usize,
        /// What is counted: `rows`, `prompts`, ...
        unit: &'static str,
    },
}

impl AnalyseError {
    /// [`AnalyseError::Unusable`]: why `what` cannot be computed, and what to do.
    pub(crate) fn unusable(what: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Unusable {
            what: what.into(),
            problem: problem.into(),
        }
    }

    /// [`AnalyseError::File`]: what is wrong with `file`, and what to do.
    pub(crate) fn file(file: &Path, problem: impl Into<String>) -> Self {
        Self::File {
            file: file.to_owned(),
            problem: problem.into(),
        }
    }
}

impl From<candle_core::Error> for AnalyseError {
    fn from(source: candle_core::Error) -> Self {
        Self::Model(source.into())
    }
}
