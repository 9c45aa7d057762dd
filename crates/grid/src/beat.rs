//! A cell's record, written again every few seconds while the cell is made, and the progress that it
//! shows.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use run::{
    StagePlace, Watch,
    beat::{Beat, lock},
};
use schema::run_folder::RunFolder;

use crate::{
    error::Result,
    record::{CellRecord, Outcome},
};

/// How often the record is written.
pub(crate) const BEAT: Duration = Duration::from_secs(10);

/// Writes the record until it is told how the cell ended.
pub(crate) struct Heartbeat {
    path: PathBuf,
    record: Arc<Mutex<CellRecord>>,
    beat: Beat,
}

impl Heartbeat {
    /// Writes the record, and begins to beat.
    pub(crate) fn start(path: PathBuf, record: CellRecord) -> Result<Self> {
        record.write(&path)?;
        let record = Arc::new(Mutex::new(record));
        let (shown, place) = (Arc::clone(&record), path.clone());
        let beat = Beat::start(BEAT, move || {
            let now = lock(&shown).clone();
            // A disk that is full for a moment is the work's to report.
            if let Err(problem) = now.write(&place) {
                tracing::warn!(%problem, "heartbeat");
            }
        });
        Ok(Self { path, record, beat })
    }

    /// Says how the cell ended.
    pub(crate) fn end(self, outcome: Outcome, error: Option<String>) -> Result<()> {
        drop(self.beat);
        let mut record = lock(&self.record).clone();
        (record.outcome, record.error) = (outcome, error);
        record.write(&self.path)
    }

    /// A watch that shows progress here too.
    pub(crate) fn watch<'a>(&self, inner: &'a mut dyn Watch) -> BeatingWatch<'a> {
        BeatingWatch {
            inner,
            record: Arc::clone(&self.record),
        }
    }
}

/// Passes all on, and notes what is being done.
pub(crate) struct BeatingWatch<'a> {
    inner: &'a mut dyn Watch,
    record: Arc<Mutex<CellRecord>>,
}

impl Watch for BeatingWatch<'_> {
    fn note(&mut self, text: &str) {
        self.inner.note(text);
    }

    fn start(&mut self, label: &str, total: usize, unit: &str) {
        lock(&self.record).doing = (label.to_owned(), 0, total);
        self.inner.start(label, total, unit);
    }

    fn advance(&mut self, done: usize, remark: &str) {
        lock(&self.record).doing.1 = done;
        self.inner.advance(done, remark);
    }

    fn finish(&mut self, summary: &str) {
        self.inner.finish(summary);
    }

    fn enter(&mut self, folder: &RunFolder) {
        self.inner.enter(folder);
    }

    fn stage(&mut self, place: &StagePlace) {
        self.inner.stage(place);
    }

    fn is_interrupted(&self) -> bool {
        self.inner.is_interrupted()
    }
}
