//! `data import`.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;

/// `data import`
#[derive(Args)]
pub(crate) struct ImportArgs {}

pub(super) fn run(_: &ImportArgs) -> Result<ExitCode> {
    bail!("to be written")
}
