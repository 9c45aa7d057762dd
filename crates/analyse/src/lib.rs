//! Capture of hidden states, and analyses of them: the geometry of languages, the lens, the neurons
//! of each language, and the effect of interventions on answers. Never here: drawing.

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
