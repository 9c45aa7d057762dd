//! `data build`.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;

/// `data build`
#[derive(Args)]
pub(crate) struct BuildArgs {}

pub(super) fn run(_: &BuildArgs) -> Result<ExitCode> {
    bail!("to be written")
}
