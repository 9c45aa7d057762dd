//! Data of any layout into the released layout, which everything else here reads: test sets,
//! labelled questions, translation pairs; and plain parallel text.
//!
//! A [`ImportPlan`] says what is read and what becomes of it; [`preset`] and [`crate::llama_factory`] fill
//! in parts of it from what is known of published data sets and from a `dataset_info.json`.
//! [`run`] streams the rows: it writes into nameless files until every row was read
//! and found valid. Never here: fetching, translating, judging the texts.

mod choice;
mod conversation;
mod join;
mod output;
mod plan;
pub mod preset;
mod question;
mod reading;
mod run;
mod target;

pub use conversation::Conversation;
pub use output::WrittenFile;
pub use plan::{
    ImportPlan, ImportTarget, InputFile, Join, LanguageColumn, PairSource, QuestionSplit, RowSample,
};
pub use question::QuestionColumns;
pub use run::{ImportReport, run};
pub use target::ColumnMap;
