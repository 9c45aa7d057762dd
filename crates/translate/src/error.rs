//! Errors of a translation job. No message holds a key. Never here: printing.

use std::{fmt, path::PathBuf};

use schema::disk::DiskError;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum TranslateError {
    /// A file could not be read or written.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// An engine cannot be set up as asked.
    #[error("engine {engine}: {problem}")]
    Settings {
        /// Its name.
        engine: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The cache cannot be used.
    #[error("translation cache {path}: {problem}", path = path.display())]
    Cache {
        /// Its file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The cache could not take what was paid for.
    #[error(
        "cannot write the translation cache {path}: {problem}; {kept} translated lines were saved to {rescue} instead{}. \
         Free some disk space and run the same command again: it reads them from there and pays for none twice",
        describe_lost(*.lost),
        path = path.display(),
        rescue = rescue.display()
    )]
    Unwritten {
        /// Its file.
        path: PathBuf,
        /// What the disk said.
        problem: String,
        /// Answered lines that are safe in the rescue file.
        kept: usize,
        /// Answered lines that are safe nowhere.
        lost: usize,
        /// The rescue file.
        rescue: PathBuf,
    },
    /// The engine refuses, and repeating does not help.
    #[error("{engine}: {problem}; {advice}")]
    Refused {
        /// Its name.
        engine: String,
        /// What it said.
        problem: String,
        /// What to do.
        advice: String,
    },
    /// The engine did not answer, however often it was asked.
    #[error("{engine}: {problem} ({tries} tries); run the same command again to resume")]
    Unreachable {
        /// Its name.
        engine: String,
        /// What happened last.
        problem: String,
        /// How often the request was tried.
        tries: u32,
    },
    /// The engine gave no usable answer for some lines; all others are in the cache.
    #[error("{engine} gave no usable answer for {} line(s):{}\n  {ADVICE}", lines.len(), list(lines))]
    Unanswered {
        /// Its name.
        engine: String,
        /// The lines.
        lines: Vec<Unanswered>,
    },
    /// The user asked to stop.
    #[error("interrupted; run the same command again to resume")]
    Stopped,
    /// A file that ships inside the program is broken.
    #[error("shipped file {file}: {problem}; this is a bug of this build, please report it")]
    Shipped {
        /// Its path in the repository.
        file: &'static str,
        /// What is wrong.
        problem: String,
    },
}

const ADVICE: &str = "No output was written; all other lines are in the cache. Run the same command again to retry \
                      these lines, change them in the input, or use another engine";

/// A line without a usable answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unanswered {
    /// Index, from 0, of the first text that holds it.
    pub text: usize,
    /// The line.
    pub line: String,
    /// What was wrong with the answer.
    pub problem: String,
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short: String = self.line.chars().take(60).collect();
        let more = if short.len() < self.line.len() {
            "..."
        } else {
            ""
        };
        write!(f, "text {} (`{short}{more}`): {}", self.text, self.problem)
    }
}

fn list(lines: &[Unanswered]) -> String {
    lines
        .iter()
        .take(5)
        .map(|line| format!("\n  {line}"))
        .chain((lines.len() > 5).then(|| "\n  ...".into()))
        .collect()
}

fn describe_lost(count: usize) -> String {
    if count == 0 {
        String::new()
    } else {
        format!(", {count} could not be saved and will be translated again")
    }
}
