//! Records to statistics, tables, figures and one page: everything a run says, computed from its files.
//!
//! Answers and logs are read and checked (`answers`, `run_records`), measured (`measure`), compared (`change`,
//! `results`), put into words, tables and figures (`findings`, `tables`, `figure`) and laid out (`page`, `write`).
//! Never here: tensors, models, running anything again, the network, a clock.

mod answers;
mod audit;
mod change;
mod compare;
mod error;
mod figure;
mod findings;
mod format;
mod measure;
mod notes;
mod page;
mod provenance;
mod results;
mod run_records;
mod stats;
mod summary;
mod table;
mod tables;
mod training;
mod write;

pub use audit::{audit_page, audit_text, count_findings};
pub use change::{BeforeAfter, Changes, LanguageChange, MeanChange};
pub use compare::{Comparison, compare};
pub use error::ReportError;
pub use stats::Estimate;
pub use summary::{Summary, SummaryRow, SummarySetting};
pub use write::write;
