//! The flags of `compare`.

use std::path::PathBuf;

use clap::Args;

/// `compare`
#[derive(Args)]
pub(crate) struct CompareArgs {
    /// Answers before: a file of ours, or samples or the output folder of lm-evaluation-harness.
    pub(crate) a: PathBuf,
    /// Answers after, likewise.
    pub(crate) b: PathBuf,
    /// Every table, in as many columns as it takes.
    #[arg(long)]
    pub(crate) all: bool,
}
