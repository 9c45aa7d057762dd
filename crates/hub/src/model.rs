//! A model on disk: its name, its files and where they came from. Never here: finding or
//! fetching it.

use std::path::PathBuf;

/// A model whose files are on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Short name for records: the catalogue's, the hub id without revision, or the folder's or
    /// file's own.
    pub name: String,
    /// Its files.
    pub files: ModelFiles,
    /// Where it was fetched from, such as `hub:org/name@commit` or `package:name==version`;
    /// `None` for the user's own folder or file. Numbers depend on it: it belongs into the
    /// manifest.
    pub revision: Option<String>,
}

/// The files of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelFiles {
    /// A Hugging Face folder.
    Folder {
        /// The folder, with `config.json` and the tokenizer.
        dir: PathBuf,
        /// Its safetensors files, in the order of their names.
        weights: Vec<PathBuf>,
    },
    /// A GGUF file, with configuration and tokenizer inside.
    Gguf {
        /// The file.
        path: PathBuf,
    },
}
