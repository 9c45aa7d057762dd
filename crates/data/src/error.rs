//! What can be wrong with data; every message names the place and says what to do.

use std::path::PathBuf;

use schema::disk::DiskError;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file or folder could not be read or written.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A model's file or its header could not be read.
    #[error(transparent)]
    Hub(#[from] hub::HubError),
    /// A file is not in its format.
    #[error("{path} line {line}: {problem}", path = path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// One item of a file is not as it must be.
    #[error("{path} item {item} (line {line}): {problem}", path = path.display())]
    Item {
        /// The file.
        path: PathBuf,
        /// Index in the file, from 0.
        item: usize,
        /// Line, from 1.
        line: usize,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A file that a name stands for is missing, or is not the only one.
    #[error("{folder}: {problem}", folder = folder.display())]
    Folder {
        /// Where it was looked for.
        folder: PathBuf,
        /// What was looked for, what is there, and what to do.
        problem: String,
    },
    /// A task, a language or a label set that does not exist here.
    #[error("no {what} `{given}`; there is: {known}")]
    Unknown {
        /// What was asked for: `task`, `label set of task snli in de`, ...
        what: String,
        /// What was given.
        given: String,
        /// What there is.
        known: String,
    },
    /// The exemplars cannot be made as asked.
    #[error("few-shot exemplars `{source_of}`: {problem}")]
    FewShot {
        /// As in `--few-shot`.
        source_of: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A tokenizer cannot be built, or cannot encode what it was given.
    #[error("tokenizer of {path}: {problem}", path = path.display())]
    Tokenizer {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A file holds fewer pairs than are to be drawn from it.
    #[error("{path} has {found} pairs{after}, {asked} were asked for; {advice}", path = path.display(), advice = advise(*found))]
    TooFewPairs {
        /// The file.
        path: PathBuf,
        /// Pairs asked for.
        asked: usize,
        /// Pairs in the file, without those that were taken out.
        found: usize,
        /// How many were taken out, and why; empty if none was.
        after: String,
    },
    /// A file that ships inside the program is broken: a bug of this build.
    #[error("shipped file {file}: {problem}; this is a bug of this build, please report it")]
    Shipped {
        /// Its path in the repository.
        file: String,
        /// What is wrong.
        problem: String,
    },
}

fn advise(found: usize) -> String {
    match found {
        0 => "other data is needed, or less must be taken out (`train.build`)".to_owned(),
        _ => format!("set `train.pairs` to at most {found}, or to 0 to take all"),
    }
}
