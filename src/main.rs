//! The `lingualign` program: flags, wiring, progress, messages, exit codes. What it does is in `commands/`.

mod cli;
mod commands;
mod experiment;
mod manifest;
mod progress;
mod session;

use std::process::ExitCode;

use clap::Parser;

/// Keeps large buffers instead of giving them back after every op.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    progress::start_logging(cli.verbose);
    match commands::run(cli) {
        Ok(code) => code,
        Err(error) => {
            progress::error(&format!("{error:#}"));
            ExitCode::from(1)
        }
    }
}
