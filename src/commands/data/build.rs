//! `data build`: the pairs that a recipe's adapters would be trained on, as a folder that
//! LLaMA-Factory reads.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Args;
use import::llama_factory::write::RowForm;

use crate::{cli::RecipeArgs, commands::read_recipe, progress::Terminal};

/// `data build`
#[derive(Args)]
pub(crate) struct BuildArgs {
    #[command(flatten)]
    recipe: RecipeArgs,
    /// The folder to write: rows, dataset_info.json, and build.json, which records the origin of
    /// each row.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Form of the rows: alpaca (instruction, input, output) or messages (OpenAI's).
    #[arg(long, default_value = "alpaca")]
    format: RowForm,
}

pub(super) fn run(args: &BuildArgs) -> Result<ExitCode> {
    let recipe = read_recipe(&args.recipe)?;
    run::build::write(&recipe, &args.out, args.format, &mut Terminal::default())?;
    Ok(ExitCode::SUCCESS)
}
