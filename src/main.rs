//! The `lingualign` program: flags, progress bars, messages, exit codes. What it does is in the
//! crates, and a recipe's run in `run`.

mod allocator;
mod cli;
mod commands;
mod progress;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use model::InstructionSet;

fn main() -> ExitCode {
    allocator::retain_memory();
    let cli = cli::Cli::parse();
    if cli.progress == "json" {
        progress::speak_json();
    }
    progress::start_logging(cli.verbose);
    match choose_kernels().and_then(|()| commands::dispatch(cli)) {
        Ok(code) if !progress::result_lost() => code,
        Ok(_) => ExitCode::from(1),
        Err(error) => {
            progress::error(&describe(&error));
            ExitCode::from(if progress::interrupted() {
                grid::INTERRUPTED
            } else {
                1
            })
        }
    }
}

/// LINGUALIGN_KERNELS names a set of kernels that the processor has but would not choose: to
/// compare, or to repeat the numbers of another machine.
fn choose_kernels() -> Result<()> {
    let Some(name) = std::env::var_os("LINGUALIGN_KERNELS") else {
        return Ok(());
    };
    let set = name
        .to_str()
        .and_then(InstructionSet::by_name)
        .with_context(|| {
            let names = InstructionSet::ALL.map(InstructionSet::name).join(", ");
            format!("LINGUALIGN_KERNELS={} is none of {names}", name.display())
        })?;
    model::force_instruction_set(set).context("LINGUALIGN_KERNELS")
}

/// The error and its causes. Some messages contain their cause already; it is not repeated.
pub(crate) fn describe(error: &anyhow::Error) -> String {
    let mut message = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if message.is_empty() {
            message = cause;
        } else if !message.contains(&cause) {
            message = format!("{message}: {cause}");
        }
    }
    message
}
