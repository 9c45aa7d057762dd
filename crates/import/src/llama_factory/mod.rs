//! Folders as LLaMA-Factory has them: files of rows, and a `dataset_info.json` that lists them.
//! Read ([`read`]) and written ([`mod@write`]). Never here: what becomes of the rows that are read
//! ([`crate::convert`]).

pub mod read;
pub mod write;

/// The file that lists a folder's data sets.
pub const DATASET_INFO: &str = "dataset_info.json";
