//! Capture of hidden states, and what is computed from them (lens, PCA and the rest come here). Never here: drawing.

pub mod capture;
pub mod error;

pub use capture::{Prompts, States, capture_language, encode};
pub use error::AnalyseError;
