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
    #[error(
        "{0} holds no file of the tasks asked for; they are named as in ap_emotion/emotion_de500_test.json, \
         snli/snli_zh10k_train_question.json, paws/paws_en10k_train.json"
    )]
    Nothing(PathBuf),
    /// The caller asked to stop.
    #[error("the audit was interrupted before its end")]
    Stopped,
}
