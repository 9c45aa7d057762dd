//! One file per subcommand.

mod capture;
mod check;
mod eval;
mod generate;
mod model;

use std::process::ExitCode;

use anyhow::{Context, Result};
use schema::{Recipe, run_folder::RunFolder};

use crate::{
    cli::{Cli, Command, RecipeArgs},
    experiment::{Experiment, Parts},
    progress,
};

/// Runs the subcommand.
pub(crate) fn run(cli: Cli) -> Result<ExitCode> {
    if let Some(threads) = cli.threads {
        rayon::ThreadPoolBuilder::new().num_threads(threads.into()).build_global().context("cannot set the threads")?;
    }
    progress::catch_interrupts()?;
    match cli.command {
        Command::Run(args) => {
            Experiment::open(read_recipe(&args.recipe)?, args.out, &args.device.device)?
                .run(Parts::only(&args.only))?;
        }
        Command::Check(args) => check::run(&args)?,
        Command::Train(args) => {
            Experiment::open(read_recipe(&args.recipe)?, args.out, &args.device.device)?.train_all()?
        }
        Command::Eval(args) => eval::run(&args)?,
        Command::Capture(args) => capture::run(&args)?,
        Command::Compare { a, b } => progress::result(&report::compare(&a, &b)?.render_text()),
        Command::Generate(args) => generate::run(&args)?,
        Command::Model(command) => model::run(command)?,
        Command::Report { runs } => {
            for run in runs {
                let summary = report::write(&RunFolder::new(&run))?;
                progress::result(&summary.render_text());
                progress::note(&format!("report: {}", RunFolder::new(&run).report().join("index.html").display()));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read_recipe(args: &RecipeArgs) -> Result<Recipe> {
    Ok(Recipe::read(&args.recipe, &args.set)?)
}
