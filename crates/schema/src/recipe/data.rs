//! `[data]`: which files are read.

use std::path::PathBuf;

use super::{
    keys::{OptionalList, WordList, section},
    values::FolderPath,
};
use crate::finding::Kind;

section! {
    /// `[data]`
    DataRecipe {
        /// Folder in the released layout; if relative, to the current folder of the program.
        dir: PathBuf = PathBuf::new() => FolderPath,
        /// Kinds of findings whose errors do not stop a run; see
        /// [`crate::finding::AuditRecord::refused`].
        #[serde(default)]
        accept: Vec<Kind> = Vec::new()
            => OptionalList(WordList, "every error that the audit finds is refused"),
    }
}
