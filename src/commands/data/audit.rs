//! `data audit`.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;

/// `data audit`
#[derive(Args)]
pub(crate) struct AuditArgs {}

pub(super) fn run(_: &AuditArgs) -> Result<ExitCode> {
    bail!("to be written")
}
