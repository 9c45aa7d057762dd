//! Question-translation tuning (arXiv 2405.13816, Eq. 2): loss, AdamW, schedule, step, loop,
//! checkpoints.
//!
//! Data in, adapter out. Never here: evaluation, prompts, plotting.
//!
//! ```
//! use data::example::Example;
//! use hub::ModelFiles;
//! use model::{Decoder, device::Device};
//! use schema::{recipe::TrainRecipe, task::Precision};
//! use train::{TrainingRun, train, workers::Alone};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let dir = std::path::PathBuf::from("../../tests/golden/tiny_llama");
//! let files = ModelFiles::Folder {
//!     weights: vec![dir.join("model.safetensors")],
//!     dir,
//! };
//! let mut decoder = Decoder::load(&files, Precision::Bf16, &Device::Cpu)?;
//!
//! // The first two tokens are the prompt; the loss is over the others.
//! let examples = [[1, 5, 9, 2], [1, 7, 3, 2]].map(|ids| Example {
//!     input_ids: ids.to_vec(),
//!     prompt_len: 2,
//! });
//! let mut recipe = TrainRecipe::paper(Vec::new(), Vec::new());
//! recipe.max_steps = Some(5);
//! let folder = tempfile::tempdir()?;
//! let run = TrainingRun {
//!     recipe: &recipe,
//!     seed: 1,
//!     examples: &examples,
//!     validation: &[],
//!     checkpoint: folder.path().join("checkpoint.safetensors"),
//!     inputs: "what the adapter is trained from".to_owned(),
//!     setup: "what it is trained with".to_owned(),
//! };
//! let outcome = train(&mut decoder, &run, &mut Alone, &mut |_event| true)?;
//! outcome.adapter.write(&folder.path().join("adapter"), "tiny_llama")?;
//! assert_eq!(outcome.step, 5);
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

pub mod adamw;
mod calls;
pub mod checkpoint;
pub mod error;
mod flat;
mod follow;
mod initial;
pub mod run;
pub mod schedule;
pub mod step;
mod sums;
pub mod workers;

pub use calls::{Assignment, report_failure};
pub use error::TrainError;
pub use follow::{dismiss, follow, next_training};
pub use run::{Event, Outcome, StepCounts, TrainingRun, train};
