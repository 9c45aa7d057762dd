//! The error type of this crate.

use std::path::PathBuf;

use run::RunError;
use schema::{disk::DiskError, recipe::RecipeError};

/// Why something cannot be done with a grid.
#[derive(Debug, thiserror::Error)]
pub enum GridError {
    /// The recipe.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// A member's run; an interruption too.
    #[error("{}", .0.chain())]
    Run(#[from] RunError),
    /// A file cannot be read or written.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A record of the grid is damaged.
    #[error("{}: {problem}; delete it", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: serde_json::Error,
    },
    /// A program of the cluster cannot be run, or refuses.
    #[error("`{command}`: {problem}")]
    Command {
        /// What was run.
        command: String,
        /// What it said.
        problem: String,
    },
    /// The request does not fit the grid.
    #[error("{0}")]
    Unfit(String),
}

/// A result of this crate.
pub type Result<T, E = GridError> = std::result::Result<T, E>;

/// Ends a function with [`GridError::Unfit`].
macro_rules! bail {
    ($($message:tt)+) => {
        return Err($crate::GridError::Unfit(format!($($message)+)))
    };
}

pub(crate) use bail;
