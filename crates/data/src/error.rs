//! What can be wrong with data; every message names the place and says what to do.

use std::path::{Path, PathBuf};

use schema::disk::DiskError;

fn place(line: Option<usize>, column: Option<&str>) -> String {
    let line = line
        .map(|line| format!(" (line {line})"))
        .unwrap_or_default();
    line + &column
        .map(|column| format!(", column `{column}`"))
        .unwrap_or_default()
}

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
    /// The file that a name means is missing, or is not the only one.
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
    /// A row of a table that is imported is not as it must be.
    #[error("{path} row {row}{}: {problem}", place(*line, column.as_deref()), path = path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// Number of the row, from 1, the header not counted.
        row: usize,
        /// Line on which the row begins, from 1; none in a binary format.
        line: Option<usize>,
        /// The column that is wrong, if it is one.
        column: Option<String>,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// Something that was named cannot be used as it is: a tokenizer, exemplars, an option,
    /// a file.
    #[error("{what}: {problem}")]
    Unusable {
        /// What was named: `tokenizer of PATH`, "few-shot exemplars `head:6`", `--map`, ...
        what: String,
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

impl DataError {
    /// A file that is not in its format from `line` on.
    pub fn syntax(path: &Path, line: usize, problem: impl Into<String>) -> Self {
        Self::Syntax {
            path: path.to_owned(),
            line,
            problem: problem.into(),
        }
    }

    /// One item of a file that is not as it must be.
    pub fn item(path: &Path, item: usize, line: usize, problem: impl Into<String>) -> Self {
        Self::Item {
            path: path.to_owned(),
            item,
            line,
            problem: problem.into(),
        }
    }

    /// A file that is missing from a folder, or is not the only one.
    pub fn folder(folder: &Path, problem: impl Into<String>) -> Self {
        Self::Folder {
            folder: folder.to_owned(),
            problem: problem.into(),
        }
    }

    /// A name that does not exist here, with those that do.
    pub fn unknown(
        what: impl Into<String>,
        given: impl Into<String>,
        known: impl Into<String>,
    ) -> Self {
        Self::Unknown {
            what: what.into(),
            given: given.into(),
            known: known.into(),
        }
    }

    /// Something that cannot be used as it is.
    pub fn unusable(what: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Unusable {
            what: what.into(),
            problem: problem.into(),
        }
    }

    /// A file inside the program that is broken.
    pub fn shipped(file: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Shipped {
            file: file.into(),
            problem: problem.into(),
        }
    }
}

/// Words in backquotes, with commas between: what there is, for a message.
pub(crate) fn quote<T: std::fmt::Display>(words: impl IntoIterator<Item = T>) -> String {
    let quoted: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}
