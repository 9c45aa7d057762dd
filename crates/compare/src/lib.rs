//! Records to results: the answers and logs of a run, read, checked, paired, measured and
//! compared.
//!
//! Answers and logs are read and checked (`answers`, `record_check`, `record_lines`,
//! `run_records`), kept as columns (`columns`), paired (`pairing`),
//! measured (`measure`, `rescore`, `levels`) and compared (`change`, `means`, `groups`,
//! `consistency`, `reliability`, `scorings`, `verdict`, `caveats`); `results` joins them per task, and
//! `results_file` writes `results.json`. Records of the inside of models have a module of their
//! own (`inside`), and so have all runs of a grid (`grid`). Never here: drawing, sentences of the page, models, the network, a clock.
//!
//! Two files of answers, compared item by item:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! let answer = |item: usize, adapter: Option<&str>, chosen: &str| {
//!     let gold = ["positive", "negative"][item % 2];
//!     let score = |label| if label == chosen { 0.7 } else { 0.3 };
//!     serde_json::json!({
//!         "item": item, "task": "emotion", "labels": "english", "language": "de",
//!         "model": "tiny", "adapter": adapter, "few_shot": "head:2", "scoring": "prefix",
//!         "gold": gold, "chosen": chosen, "correct": gold == chosen, "prompt_tokens": 20,
//!         "scores": {"positive": score("positive"), "negative": score("negative")},
//!     })
//! };
//! let [before, after] = ["before.jsonl", "after.jsonl"].map(|name| folder.path().join(name));
//! let lines = |adapter: Option<&str>, choose: fn(usize) -> &'static str| -> String {
//!     (0..10).map(|item| format!("{}\n", answer(item, adapter, choose(item)))).collect()
//! };
//! // the base model always says "positive"; the tuned one is always right
//! std::fs::write(&before, lines(None, |_| "positive"))?;
//! std::fs::write(&after, lines(Some("tuned"), |item| ["positive", "negative"][item % 2]))?;
//!
//! let [before, after] = [&before, &after].map(|path| {
//!     compare::read_answers(path).map(|records| compare::NamedAnswers { path, records })
//! });
//! let comparison = compare::compare(before?, after?)?;
//! let mean = &comparison.changes.mean;
//! assert_eq!((mean.before.value, mean.after.value), (0.5, 1.0));
//! assert_eq!(mean.change.value, 0.5);
//! assert!(mean.change.rises(), "the interval lies above 0: {:?}", mean.change);
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod adapter_name;
mod answers;
mod asked;
mod caveats;
mod change;
mod columns;
mod comparison;
mod consistency;
mod error;
mod folder;
mod forms;
pub mod grid;
mod groups;
pub mod inside;
mod levels;
mod means;
mod measure;
mod model_levels;
mod paired_cells;
mod pairing;
mod probes;
mod question_texts;
mod record_check;
mod record_lines;
mod reliability;
mod rescore;
mod results;
mod results_file;
mod run_records;
mod scorings;
pub mod stats;
mod training_log;
pub mod translation;
mod verdict;

pub use adapter_name::AdapterName;
pub use answers::{LocatedRecord, read_answers, read_tasks};
pub use asked::{AskedWay, ItemAnswer, ModelAnswers};
pub use change::{Changes, LabelUse, LanguageChange};
pub use comparison::{CheckedAnswers, Comparison, NamedAnswers, compare, compare_checked};
pub use consistency::{AgainstChance, Consistency, WithEnglish};
pub use error::CompareError;
pub use forms::FormResult;
pub use groups::{GapToEnglish, GroupChange};
pub use levels::BeforeAfter;
pub use means::MeanChange;
pub use model_levels::{ModelLevels, measure_models};
pub use probes::ProbePoint;
pub use question_texts::{QuestionTexts, read_question_texts};
pub use reliability::{LanguageReliability, MeanReliability};
pub use results::{Level, Levels, ResultBlock, Results, SettingResult, compute, recipe_settings};
pub use results_file::write_results;
pub use run_records::{RunRecords, read_run};
pub use scorings::ScoringChange;
pub use training_log::TrainingLog;
pub use verdict::{Attribution, Direction, Verdict, direction};
