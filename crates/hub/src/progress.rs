//! How a long transfer reports its progress. Never here: bars, terminals.

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
