//! The one error type of this crate.

use data::DataError;
use model::ModelError;
use schema::Language;

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
    /// A score is NaN or infinite.
    #[error("{language}, item {item}: the score of `{label}` is {score}; check the weights and the adapter")]
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
    #[error("stopped in the middle of {0}; run the same command again")]
    Stopped(Language),
}
