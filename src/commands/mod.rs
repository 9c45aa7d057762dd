//! One file per subcommand.

mod capture;
mod check;
pub(crate) mod data;
mod eval;
mod generate;
mod model;
mod tokens;

use std::{path::Path, process::ExitCode};

use anyhow::{Context, Result, bail};
use schema::{Recipe, run_folder::RunFolder};

use crate::{
    cli::{Cli, Command, RecipeArgs},
    experiment::{Experiment, Parts},
    lm_eval, progress,
};

/// Runs the subcommand.
pub(crate) fn run(cli: Cli) -> Result<ExitCode> {
    if let Some(threads) = cli.threads {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads.into())
            .build_global()
            .context("cannot set the threads")?;
    }
    progress::catch_interrupts()?;
    match cli.command {
        Command::Run(args) => {
            Experiment::open(read_recipe(&args.recipe)?, args.out, &args.device.device)?
                .run(Parts::only(&args.only))?;
        }
        Command::Check(args) => check::run(&args)?,
        Command::Train(args) => {
            Experiment::open(read_recipe(&args.recipe)?, args.out, &args.device.device)?
                .train_all()?
        }
        Command::Eval(args) => eval::run(&args)?,
        Command::Capture(args) => capture::run(&args)?,
        Command::Compare { a, b } => lm_eval::compare(&a, &b)?,
        Command::Generate(args) => generate::run(&args)?,
        Command::Data(command) => return data::run(command),
        Command::Model(command) => model::run(command)?,
        Command::Report {
            runs,
            lm_eval: out,
            data,
        } => {
            for run in runs {
                let run = RunFolder::new(&run);
                let summary = report::write(&run)?;
                progress::result(&summary.render_text());
                if let Some(out) = &out {
                    lm_eval::write_run(out, &run, data.as_deref())?;
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Fails before the work is done where its result could not be written.
pub(crate) fn check_out(file: &Path) -> Result<()> {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    if file.is_dir() {
        bail!("cannot write {}: it is a folder", file.display());
    }
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot create {}", folder.display()))?;
    tempfile::tempfile_in(folder)
        .with_context(|| format!("cannot write into {}", folder.display()))?;
    Ok(())
}

fn read_recipe(args: &RecipeArgs) -> Result<Recipe> {
    Ok(Recipe::read(&args.recipe, &args.set)?)
}
