//! A recipe as a list of stages: which there are, what each is made from, whether it is done, and
//! how it is made.
//!
//! There is one enumeration of stages ([`Stage`]). It is walked to make them ([`run`]), to find
//! out which are done, and to say so without making any ([`survey`]). The model is loaded when
//! the first stage needs it. Several processes may work in one run folder: each stage has a lock,
//! and the manifest is written by one process at a time.
//!
//! The other modules are what single commands need of the same: one model evaluated
//! ([`evaluate`]), captured ([`capture`]), used as a translation engine ([`model_engine`]), pairs
//! written for others ([`build`]), answers as files of lm-evaluation-harness ([`lm_eval`]), a
//! made-up model written ([`random_model`]), an adapter merged into its model ([`merge`]).
//!
//! Never here: flags, printing, arithmetic on results.

#![forbid(unsafe_code)]

pub mod beat;
pub mod build;
pub mod capture;
mod chat;
mod continuation;
mod current;
mod error;
pub mod estimate;
pub mod evaluate;
pub mod every_eval;
mod execute;
mod experiment;
mod facts;
mod finished;
mod followers;
pub mod limits;
pub mod lm_eval;
mod locks;
pub mod machine;
mod manifest;
pub mod merge;
pub mod model_engine;
mod model_folder;
mod output;
mod parts;
pub mod preflight;
pub mod publish;
pub mod random_model;
mod redo;
mod report_files;
pub mod session;
mod stages;
mod survey;
pub mod tensorboard;
pub mod time_left;
pub mod tokens;
pub mod translation;
mod verify;
mod watch;

pub use error::{Result, RunError};
pub use execute::{
    RunOutcome,
    cells::{CellProgress, CellRun, find_progress},
    run, run_with, run_with_workers,
};
pub use experiment::{RunOptions, Siblings};
pub use facts::program;
pub use finished::{FinishedRun, read_finished};
pub use followers::follow_trainings;
pub use locks::FileLock;
pub use output::{OutputCheck, nothing_is_ours};
pub use parts::Parts;
pub use redo::Outdated;
pub use report_files::write_report;
pub use session::Session;
pub use stages::{
    AnalysisStep, AnswersStage, HeldOutStage, Inspection, QuestionsStage, Stage, TranslationStage,
    find_errors,
};
pub use survey::{StageStatus, Survey, survey};
pub use train::{report_failure, workers};
pub use verify::verify;
pub use watch::{Downloads, StagePlace, Unwatched, Watch, interruptible};
