//! What can go wrong between a model's or a data set's name and its files. Every message names
//! the file, key, address or package and says what to do. Never here: printing, exit codes.

use std::path::PathBuf;

use schema::disk::DiskError;

/// Why a name did not become verified files.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// A file or folder could not be read or written.
    #[error(transparent)]
    Disk(#[from] DiskError),

    /// A GGUF file's header is damaged, of an unknown kind, or lacks what is needed.
    #[error("{path}: {at}: {problem}")]
    Gguf {
        /// The file.
        path: PathBuf,
        /// The key, tensor or field that is wrong, such as ``key `general.alignment` ``.
        at: String,
        /// What is wrong and what to do.
        problem: String,
    },

    /// A folder or file of a model exists but cannot be used as it is.
    #[error("{path}: {problem}")]
    Unusable {
        /// The folder or file.
        path: PathBuf,
        /// What is missing or wrong and what to do.
        problem: String,
    },

    /// The name is no catalogue name, no path and no hub id.
    #[error("no model `{name}`: {tried}{}", nearest.as_ref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_default())]
    Unknown {
        /// As the user wrote it.
        name: String,
        /// What it was looked up as.
        tried: String,
        /// The catalogue name that is spelt most alike, if one is.
        nearest: Option<String>,
    },

    /// The server answered and refused.
    #[error("{url} answered {status}: {advice}")]
    Refused {
        /// The address, without any query.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What that means here and what to do.
        advice: String,
    },

    /// The server could not be reached, or the transfer broke off and did not recover.
    #[error("transfer failed: {url}: {problem}")]
    Network {
        /// The address, without any query.
        url: String,
        /// What happened and what to do.
        problem: String,
    },

    /// A file's size or SHA-256 is not the promised one.
    #[error(
        "{path}: {what} is {found}, expected {expected}; nothing was kept: run the same command again, and if it \
             repeats, the source has changed or something on the way alters it"
    )]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// `size` or `SHA-256`.
        what: &'static str,
        /// The promised value.
        expected: String,
        /// The value found.
        found: String,
    },

    /// A Python package could not be fetched or lacks the model.
    #[error("package {package}: {problem}")]
    Package {
        /// Name and version.
        package: String,
        /// What happened and what to do.
        problem: String,
    },

    /// Every source was tried and none worked.
    #[error("cannot get {what} `{name}`{}\n  {advice}", attempts.iter().map(|a| format!("\n  {a}")).collect::<String>())]
    Unavailable {
        /// `model` or `data set`.
        what: &'static str,
        /// Its name.
        name: String,
        /// One line per source: what was tried and why it failed.
        attempts: Vec<String>,
        /// What to do now.
        advice: String,
    },

    /// The system names no home folder, so there is no place for the cache.
    #[error(
        "no cache folder: the system names no home folder; set LINGUALIGN_CACHE to a folder of your choice"
    )]
    NoCacheFolder,
}
