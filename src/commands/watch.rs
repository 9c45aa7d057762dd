//! `watch`: a run in a browser while it works.

use anyhow::Result;
use live::Server;
use schema::run_folder::RunFolder;

use crate::{
    cli::WatchArgs,
    progress::{interrupted, note, result},
};

/// Serves the page until Ctrl-C, or writes it once.
pub(super) fn run(args: &WatchArgs) -> Result<()> {
    let folder = RunFolder::new(&args.run);
    if args.once {
        live::write_page(folder.clone())?;
        result(&folder.live_page().display().to_string());
        return Ok(());
    }
    let mut server = Server::start(folder, args.port)?;
    result(&server.address());
    note("for browsers of this machine; Ctrl-C ends it, and the run goes on");
    Ok(server.run(&interrupted)?)
}
