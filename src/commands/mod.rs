//! One file per subcommand.

mod capture;
mod check;
mod compare;
pub(crate) mod data;
mod eval;
mod generate;
mod grid;
mod init;
mod manual;
pub(crate) mod merge;
mod model;
mod quickstart;
mod sharing;
mod train;
mod translation;
mod watch;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result};
use live::LiveWatch;
use run::{
    OutputCheck, Parts, RunOptions, lm_eval,
    workers::{Alone, Workers},
};
use schema::{Recipe, run_folder::RunFolder};

use crate::{
    cli::{
        Cli, Command, DeviceArgs, FinishedArgs, GridCommand, ModelCommand, RecipeArgs, ReportArgs,
        RunArgs,
    },
    progress::{self, Terminal},
};

/// Runs the subcommand.
pub(crate) fn dispatch(cli: Cli) -> Result<ExitCode> {
    if let Some(threads) = cli.threads {
        set_threads(threads.into())?;
    }
    if is_reader(&cli.command) {
        progress::expect_reader();
    }
    progress::catch_interrupts()?;
    match cli.command {
        Command::Run(args) => {
            verify(&args)?;
            let parts = Parts::only(&args.only);
            let options = options(args.out, args.device, parts, &args.finished);
            run_recipe(&args.recipe, &options, &mut Alone)?;
        }
        Command::Quickstart(args) => quickstart::run(args)?,
        Command::Init(args) => init::run(&args)?,
        Command::Check(args) => return check::run(&args),
        Command::Train(args) => train::run(args, cli.threads.is_some())?,
        Command::Grid(command) => return grid::run(command, cli.threads),
        Command::Eval(args) => eval::run(&args)?,
        Command::Capture(args) => capture::run(&args)?,
        Command::Compare(args) => compare::run(&args)?,
        Command::Generate(args) => generate::run(&args)?,
        Command::Merge(args) => merge::run(&args)?,
        Command::Data(command) => return data::run(command),
        Command::Model(command) => return model::run(command),
        Command::Completions { shell } => manual::print_completions(shell)?,
        Command::Man { out } => manual::write_pages(&out)?,
        Command::Pack(args) => sharing::pack(&args)?,
        Command::Reproduce(args) => return sharing::reproduce(&args),
        Command::Report(args) => report(&args)?,
        Command::Watch(args) => watch::run(&args)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn set_threads(threads: usize) -> Result<()> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .context("cannot set the threads")
}

/// Whether a command writes nothing, or all of it at once at its end.
fn is_reader(command: &Command) -> bool {
    match command {
        Command::Grid(command) => matches!(
            command,
            GridCommand::Plan(_) | GridCommand::Status(_) | GridCommand::Commands(_)
        ),
        Command::Check(_) | Command::Compare(_) | Command::Generate(_) | Command::Merge(_) => true,
        Command::Data(command) => matches!(command, data::DataCommand::Audit(_)),
        Command::Model(command) => !matches!(command, ModelCommand::Pull { .. }),
        _ => false,
    }
}

/// Where it is asked for, nothing is run in a folder in which a finished file is changed.
fn verify(args: &RunArgs) -> Result<()> {
    if args.verify {
        let recipe = read_recipe(&args.recipe)?;
        run::verify(&recipe, args.out.as_deref(), &mut Terminal::default())?;
    }
    Ok(())
}

/// Writes the reports of runs again, and their answers and results for other programs.
fn report(args: &ReportArgs) -> Result<()> {
    check_results_folder(args.lm_eval.as_deref(), args.data.as_deref())?;
    check_results_folder(args.every_eval.as_deref(), None)?;
    check_results_folder(args.tensorboard.as_deref(), None)?;
    for run in &args.runs {
        let run = RunFolder::new(run);
        let summary = run::write_report(&run, args.single_file, &Terminal::default())?;
        progress::result(&summary.render_text());
        if args.single_file {
            let file = summary.page.with_file_name("single.html");
            progress::note(&format!("wrote {}", file.display()));
        }
        if let Some(out) = &args.lm_eval {
            lm_eval::write_run(out, &run, args.data.as_deref(), &mut Terminal::default())?;
        }
        if let Some((out, who)) = args.every_eval.as_ref().zip(args.organization.as_ref()) {
            let files = run::every_eval::write_run(out, &run, who, &mut Terminal::default())?;
            for file in files {
                progress::note(&format!("wrote {}", file.display()));
            }
        }
        if let Some(out) = &args.tensorboard {
            // Adapters of several runs may have the same names.
            let out = match args.runs.len() {
                1 => out.clone(),
                _ => out.join(run.root().file_name().unwrap_or_default()),
            };
            run::tensorboard::write_run(&out, &run)?;
        }
    }
    Ok(())
}

/// Holds the folder of results for another program against what is read.
fn check_results_folder(out: Option<&Path>, data: Option<&Path>) -> Result<()> {
    let Some(out) = out else {
        return Ok(());
    };
    let check = OutputCheck::new(false);
    let check = data
        .iter()
        .fold(check, |check, dir| check.reading("the data", dir));
    Ok(lm_eval::check_out(&check, out)?)
}

fn options(
    out: Option<PathBuf>,
    device: DeviceArgs,
    parts: Parts,
    finished: &FinishedArgs,
) -> RunOptions {
    RunOptions {
        out,
        device: device.device,
        parts,
        redo: finished.redo,
        fresh: finished.new,
        ..RunOptions::whole()
    }
}

fn run_recipe(args: &RecipeArgs, options: &RunOptions, workers: &mut dyn Workers) -> Result<()> {
    let recipe = read_recipe(args)?;
    let mut terminal = Terminal::default();
    let outcome = run::run_with_workers(
        &recipe,
        options,
        workers,
        &mut LiveWatch::new(&mut terminal),
    )?;
    if let Some(summary) = outcome.summary {
        progress::result(&summary.render_text());
    }
    progress::note_peak_memory();
    Ok(())
}

fn read_recipe(args: &RecipeArgs) -> Result<Recipe> {
    Ok(Recipe::read(&args.recipe, &args.set)?)
}
