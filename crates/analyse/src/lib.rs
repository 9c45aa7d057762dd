//! Capture of hidden states, and what is computed from them: where languages lie, what the lens
//! reads, which neurons are whose, and what changes in the answers when something inside is
//! changed. Never here: drawing.

#![forbid(unsafe_code)]

mod bootstrap;
pub mod capture;
pub mod error;
#[cfg(test)]
mod fixtures;
pub mod geometry;
mod joined;
mod labelled_prompts;
pub mod lens;
pub mod neurons;
pub mod patching;
mod random;
pub mod silencing;
pub mod tuned_lens;

pub use capture::{
    CapturedTensor, Prompts, StateFile, TensorChoice, capture_language, capture_rows, encode,
};
pub use error::AnalyseError;
pub use joined::JoinedStates;
pub use labelled_prompts::LabelledPrompts;
