//! How a long transfer reports its progress, and how it is stopped. Never here: bars, terminals.

use std::{
    io,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use schema::disk::DiskError;

use crate::HubError;

/// Between two looks at whether to stop.
const LOOK: Duration = Duration::from_millis(100);

/// Told about a transfer while it runs.
pub trait Progress {
    /// A transfer of `what` begins; `total` bytes if known. Comes again for the same `what`
    /// when a broken transfer is taken up again; bytes that were there already follow at once
    /// through [`Self::advance`].
    fn start(&mut self, what: &str, total: Option<u64>);

    /// `bytes` more are done.
    fn advance(&mut self, bytes: u64);

    /// The transfer begun last has ended, well or not.
    fn finish(&mut self);

    /// Whether the user wants to stop. Asked at least every second.
    fn is_interrupted(&self) -> bool {
        false
    }

    /// Something the user should know, such as that another source is tried. One sentence
    /// without a full stop.
    fn note(&mut self, text: &str) {
        tracing::info!("{text}");
    }
}

/// Shows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn start(&mut self, _: &str, _: Option<u64>) {}
    fn advance(&mut self, _: u64) {}
    fn finish(&mut self) {}
}

/// Ends the work on `path` where the user wants to stop; what is there stays.
pub(crate) fn check_interrupted(progress: &dyn Progress, path: &Path) -> Result<(), HubError> {
    if !progress.is_interrupted() {
        return Ok(());
    }
    let problem = "interrupted; run the same command again to go on";
    let source = io::Error::new(io::ErrorKind::Interrupted, problem);
    Err(DiskError::at("finish", path)(source).into())
}

/// Sleeps, unless the user wants to stop.
pub(crate) fn pause(
    duration: Duration,
    progress: &dyn Progress,
    path: &Path,
) -> Result<(), HubError> {
    let end = Instant::now() + duration;
    loop {
        check_interrupted(progress, path)?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        sleep(left.min(LOOK));
    }
}
