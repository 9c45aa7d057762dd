//! The flags of `grid`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use grid::slurm::{NOTICE, SlurmOptions};

use super::{DeviceArgs, RecipeArgs, count};

/// `grid`
#[derive(Subcommand)]
pub(crate) enum GridCommand {
    /// List the cells with time and memory, and what is done already.
    #[command(after_help = "Example:\n  lingualign grid plan recipes/grid.toml")]
    Plan(GridArgs),
    /// Make all cells on this machine, or those that --cell names, and write the report. Run the
    /// same command again to resume.
    #[command(after_help = "Examples:\n  lingualign grid run recipes/grid.toml\n  \
        lingualign grid run recipes/grid.toml --jobs 4\n  \
        lingualign grid run recipes/grid.toml --cell 3")]
    Run(GridRunArgs),
    /// Submit what is not done to Slurm: an array for each model.
    #[command(
        after_help = "Example:\n  lingualign grid submit study.toml --slurm \"partition=gpu,gres=gpu:1,time=2:00:00\" --pack 4"
    )]
    Submit(GridSubmitArgs),
    /// Show what every cell is doing.
    #[command(after_help = "Example:\n  lingualign grid status study.toml --every 10")]
    Status(GridStatusArgs),
    /// Try again exactly what is not done: as it was submitted last, or on this machine.
    #[command(after_help = "Example:\n  lingualign grid retry study.toml")]
    Retry(GridRetryArgs),
    /// Write the report of all cells that are done.
    #[command(after_help = "Example:\n  lingualign grid collect study.toml")]
    Collect(GridArgs),
    /// Print a shell line for each cell that is not done, for parallel, HyperQueue, xargs and the like.
    #[command(after_help = "Example:\n  lingualign grid commands study.toml | parallel --jobs 2")]
    Commands(GridCommandsArgs),
}

/// A grid in its folder.
#[derive(Args)]
pub(crate) struct GridArgs {
    #[command(flatten)]
    pub(crate) recipe: RecipeArgs,
    /// The grid's folder. Default: `runs/` and the name of the recipe.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// `grid run`
#[derive(Args)]
pub(crate) struct GridRunArgs {
    #[command(flatten)]
    pub(crate) grid: GridArgs,
    /// Only these cells: numbers, ranges such as 3-7, or names, as `grid plan` shows them. Without
    /// it the report is written at the end.
    #[arg(long, value_delimiter = ',', value_name = "CELLS")]
    pub(crate) cell: Vec<String>,
    /// Processes that share the cells, each with its part of the threads.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = count, conflicts_with = "cell")]
    pub(crate) jobs: usize,
    /// Refuse to run unless the recipe still has this plan.
    #[arg(long, value_name = "ID")]
    pub(crate) plan: Option<String>,
    /// Make finished stages again where a key, the model or the device has changed since.
    #[arg(long)]
    pub(crate) redo: bool,
    /// Names the call of which this process is a part.
    #[arg(long, hide = true)]
    pub(crate) attempt: Option<String>,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
}

/// Where Slurm is to run cells.
#[derive(Args)]
pub(crate) struct SlurmArgs {
    /// Cells that one array task makes, one after the other.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = count)]
    pub(crate) pack: usize,
    /// Array tasks that run at once, of each model's array.
    #[arg(long, value_name = "K", value_parser = count)]
    pub(crate) max_running: Option<usize>,
    /// Seconds before its time limit at which an array task is told to stop, writes what it needs to
    /// resume, and puts itself back in the queue.
    #[arg(long, default_value_t = NOTICE, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) notice: u32,
}

/// `grid submit`
#[derive(Args)]
pub(crate) struct GridSubmitArgs {
    #[command(flatten)]
    pub(crate) grid: GridArgs,
    /// Options of sbatch, comma-separated: partition=gpu,gres=gpu:1,time=2:00:00
    #[arg(long, value_name = "OPTIONS")]
    pub(crate) slurm: SlurmOptions,
    #[command(flatten)]
    pub(crate) array_tasks: SlurmArgs,
    /// Make finished stages again where a key, the model or the device has changed since.
    #[arg(long)]
    pub(crate) redo: bool,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
}

/// `grid status`
#[derive(Args)]
pub(crate) struct GridStatusArgs {
    #[command(flatten)]
    pub(crate) grid: GridArgs,
    /// Show it again every N seconds, until all is done.
    #[arg(long, value_name = "N", value_parser = count)]
    pub(crate) every: Option<usize>,
}

/// `grid retry`
#[derive(Args)]
pub(crate) struct GridRetryArgs {
    #[command(flatten)]
    pub(crate) grid: GridArgs,
    /// On this machine, though cells were submitted before.
    #[arg(long)]
    pub(crate) here: bool,
    /// Make finished stages again where a key, the model or the device has changed since.
    #[arg(long)]
    pub(crate) redo: bool,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
}

/// `grid commands`
#[derive(Args)]
pub(crate) struct GridCommandsArgs {
    #[command(flatten)]
    pub(crate) grid: GridArgs,
    /// Cells per line.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = count)]
    pub(crate) pack: usize,
    /// Make finished stages again where a key, the model or the device has changed since.
    #[arg(long)]
    pub(crate) redo: bool,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
}
