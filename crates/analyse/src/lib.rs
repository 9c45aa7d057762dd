//! Capture of hidden states, and what is computed from them: where languages lie, what the lens
//! reads, which neurons are whose, and what changes in the answers when something inside is
//! changed. Never here: drawing.

mod asked;
pub mod capture;
pub mod error;
#[cfg(test)]
mod fixtures;
pub mod geometry;
mod joined;
pub mod lens;
pub mod neurons;
pub mod patching;
mod random;
mod resample;
pub mod silencing;
pub mod tuned_lens;

pub use asked::Asked;
pub use capture::{Chosen, Kind, Prompts, States, capture_language, capture_rows, encode};
pub use error::AnalyseError;
pub use joined::JoinedStates;
