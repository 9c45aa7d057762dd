//! The one error type of this crate, and how a failure gets its place.

use std::{error::Error, fmt::Display, path::Path};

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The user interrupted it; what is finished is kept.
    #[error("{0}")]
    Interrupted(String),
    /// A stage needs another one that is not among those wanted.
    #[error("{0}")]
    Missing(String),
    /// The audit found errors that the recipe does not accept.
    #[error("{0}")]
    Refused(String),
    /// Another process runs another recipe in the folder.
    #[error("{0}")]
    Busy(String),
    /// What was asked for cannot be done with what there is.
    #[error("{0}")]
    Unfit(String),
    /// Another crate failed, or a file cannot be read, written or understood.
    #[error(transparent)]
    Failed(Box<dyn Error + Send + Sync>),
    /// Where it happened.
    #[error("{place}")]
    At {
        /// What was being done, or which file.
        place: String,
        /// What happened.
        source: Box<RunError>,
    },
}

impl RunError {
    /// The message with those of its causes. Some messages hold their cause already; it is not
    /// repeated.
    pub fn chain(&self) -> String {
        let mut said = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let message = error.to_string();
            if !said.contains(&message) {
                said = format!("{said}: {message}");
            }
            cause = error.source();
        }
        said
    }
}

/// A result of this crate.
pub type Result<T, E = RunError> = std::result::Result<T, E>;

/// Failures of other crates, by their types.
macro_rules! failures {
    ($($failure:ty),+ $(,)?) => {
        $(impl From<$failure> for RunError {
            fn from(failure: $failure) -> Self {
                Self::Failed(Box::new(failure))
            }
        })+
    };
}

failures!(
    analyse::AnalyseError,
    audit::AuditError,
    compare::CompareError,
    data::DataError,
    eval::EvalError,
    hub::HubError,
    model::ModelError,
    report::ReportError,
    schema::disk::DiskError,
    schema::language::UnknownLanguage,
    schema::recipe::RecipeError,
    train::TrainError,
    translate::TranslateError,
    serde_json::Error,
    std::io::Error,
);

/// Says where a failure happened.
pub(crate) trait At<T> {
    /// `place`: what was being done, or which file.
    fn at<P: Display>(self, place: impl FnOnce() -> P) -> Result<T>;

    /// `cannot read <path>`, for the verb `read`.
    fn at_path(self, verb: &str, path: &Path) -> Result<T>
    where
        Self: Sized,
    {
        self.at(|| format!("cannot {verb} {}", path.display()))
    }
}

impl<T, E: Into<RunError>> At<T> for std::result::Result<T, E> {
    fn at<P: Display>(self, place: impl FnOnce() -> P) -> Result<T> {
        self.map_err(|failure| RunError::At {
            place: place().to_string(),
            source: Box::new(failure.into()),
        })
    }
}

/// Ends a function with [`RunError::Unfit`].
macro_rules! bail {
    ($($message:tt)+) => {
        return Err($crate::RunError::Unfit(format!($($message)+)))
    };
}

pub(crate) use bail;
