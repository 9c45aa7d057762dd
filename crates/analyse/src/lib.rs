//! Capture of hidden states, what is computed from them (lens, PCA and the rest come here), neurons by language, and what
//! changes when something inside is changed. Never here: drawing.

mod asked;
pub mod capture;
pub mod error;
#[cfg(test)]
mod fixtures;
pub mod neurons;
pub mod patching;
mod random;
mod resample;
pub mod silencing;

pub use asked::Asked;
pub use capture::{Chosen, Kind, Prompts, States, capture_language, capture_rows, encode};
pub use error::AnalyseError;
