//! Text to token ids: tasks, test sets, prompts, tokenizers, label token sets, the shared token prefix, forests of common
//! beginnings, training pairs, examples, batches. Plain `Vec`s go in and out.
//!
//! The way of a question: [`testset::load`] -> [`prompt::render`] -> [`Tokenizer::encode_all`] -> [`prefix::split`] ->
//! [`forest::batches`]. The way of a training pair: [`pairs::load`] -> [`example::encode_all`] -> [`batch`] -> [`forest`].
//! Never here: tensors, models, losses.

pub mod batch;
mod error;
pub mod example;
pub mod forest;
mod items;
pub mod label_tokens;
pub mod overlap;
pub mod pairs;
pub mod prefix;
pub mod prompt;
pub mod repairs;
pub mod tasks;
pub mod testset;
pub mod tokenizer;

pub use error::DataError;
pub use example::Example;
pub use pairs::Pair;
pub use testset::TestSet;
pub use tokenizer::Tokenizer;
