//! Lines in one language to lines in another: engines behind one trait ([`Engine`]), a cache in
//! which keeps every paid line ([`TranslationCache`]), and jobs that resume where they stopped
//! ([`job::run`]).
//!
//! Never here: label words, headers and templates (whoever calls takes them out first), models,
//! printing.

#![forbid(unsafe_code)]

mod cache;
mod engine;
pub mod engines;
mod error;
mod facts;
pub mod job;
mod secret;

pub use cache::TranslationCache;
pub use engine::{Engine, EngineFailure, EngineProperties, Limits};
pub use error::{TranslateError, Unanswered};
pub use facts::{EngineFacts, facts, names};
pub use secret::Secret;
