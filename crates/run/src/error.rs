//! The one error type of this crate, and how a failure gets its place.

use std::{error::Error, fmt::Display, io::ErrorKind, path::Path};

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
    /// The request does not fit the files, the model or the folder.
    #[error("{0}")]
    Unfit(String),
    /// Another crate failed, or a file cannot be read, written or understood.
    #[error(transparent)]
    Failed(Box<dyn Error + Send + Sync>),
    /// Where it happened.
    #[error("{place}")]
    At {
        /// The action or the file.
        place: String,
        /// The failure.
        source: Box<RunError>,
    },
}

impl RunError {
    /// Whether the user, or whoever started the program, asked it to stop.
    pub fn is_interruption(&self) -> bool {
        matches!(self, Self::Interrupted(_))
    }

    /// The message with those of its causes. Some messages contain their cause already; it is not
    /// repeated.
    pub fn chain(&self) -> String {
        let mut message = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let of_cause = error.to_string();
            if !message.contains(&of_cause) {
                message = format!("{message}: {of_cause}");
            }
            cause = error.source();
        }
        message
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
    data::DataError,
    eval::EvalError,
    model::ModelError,
    schema::disk::DiskError,
    schema::language::UnknownLanguage,
    schema::recipe::RecipeError,
    train::TrainError,
    translate::TranslateError,
    serde_json::Error,
    std::io::Error,
);

impl From<hub::HubError> for RunError {
    fn from(failure: hub::HubError) -> Self {
        match failure {
            hub::HubError::Disk(disk) if disk.source.kind() == ErrorKind::Interrupted => {
                Self::Interrupted(disk.source.to_string())
            }
            _ => Self::Failed(Box::new(failure)),
        }
    }
}

impl From<compare::CompareError> for RunError {
    fn from(failure: compare::CompareError) -> Self {
        match failure {
            compare::CompareError::Stopped => Self::Interrupted(failure.to_string()),
            _ => Self::Failed(Box::new(failure)),
        }
    }
}

impl From<report::ReportError> for RunError {
    fn from(failure: report::ReportError) -> Self {
        match failure {
            report::ReportError::Records(records) => records.into(),
            _ => Self::Failed(Box::new(failure)),
        }
    }
}

impl From<analyse::AnalyseError> for RunError {
    fn from(failure: analyse::AnalyseError) -> Self {
        match failure {
            analyse::AnalyseError::Stopped { .. } => Self::Interrupted(failure.to_string()),
            _ => Self::Failed(Box::new(failure)),
        }
    }
}

impl From<audit::AuditError> for RunError {
    fn from(failure: audit::AuditError) -> Self {
        match failure {
            audit::AuditError::Stopped => Self::Interrupted(failure.to_string()),
            _ => Self::Failed(Box::new(failure)),
        }
    }
}

/// Says where a failure happened; an interruption is left as it is.
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
        self.map_err(|failure| match failure.into() {
            interrupted @ RunError::Interrupted(_) => interrupted,
            failure => RunError::At {
                place: place().to_string(),
                source: Box::new(failure),
            },
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
