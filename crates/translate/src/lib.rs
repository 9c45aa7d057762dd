//! Lines in one language to lines in another: engines behind one trait ([`Engine`]), a cache in
//! which no line is paid for twice ([`Cache`]), and jobs that go on where they stopped
//! ([`job::run`]).
//!
//! Never here: label words, headers and templates (whoever calls takes them out first), models,
//! printing.

mod cache;
mod engine;
pub mod engines;
mod error;
mod facts;
pub mod job;
mod secret;

pub use cache::Cache;
pub use engine::{Engine, Failure, Limits};
pub use error::{TranslateError, Unanswered};
pub use facts::{Facts, facts, names};
pub use secret::Secret;
