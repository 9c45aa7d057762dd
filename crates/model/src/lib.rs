//! Ids to logits and hidden states: ops, layers, decoder, LoRA, KV cache, weight files, device.
//!
//! One decoder for all families; they differ by properties of the configuration, never by name. Never here: text, languages, optimisers, progress bars.
//!
//! Shapes: **N** flat rows, **S** sequences, **H** query heads, **G** key/value heads, **D**
//! head size, **E** hidden size, **F** mlp size, **V** vocabulary, **L** layers, **R** LoRA
//! rank.
//!
//! A model is a folder with `config.json` and safetensors files, or a GGUF file:
//!
//! ```
//! use hub::ModelFiles;
//! use model::{Decoder, Rows, device::Device};
//! use schema::task::Precision;
//!
//! # fn main() -> model::Result<()> {
//! let dir = std::path::PathBuf::from("../../tests/golden/tiny_llama");
//! let files = ModelFiles::Folder {
//!     weights: vec![dir.join("model.safetensors")],
//!     dir,
//! };
//! let decoder = Decoder::load(&files, Precision::Bf16, &Device::Cpu)?;
//!
//! // Two sequences of three tokens and two, as the rows of one pass.
//! let rows = Rows::new([3, 2], 0);
//! let hidden = decoder.hidden(&[1, 5, 9, 1, 7], &rows, None)?; // (5, E)
//! let logits = decoder.logits(&decoder.select(&hidden, &[2, 4])?)?; // (2, V)
//! assert_eq!(logits.dims(), [2, decoder.config().vocab_size]);
//! # Ok(())
//! # }
//! ```

#![deny(unsafe_code)] // but for the memory maps of `weights`

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
pub mod merge;
mod mlp;
mod norm;
pub mod ops;
mod principal;
pub mod profile;
mod projection;
pub mod random;
mod row_lengths;
mod shards;
pub mod speed;
pub mod tensor_file;
mod weights;
pub mod work;

pub use adapter::{Adapter, Gradients, LoraConfig};
pub use config::ModelConfig;
pub use decoder::{
    Decoder, KvCache, Layer, LayerView, SampledHead, SilencedDecoder, Visitor, WalkDetail,
};
pub use error::{ModelError, Result};
pub use kernels::{
    InstructionSet, force_instruction_set, instruction_set,
    rows::{self, Parent, Rows},
};
pub use ops::{view::with_values, weight::Weight};
pub use projection::{LayerProjection, Projection};

/// Names the numbers that the program computes. It is raised whenever the same inputs give other
/// numbers, if only in the last bit: then the finished stages of older run folders are made again.
/// A test hashes a small training and a small evaluation to notice such a change.
pub const NUMERICS: &str = "5";
