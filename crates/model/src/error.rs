//! The one error type of this crate.

use std::path::PathBuf;

use kernels::KernelError;
use schema::disk::DiskError;

/// What can go wrong between a weight file and a logit.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file cannot be read or written.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A GGUF file's header is broken.
    #[error(transparent)]
    Header(#[from] hub::HubError),
    /// `config.json` or GGUF metadata says something that this decoder cannot be.
    #[error("{file}: `{key}`: {problem}")]
    Config {
        /// The file.
        file: PathBuf,
        /// The key.
        key: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A weight file is broken, or a tensor in it does not fit the configuration.
    #[error("{file}: {problem}")]
    Weights {
        /// The file.
        file: PathBuf,
        /// Names the tensor and shape.
        problem: String,
    },
    /// An adapter folder is broken, of an unsupported kind, or does not fit the model.
    #[error("adapter {file}: {problem}")]
    Adapter {
        /// The folder or file.
        file: PathBuf,
        /// Names the key or tensor.
        problem: String,
    },
    /// An op was called with what it cannot take: a defect of the caller.
    #[error("{op}: {problem}")]
    Op {
        /// The op.
        op: &'static str,
        /// Shapes and dtypes.
        problem: String,
    },
    /// The input does not fit the model.
    #[error("{0}")]
    Input(String),
    /// NaN or infinity.
    #[error("{0} is not finite; check the weights and the learning rate")]
    NotFinite(String),
    /// The device cannot be used.
    #[error("device `{name}`: {problem}")]
    Device {
        /// As the user named it.
        name: String,
        /// Why, and what to do.
        problem: String,
    },
    /// An error of the tensor library, with the place.
    #[error("{place}: {source}")]
    Candle {
        /// Which op or tensor.
        place: String,
        /// The library's error.
        source: Box<candle_core::Error>,
    },
}

impl ModelError {
    /// For `map_err`: names the place.
    pub(crate) fn candle(place: impl Into<String>) -> impl FnOnce(candle_core::Error) -> Self {
        move |source| Self::Candle {
            place: place.into(),
            source: Box::new(source),
        }
    }

    /// An [`ModelError::Op`].
    pub(crate) fn op(op: &'static str, problem: impl Into<String>) -> Self {
        Self::Op {
            op,
            problem: problem.into(),
        }
    }
}

impl From<KernelError> for ModelError {
    fn from(error: KernelError) -> Self {
        match error {
            KernelError::NoSuchRows(problem) => Self::op("rows", problem),
            other => Self::Input(other.to_string()),
        }
    }
}

impl From<candle_core::Error> for ModelError {
    fn from(source: candle_core::Error) -> Self {
        Self::Candle {
            place: "tensor operation".into(),
            source: Box::new(source),
        }
    }
}

/// A value of a JSON file as a message shows it: no longer than a line.
pub(crate) fn brief(value: &serde_json::Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 60 {
        return text;
    }
    text.chars().take(60).chain("...".chars()).collect()
}

/// This crate's results.
pub type Result<T, E = ModelError> = std::result::Result<T, E>;
