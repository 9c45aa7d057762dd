//! Other layouts in and out: published data sets and a user's tables ([`convert`]), folders of
//! LLaMA-Factory ([`llama_factory`]), files of lm-evaluation-harness ([`lm_eval`]) and of
//! Every Eval Ever ([`every_eval`]), curves of TensorBoard ([`tensorboard`]), and files whose texts
//! are translated ([`texts`]).
//!
//! Everything is read into the released layout or written from it, which crate `data` reads.
//! Errors are those of `data`: a file, a row or a line, and what to do. Never here: tensors,
//! models, how a prompt is built (crate `data`), the network.

#![forbid(unsafe_code)]

pub mod convert;
pub mod every_eval;
pub mod llama_factory;
pub mod lm_eval;
pub mod tensorboard;
pub mod texts;

use data::DataError;

/// Names an option or a file that cannot be used.
fn refuse(what: &str, problem: impl Into<String>) -> DataError {
    DataError::unusable(what, problem.into())
}
