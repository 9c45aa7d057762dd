//! A model's or data set's name to verified files on disk. Never here: tensors.

mod error;
pub mod gguf;

pub use error::HubError;
