//! The flags of `pack` and `reproduce`.

use std::path::PathBuf;

use clap::Args;

use super::DeviceArgs;

/// `pack`
#[derive(Args)]
pub(crate) struct PackArgs {
    /// The folder of a finished run.
    #[arg(value_name = "RUN_DIR")]
    pub(crate) run: PathBuf,
    /// The archive. Default: the folder's name with .zip, in the current folder.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Pack hidden states too, which may be gigabytes; without it their hashes are kept.
    #[arg(long)]
    pub(crate) captures: bool,
    /// Replace a file that this command did not write.
    #[arg(long)]
    pub(crate) replace: bool,
}

/// `reproduce`
#[derive(Args)]
pub(crate) struct ReproduceArgs {
    /// An archive of `pack`.
    pub(crate) archive: PathBuf,
    /// The folder for what is unpacked and made. Default: `reproduced/` and the run's name.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// The folder of data, if it is not where the recipe says.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// The model, if it has another name here.
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// List every stage, those that are the same too.
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
}
