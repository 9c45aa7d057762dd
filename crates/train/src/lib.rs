//! Question-translation tuning (arXiv 2405.13816, Eq. 2): loss, AdamW, schedule, step, loop,
//! checkpoints.
//!
//! Data in, adapter out. Never here: evaluation, prompts, plotting.

pub mod adamw;
pub mod checkpoint;
pub mod error;
pub mod run;
pub mod schedule;
pub mod step;

pub use error::TrainError;
pub use run::{Event, Outcome, Plan, Run, train};
