//! Few-shot evaluation by constrained decoding (arXiv 2405.13816, section 4): prefilling the shared prefix, scoring labels,
//! the loop over questions. Never here: training, plotting, knowing one language from another.

pub mod ask;
pub mod count;
pub mod error;
pub mod label_scores;
mod questions;

pub use ask::{Ahead, Answers, Ask, ask};
pub use count::{Count, count_tokens};
pub use error::EvalError;
