//! What can be wrong with a recipe, and the suggestion for a misspelt word. Never here:
//! deciding what is wrong.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

/// Why there is no [`Recipe`](crate::Recipe).
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// The file cannot be read.
    #[error("{}: cannot read the recipe: {source}; give the path of a TOML file, such as recipes/quickstart.toml", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The text is no TOML.
    #[error("{}:{line}:{column}: not TOML: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
        /// What was found or expected.
        message: String,
    },
    /// It is TOML, but not a recipe.
    #[error("{}", list_problems(path, problems))]
    Problems {
        /// The file.
        path: PathBuf,
        /// All of them: by line, then what is missing, then `--set`.
        problems: Vec<Problem>,
    },
}

fn list_problems(path: &Path, problems: &[Problem]) -> String {
    let plural = if problems.len() == 1 { "" } else { "s" };
    let mut text = format!("{} has {} problem{plural}", path.display(), problems.len());
    for problem in problems {
        text.push_str("\n  ");
        text.push_str(&problem.to_string());
    }
    text
}

/// Where a value was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ValueOrigin {
    /// A line of the file, from 1.
    Line(usize),
    /// Nowhere.
    Absent,
    /// In a `--set`.
    Set,
}

/// One thing to repair; prints as `train.lora.rank: must be at least 1 (line 9)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Dotted: `train.lora.rank`.
    pub key: String,
    /// What must hold, and what to do.
    pub message: String,
    /// Where the value was written.
    pub origin: ValueOrigin,
}

impl Problem {
    /// Keeps key and message on one line, whatever the file holds.
    pub(super) fn new(key: &str, message: &str, origin: ValueOrigin) -> Self {
        Self {
            key: shorten(key),
            message: message.chars().flat_map(escape_control).collect(),
            origin,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.message)?;
        match self.origin {
            ValueOrigin::Line(line) => write!(f, " (line {line})"),
            ValueOrigin::Absent => Ok(()),
            ValueOrigin::Set => f.write_str(" (--set)"),
        }
    }
}

/// A foreign word for use in a message: on one line, at most 60 characters of it.
pub(super) fn shorten(text: &str) -> String {
    let head: String = text.chars().take(60).flat_map(escape_control).collect();
    if text.chars().nth(60).is_some() {
        format!("{head}...")
    } else {
        head
    }
}

fn escape_control(c: char) -> impl Iterator<Item = char> {
    let escaped = c.is_control().then(|| c.escape_default());
    let plain = escaped.is_none().then_some(c);
    escaped.into_iter().flatten().chain(plain)
}

/// The known word that `word` was probably meant to be: at most a third of its letters differ.
pub(super) fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = shorten(word).to_lowercase();
    let length = word.chars().count();
    known
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&word, candidate), candidate))
        .filter(|(distance, candidate)| distance * 3 <= length.max(candidate.chars().count()))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// What to say about a word that is none of `known`.
pub(super) fn unknown_word(word: &str, known: &[&str]) -> String {
    let end = match suggest(word, known.iter().copied()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => format!("one of: {}", known.join(", ")),
    };
    format!("unknown value `{}`; {end}", shorten(word))
}
