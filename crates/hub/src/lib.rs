//! A model's or data set's name to verified files on disk. Never here: tensors.
pub mod gguf;
