//! Few-shot evaluation by constrained decoding (arXiv 2405.13816, section 4): prefilling the
//! shared prefix, scoring labels, the loop over questions, and going on in the middle of a
//! language. Never here: training, plotting, knowing one language from another.

pub mod ask;
pub mod count;
pub mod error;
pub mod journal;
mod layout;
mod measure;
mod provenance;
mod questions;
mod records;
pub mod say;

pub use ask::{Ahead, Answers, Ask, ask};
pub use count::{Count, count_tokens};
pub use error::EvalError;
pub use journal::Journal;
pub use provenance::{hash_data, hash_prompts};
pub use records::find_groups;
pub use say::Said;
