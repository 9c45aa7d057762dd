//! The one error type of this crate; every message names the place and says what to do.

use std::path::PathBuf;

use data::DataError;
use model::ModelError;
use schema::disk::DiskError;

/// What can go wrong when states are captured, or something is computed from them.
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
    /// What was asked for cannot be computed from what is there.
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
    #[error("stopped after {done} of {total} {unit}; the same again goes on from there")]
    Stopped {
        /// Finished, and on disk where the work can go on.
        done: usize,
        /// Of how many.
        total: usize,
        /// What is counted: `rows`, `prompts`, ...
        unit: &'static str,
    },
}

impl From<candle_core::Error> for AnalyseError {
    fn from(source: candle_core::Error) -> Self {
        Self::Model(source.into())
    }
}
