//! The one error type of this crate.

use std::path::PathBuf;

use model::ModelError;
use schema::disk::DiskError;

use crate::workers::WorkersError;

/// Why a training stopped.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// There is nothing to learn.
    #[error("no training examples are left after {0} were kept for validation; give more pairs")]
    NoExamples(usize),
    /// An example has no target token that can be learnt.
    #[error("example {0} has no target token; its source fills the cutoff length")]
    NoTarget(usize),
    /// NaN or infinity, with the tensor's name.
    #[error(
        "step {step}: {what} is not finite; lower the learning rate or look at the data of this step"
    )]
    NotFinite {
        /// Optimiser update, from 1.
        step: usize,
        /// The loss, or a gradient by its name.
        what: String,
    },
    /// A checkpoint cannot be used.
    #[error("checkpoint {file}: {problem}; delete it to start over")]
    Checkpoint {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A value of the recipe does not fit the model.
    #[error("train.{key}: {problem}")]
    Recipe {
        /// The key.
        key: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// The model failed.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A file failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Another worker failed, or cannot be reached.
    #[error(transparent)]
    Workers(#[from] WorkersError),
    /// The caller asked to stop; the steps done are in the checkpoint.
    #[error("interrupted after step {0}; run the same command to resume")]
    Stopped(usize),
    /// The caller asked to stop within a step or a validation, which is begun anew on resuming.
    #[error("interrupted within a step")]
    Abandoned,
}

impl From<candle_core::Error> for TrainError {
    fn from(failure: candle_core::Error) -> Self {
        Self::Model(failure.into())
    }
}
