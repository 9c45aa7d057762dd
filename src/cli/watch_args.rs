//! The flags of `watch`.

use std::path::PathBuf;

use clap::Args;

/// A run or a grid to look at.
#[derive(Args)]
pub(crate) struct WatchArgs {
    /// The folder of a run or of a grid.
    pub(crate) run: PathBuf,
    /// Port of this machine; 0: any free one.
    #[arg(long, default_value_t = 7340)]
    pub(crate) port: u16,
    /// Write the folder's `live.html` once, and serve nothing.
    #[arg(long)]
    pub(crate) once: bool,
}
