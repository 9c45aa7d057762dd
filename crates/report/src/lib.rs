//! Records to statistics, tables, figures and one page: everything a run says, computed from
//! its files.
//!
//! Answers and logs are read and checked (`answers`, `run_records`), paired (`pairing`),
//! measured (`measure`, `levels`), compared (`change`, `groups`, `consistency`, `reliability`,
//! `verdict`, `results`), put into words, tables and figures (`findings`, `tables`, `figure`)
//! and laid out (`page`, `output`, `write`). What was found inside the models has a module of
//! its own (`inside`). Never here: tensors, models, running anything again, the network, a
//! clock.

mod answers;
mod audit;
mod change;
mod change_tables;
mod compare;
mod consistency;
mod error;
mod figure;
mod findings;
mod format;
mod groups;
mod inside;
mod levels;
mod measure;
mod notes;
mod output;
mod page;
mod pairing;
mod provenance;
mod reliability;
mod results;
mod run_records;
mod scorings;
mod sheet;
mod stats;
mod summary;
mod table;
mod tables;
mod training;
mod verdict;
mod write;

pub use answers::{LocatedRecord, read_answers};
pub use audit::{audit_page, audit_text, count_findings};
pub use change::{Changes, LabelUse, LanguageChange, MeanChange};
pub use compare::{Comparison, compare};
pub use consistency::{AgainstChance, Consistency, WithEnglish};
pub use error::ReportError;
pub use groups::{GapToEnglish, GroupChange};
pub use levels::BeforeAfter;
pub use reliability::{LanguageReliability, MeanReliability, planning_table};
pub use scorings::ScoringChange;
pub use stats::{Estimate, components::Components, paired::PairedP};
pub use summary::{Summary, SummaryRow, SummarySetting};
pub use verdict::{Attribution, Verdict};
pub use write::write;
