//! `archive.json`: what an archive holds, and what it only names. Never here: reading or writing the archive.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The file of this name in an archive.
pub(crate) const NAME: &str = "archive.json";
/// The recipe beside it, every default written out.
pub(crate) const RECIPE: &str = "recipe.toml";
/// Where the run's files are.
pub(crate) const RUN: &str = "run";
/// Where small files are that the recipe names outside of its data.
pub(crate) const FILES: &str = "files";
/// Changes when an older program would misread an archive.
pub(crate) const FORMAT: u32 = 1;

/// What an archive holds, and what it only names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contents {
    /// Version of this file's form.
    pub format: u32,
    /// Name and version of the program that packed it.
    pub program: String,
    /// The recipe's name.
    pub name: String,
    /// The model, by the name in the recipe.
    pub model: String,
    /// SHA-256 over names, sizes, and the first and last MiB of each of its files.
    pub model_fingerprint: String,
    /// `cpu`, `cuda`, `metal`.
    pub device: String,
    /// Instruction set of the CPU's products.
    pub instruction_set: String,
    /// Files of data, which are not in the archive.
    pub data: Vec<SourceFile>,
    /// Files that the recipe names outside of its data, which are: by their paths in the recipe.
    pub files: BTreeMap<String, SourceFile>,
    /// The run's files and their SHA-256, by paths relative to the run's folder.
    pub run: BTreeMap<String, String>,
    /// Likewise its files that are not in the archive: hidden states, which are large, and
    /// texts of questions and pairs that are not to be published.
    pub left_out: BTreeMap<String, String>,
}

/// A file that the run read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// Of data: relative to its folder. Of another: in the archive. With `/`.
    pub path: String,
    /// Of its bytes.
    pub sha256: String,
}
