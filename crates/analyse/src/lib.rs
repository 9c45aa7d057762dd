//! Capture of hidden states, and what is computed from them (lens, PCA and the rest come here). Never here: drawing.

pub mod capture;
pub mod error;
pub mod geometry;

pub use capture::{Chosen, Kind, Prompts, States, capture_language, capture_rows, encode};
pub use error::AnalyseError;
