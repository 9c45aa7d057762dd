//! The shared words of lingualign: languages, tasks, labels, recipes, records, the run folder's
//! file names.
//!
//! Plain values only: what passes between two stages is defined here, can be printed, and
//! is JSON Lines, JSON or TOML on disk. Never here: tensors, tokenizers, the network,
//! printing.

#![forbid(unsafe_code)]

pub mod asking;
pub mod caveats;
pub mod disk;
pub mod escape;
pub mod few_shot;
pub mod finding;
pub mod inside;
pub mod language;
pub mod language_facts;
pub mod listing;
pub mod questions;
pub mod recipe;
pub mod record;
pub mod run_folder;
pub mod scores;
pub mod setting;
pub mod task;
pub mod template;
pub mod words;
pub mod work;

pub use asking::{Asking, PromptForm};
pub use disk::{write_json_lines, write_whole};
pub use few_shot::FewShot;
pub use finding::Finding;
pub use language::Language;
pub use recipe::{AskingRecipe, Recipe};
pub use record::{AnswerRecord, Answerer, Provenance, StepRecord, ValidationRecord};
pub use setting::Setting;
pub use task::{Exemplars, Label, LabelSet, Protocol, Scorers, Scoring, Task};
pub use template::Template;
