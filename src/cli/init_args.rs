//! The flags of `init`.

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use schema::Language;

use super::values::languages;

/// `init`
#[derive(Args)]
pub(crate) struct InitArgs {
    /// The folder: a new one, or an empty one. Its name is that of the task and of the run.
    #[arg(value_name = "NAME")]
    pub(crate) dir: PathBuf,
    /// Comma-separated codes of the languages of the questions; English is always among them.
    #[arg(long, value_name = "CODES", value_parser = languages)]
    pub(crate) languages: Arc<[Language]>,
}
