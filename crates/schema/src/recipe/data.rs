//! `[data]`: which files are read.

use std::path::PathBuf;

use super::{
    keys::{WordList, section},
    optional::{Decided, OptionalList},
    values::FolderPath,
};
use crate::finding::Kind;

section! {
    /// `[data]`
    DataRecipe {
        "Folder of the data in the [released layout](data.md) or that of the task file."
        /// If relative, to the current folder of the program.
        dir: PathBuf = PathBuf::new() => Decided(FolderPath, "must be given"),
        "Kinds of findings of the [audit](data.md#auditing) whose errors do not stop a run."
        /// See [`crate::finding::AuditRecord::refused`].
        #[serde(default)]
        accept: Vec<Kind> = Vec::new()
            => OptionalList(WordList, "every error that the audit finds is refused"),
    }
}
