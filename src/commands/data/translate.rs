//! `data translate`.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;

/// `data translate`
#[derive(Args)]
pub(crate) struct TranslateArgs {}

pub(super) fn run(_: &TranslateArgs) -> Result<ExitCode> {
    bail!("to be written")
}
