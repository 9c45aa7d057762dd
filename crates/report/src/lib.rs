//! Results to one page: tables, figures and sentences, all from the results of `compare`.
//!
//! Results are put into words (`lead`, `findings`, `verdict_words`), tables (`tables`, `change_tables`)
//! and figures (`figures`), and laid out (`page`, `output`, `write`). What was found inside the
//! models has a module of its own (`inside`), and so have the audit's page (`audit`) and the report
//! of all runs of a grid (`grid`). Never here:
//! reading or measuring records, models, running anything again, the network, a clock.

#![forbid(unsafe_code)]

mod audit;
mod change_tables;
mod comparison;
mod comparison_summary;
mod error;
mod figures;
mod findings;
mod format;
pub mod grid;
mod inside;
mod latex;
mod lead;
pub mod live;
mod markdown;
mod notes;
mod output;
mod page;
mod planning;
mod provenance;
mod questions;
mod sheet;
mod summary;
mod table;
mod tables;
mod translation;
mod verdict_words;
mod write;

pub use audit::{audit_page, audit_text, count_findings};
pub use comparison::comparison_text;
pub use comparison_summary::{ComparisonLine, Tone, summarise_comparison};
pub use error::ReportError;
pub use planning::planning_table;
pub use summary::{Summary, SummaryRow, SummarySetting};
pub use write::{write, write_questions, write_single, write_unless};
