//! The `lingualign` program: flags, wiring, progress, messages, exit codes. What it does is in `commands/`.

mod allocator;
mod cli;
mod commands;
mod experiment;
mod manifest;
mod progress;
mod session;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    allocator::retain_memory();
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
