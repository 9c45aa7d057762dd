//! Capture of hidden states, and what is computed from them (lens, PCA and the rest come here). Never here: drawing.

pub mod capture;

pub use capture::{Capture, CaptureError, Kind, capture};
