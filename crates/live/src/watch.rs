//! Passes all on that is said of the work, and keeps it for the page.

use std::sync::{Arc, Mutex};

use run::{StagePlace, Watch, beat::lock};
use schema::run_folder::RunFolder;

use crate::beat::{LiveBeat, Progress};

/// A watch of a run that also keeps the run's record of work and its page up to date.
pub struct LiveWatch<'a> {
    inner: &'a mut dyn Watch,
    progress: Arc<Mutex<Progress>>,
    beat: Option<LiveBeat>,
}

impl<'a> LiveWatch<'a> {
    /// All that it is told goes to `inner` too.
    pub fn new(inner: &'a mut dyn Watch) -> Self {
        Self {
            inner,
            progress: Arc::new(Mutex::new(Progress::default())),
            beat: None,
        }
    }
}

impl Watch for LiveWatch<'_> {
    fn enter(&mut self, folder: &RunFolder) {
        self.inner.enter(folder);
        if self.beat.as_ref().is_some_and(|beat| beat.is_of(folder)) {
            return;
        }
        // The page of the folder before is left as it is when the work there ends.
        self.beat = None;
        *lock(&self.progress) = Progress::default();
        self.beat = Some(LiveBeat::start(folder.clone(), Arc::clone(&self.progress)));
    }

    fn stage(&mut self, place: &StagePlace) {
        self.inner.stage(place);
        let mut progress = lock(&self.progress);
        progress.record.stage.clone_from(&place.name);
        (progress.record.place, progress.record.of) = (place.place, place.of);
        progress.pace.stage(&place.left);
    }

    fn note(&mut self, text: &str) {
        self.inner.note(text);
    }

    fn start(&mut self, label: &str, total: usize, unit: &str) {
        self.inner.start(label, total, unit);
        let mut progress = lock(&self.progress);
        label.clone_into(&mut progress.record.label);
        unit.clone_into(&mut progress.record.unit);
        (progress.record.done, progress.record.total) = (0, total);
        progress.record.remark.clear();
        progress.pace.start();
    }

    fn advance(&mut self, done: usize, remark: &str) {
        self.inner.advance(done, remark);
        let mut progress = lock(&self.progress);
        progress.record.done = done;
        remark.clone_into(&mut progress.record.remark);
        let total = progress.record.total;
        progress.pace.advance(done, total);
    }

    fn finish(&mut self, summary: &str) {
        self.inner.finish(summary);
        lock(&self.progress).record.label.clear();
    }

    fn is_interrupted(&self) -> bool {
        self.inner.is_interrupted()
    }
}
