//! Rows to rows on the CPU: matrix products with frozen weights, attention, norms, rotations,
//! activations and losses over slices, forward and backward, on all cores and for each
//! instruction set. Also the quantised blocks that a product decodes by piece.
//!
//! The design follows from one promise: a row's result has the same bits whatever rows are
//! around it, however they are cut into batches and however many threads run. So every sum is
//! taken in an order that its own length decides, and products are computed here ([`linear`],
//! [`Panels`]) instead of by a library. Slices go in and vectors come out: no tensor
//! library is needed to build or to test this crate, and it has nearly all of the project's
//! `unsafe`. Never here: tensors, devices, files, names of weights.
//!
//! Shapes are those of the crate `model`: **N** flat rows, **H** query heads, **G** key/value
//! heads, **D** head size, **E** hidden size, **F** mlp size, **V** vocabulary, **R** LoRA rank.
//! Matrices are row after row; a length that does not fit is a defect of the caller and panics.

pub mod add;
pub mod attend;
mod chunk_softmax;
pub mod cross_entropy;
pub mod divergence;
pub mod dora;
mod error;
pub mod gated;
pub mod glu;
mod isa;
pub mod layer_norm;
pub mod linear;
pub mod lora;
mod math;
mod memory;
mod product;
pub mod quantised;
pub mod rms_norm;
pub mod rope;
pub mod rows;
pub mod softmax;
pub mod xielu;

pub use error::KernelError;
pub use isa::{InstructionSet, force_instruction_set, instruction_set};
pub use product::panels::Panels;
