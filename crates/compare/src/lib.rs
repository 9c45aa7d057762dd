//! Records to results: the answers and logs of a run, read, checked, paired, measured and
//! compared.
//!
//! Answers and logs are read and checked (`answers`, `run_records`), paired (`pairing`),
//! measured (`measure`, `rescore`, `levels`) and compared (`change`, `means`, `groups`,
//! `consistency`, `reliability`, `scorings`, `verdict`); `results` joins them per task, and
//! `results_file` writes `results.json`. Records of the inside of models have a module of their
//! own (`inside`). Never here: drawing, sentences of the page, models, the network, a clock.

#![forbid(unsafe_code)]

mod adapter_name;
mod answers;
mod change;
mod comparison;
mod consistency;
mod error;
mod folder;
mod groups;
pub mod inside;
mod levels;
mod means;
mod measure;
mod paired_cells;
mod pairing;
mod reliability;
mod rescore;
mod results;
mod results_file;
mod run_records;
mod scorings;
pub mod stats;
mod training_log;
mod verdict;

pub use adapter_name::AdapterName;
pub use answers::{LocatedRecord, read_answers};
pub use change::{Changes, LabelUse, LanguageChange};
pub use comparison::{Comparison, compare};
pub use consistency::{AgainstChance, Consistency, WithEnglish};
pub use error::CompareError;
pub use groups::{GapToEnglish, GroupChange};
pub use levels::BeforeAfter;
pub use means::MeanChange;
pub use reliability::{LanguageReliability, MeanReliability};
pub use results::{Level, Levels, ResultBlock, Results, SettingResult, compute, recipe_settings};
pub use results_file::write_results;
pub use run_records::{RunRecords, read_run};
pub use scorings::ScoringChange;
pub use training_log::TrainingLog;
pub use verdict::{Attribution, Direction, Verdict, direction};
