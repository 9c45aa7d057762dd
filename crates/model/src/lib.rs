//! Ids to logits and hidden states: ops, layers, decoder, LoRA, KV cache, weight files, device.
//!
//! One decoder for the Llama, Mistral and Qwen2 families; families differ by properties of the
//! configuration, never by name. Never here: text, languages, optimisers, progress bars.
//!
//! Shapes: **N** flat rows, **S** sequences, **H** query heads, **G** key/value heads, **D**
//! head size, **E** hidden size, **F** mlp size, **V** vocabulary, **L** layers, **R** LoRA
//! rank.

pub mod adapter;
mod attention;
mod block;
pub mod config;
pub mod decoder;
pub mod device;
pub mod error;
pub mod generate;
mod linear;
pub mod memory;
mod mlp;
pub mod ops;
pub mod profile;
mod quantised;
pub mod rows;
pub mod tensor_file;
pub mod weight;
mod weights;
pub mod work;

pub use adapter::{Adapter, Gradients, LoraConfig, Place, Projection};
pub use config::ModelConfig;
pub use decoder::{Decoder, KvCache, Layer, Look, Seen, Visitor};
pub use error::{ModelError, Result};
pub use ops::cpu::{
    isa::{InstructionSet, force_instruction_set, instruction_set},
    view::with_values,
};
pub use rows::{Parent, Rows};
pub use weight::Weight;

/// Names the numbers that the program computes. It is raised whenever the same inputs give other
/// numbers, if only in the last bit: then the finished stages of older run folders are made again.
/// A test hashes a small training and a small evaluation to notice such a change.
pub const NUMERICS: &str = "4";
