//! Text to token ids: readers of tables, tasks, test sets, prompts, tokenizers, label token sets,
//! the shared token prefix, forests of common beginnings, training pairs, examples, batches. Plain
//! `Vec`s go in and out.
//!
//! The way of a question: [`testset::load`] -> [`prompt::render`] -> [`Tokenizer::encode_all`]
//! -> [`prefix::split`] -> [`forest::batches`]. The way of a training pair: [`pairs::load`] ->
//! [`example::encode_all`] -> [`batch`] -> [`forest`]. Never here: other layouts than the
//! released one and those of the user's tasks (crate `import`), tensors, models, losses.

#![forbid(unsafe_code)]

pub mod batch;
pub mod chat;
mod error;
pub mod example;
pub mod forest;
pub mod items;
pub mod label_tokens;
pub mod object;
pub mod overlap;
pub mod pairs;
pub mod prefix;
pub mod prompt;
pub mod repairs;
mod seam;
pub mod table;
pub mod tasks;
pub mod testset;
pub mod tokenizer;

pub use error::DataError;
pub use example::Example;
pub use pairs::{Draw, TranslationPair};
pub use testset::TestSet;
pub use tokenizer::Tokenizer;
