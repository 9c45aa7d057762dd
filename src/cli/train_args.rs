//! Flags of `train`.

use std::path::PathBuf;

use clap::Args;

use super::{DeviceArgs, FinishedArgs, RecipeArgs};

/// `train`
#[derive(Args)]
pub(crate) struct TrainArgs {
    /// mpi: the processes that mpirun or srun started share each training; the adapter has the
    /// same bytes for any number of them. Needs a build with the feature `mpi`.
    #[arg(long, value_name = "KIND", value_parser = ["mpi"])]
    pub(crate) workers: Option<String>,
    #[command(flatten)]
    pub(crate) recipe: RecipeArgs,
    /// The run folder. Default: `runs/` and the name of the recipe.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) finished: FinishedArgs,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
}
