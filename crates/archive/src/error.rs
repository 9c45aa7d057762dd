//! The error type of this crate.

use std::path::{Path, PathBuf};

use run::RunError;
use schema::{disk::DiskError, recipe::RecipeError};
use zip::result::ZipError;

/// Why a run cannot be packed or repeated.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A file cannot be read or written.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The archive is no archive, or not as it was written.
    #[error("{}: {problem}", path.display())]
    Damaged {
        /// The archive, or the file unpacked from it.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Its recipe.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The run; an interruption too.
    #[error("{}", .0.chain())]
    Run(#[from] RunError),
    /// The request does not fit the files that are there.
    #[error("{0}")]
    Unfit(String),
}

impl ArchiveError {
    /// For `map_err`: a file that is not what it should be.
    pub(crate) fn damaged<E: std::fmt::Display>(path: &Path) -> impl FnOnce(E) -> Self + '_ {
        move |problem| Self::Damaged {
            path: path.to_owned(),
            problem: problem.to_string(),
        }
    }

    /// For `map_err`: what is wrong with an archive, in words of its own.
    pub(crate) fn of_zip(path: &Path) -> impl FnOnce(ZipError) -> Self + '_ {
        move |problem| match problem {
            ZipError::Io(source) => DiskError::at("read", path)(source).into(),
            other => Self::Damaged {
                path: path.to_owned(),
                problem: format!("no whole archive of `lingualign pack` ({other})"),
            },
        }
    }
}

impl From<hub::HubError> for ArchiveError {
    fn from(failure: hub::HubError) -> Self {
        Self::Run(failure.into())
    }
}

/// A result of this crate.
pub type Result<T, E = ArchiveError> = std::result::Result<T, E>;

/// Ends a function with [`ArchiveError::Unfit`].
macro_rules! bail {
    ($($message:tt)+) => {
        return Err($crate::ArchiveError::Unfit(format!($($message)+)))
    };
}

pub(crate) use bail;
