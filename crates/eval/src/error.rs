//! The one error type of this crate.

use std::path::PathBuf;

use data::DataError;
use model::ModelError;
use schema::{Language, disk::DiskError};

/// Why an evaluation stopped.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// Test file, prompts, tokenizer or label words.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The model failed.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The tensor library failed.
    #[error("scoring: {0}")]
    Tensor(#[from] candle_core::Error),
    /// A file that is hashed cannot be read.
    #[error(transparent)]
    Hub(#[from] hub::HubError),
    /// The unfinished answers cannot be read or written.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Two evaluations write one file.
    #[error("another process is writing {}; wait until it has ended, or name another file", .0.display())]
    Busy(PathBuf),
    /// A whole line that no evaluation wrote.
    #[error("{} line {line}: not part of an unfinished evaluation ({problem}); delete the file to start over", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// The program contradicts itself.
    #[error("a defect of the program: {0}; please report it")]
    Internal(String),
    /// A score is NaN or infinite.
    #[error(
        "{language}, item {item}: the score of `{label}` is {score}; check the weights and the adapter"
    )]
    NotFinite {
        /// Language of the question.
        language: Language,
        /// Its index in the file.
        item: String,
        /// English name of the label.
        label: String,
        /// What came out.
        score: f64,
    },
    /// The caller asked to stop.
    #[error("interrupted in the middle of {0}; run the same command to resume")]
    Stopped(Language),
}
