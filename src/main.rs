//! The `lingualign` program: flags, wiring, progress, messages, exit codes. What it does is in `commands/`.

mod allocator;
mod cli;
mod commands;
mod estimate;
mod experiment;
mod machine;
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
        Ok(code) if !progress::result_lost() => code,
        Ok(_) => ExitCode::from(1),
        Err(error) => {
            progress::error(&describe(&error));
            ExitCode::from(1)
        }
    }
}

/// The error and its causes. Some messages hold their cause already; it is not said twice.
fn describe(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |said, cause| match said.contains(&cause) {
        true => said,
        false if said.is_empty() => cause,
        false => format!("{said}: {cause}"),
    })
}
