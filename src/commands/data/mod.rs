//! `data ...`: one file per subcommand.

pub(crate) mod audit;
mod build;
mod import;
mod lm_eval;
mod translate;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

/// `data ...`
#[derive(Subcommand)]
pub(crate) enum DataCommand {
    /// Find what is wrong with test sets and translation pairs. Exit code 1 if any finding is
    /// an error.
    #[command(after_help = "Example:\n  lingualign data audit assets/mini")]
    Audit(audit::AuditArgs),
    /// Draw, check, mix and split the translation pairs of a recipe, in a form that
    /// LLaMA-Factory reads.
    #[command(after_help = "Example:\n  lingualign data build recipes/quickstart.toml --out built")]
    Build(build::BuildArgs),
    /// Turn data of other layouts into the layout that everything here reads.
    #[command(after_help = import::EXAMPLES)]
    Import(Box<import::ImportArgs>),
    /// Write a task for lm-evaluation-harness that asks the same prompts (docs/lm-eval.md).
    #[command(name = "lm-eval", after_help = lm_eval::EXAMPLES)]
    LmEval(Box<lm_eval::LmEvalArgs>),
    /// Translate the questions of a file, paying for no line twice.
    #[command(after_help = translate::AFTER_HELP)]
    Translate(Box<translate::TranslateArgs>),
}

/// Runs the subcommand.
pub(super) fn run(command: DataCommand) -> Result<ExitCode> {
    match command {
        DataCommand::Audit(args) => audit::run(&args),
        DataCommand::Build(args) => build::run(&args),
        DataCommand::Import(args) => import::run(&args),
        DataCommand::LmEval(args) => lm_eval::run(&args),
        DataCommand::Translate(args) => translate::run(&args),
    }
}
