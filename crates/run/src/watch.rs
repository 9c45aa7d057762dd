//! Messages and progress for the caller, and its wish to stop. Never here: how they are shown.

use std::{
    panic,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use schema::run_folder::RunFolder;

use crate::time_left::TimeLeft;

/// A stage among those that are to be done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StagePlace {
    /// Its name, as in the manifest.
    pub name: String,
    /// Its place, from 1.
    pub place: usize,
    /// How many there are.
    pub of: usize,
    /// How long it and those after it will take.
    pub left: TimeLeft,
}

/// Sees messages and progress, and may ask to stop. One piece of work is shown at a time.
pub trait Watch {
    /// A message to the user.
    fn note(&mut self, text: &str);

    /// Work of a known size begins: `total` of `unit`, as `steps`. It takes the place of work that
    /// ended without [`Self::finish`].
    fn start(&mut self, label: &str, total: usize, unit: &str);

    /// `done` of the total, with a remark on the current state. Called often.
    fn advance(&mut self, done: usize, remark: &str);

    /// The work is done; `summary` says what came of it.
    fn finish(&mut self, summary: &str);

    /// What follows happens in this run folder.
    fn enter(&mut self, _folder: &RunFolder) {}

    /// What follows is for this stage.
    fn stage(&mut self, _place: &StagePlace) {}

    /// Whether to stop in good order at the next whole step.
    fn is_interrupted(&self) -> bool;

    /// [`Self::advance`] without a remark; whether to continue.
    fn step(&mut self, done: usize) -> bool {
        self.advance(done, "");
        !self.is_interrupted()
    }
}

/// Nobody looks, and nobody stops it.
pub struct Unwatched;

impl Watch for Unwatched {
    fn note(&mut self, _: &str) {}
    fn start(&mut self, _: &str, _: usize, _: &str) {}
    fn advance(&mut self, _: usize, _: &str) {}
    fn finish(&mut self, _: &str) {}
    fn is_interrupted(&self) -> bool {
        false
    }
}

/// Runs `work` on a thread of its own while this one looks for an interruption: `work` may ask
/// from any thread whether to stop.
pub fn interruptible<T: Send>(
    watch: &dyn Watch,
    work: impl FnOnce(&(dyn Fn() -> bool + Sync)) -> T + Send,
) -> T {
    let stop = AtomicBool::new(false);
    let waiting = thread::current();
    thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let result = work(&|| stop.load(Ordering::Relaxed));
            waiting.unpark();
            result
        });
        while !worker.is_finished() {
            if watch.is_interrupted() {
                stop.store(true, Ordering::Relaxed);
            }
            thread::park_timeout(Duration::from_millis(50));
        }
        worker
            .join()
            .unwrap_or_else(|panicked| panic::resume_unwind(panicked))
    })
}

/// Downloads, shown as any other work.
pub struct Downloads<'a> {
    watch: &'a mut dyn Watch,
    done: u64,
}

impl<'a> Downloads<'a> {
    /// Shown by `watch`.
    pub fn new(watch: &'a mut dyn Watch) -> Self {
        Self { watch, done: 0 }
    }
}

impl hub::Progress for Downloads<'_> {
    fn start(&mut self, what: &str, total: Option<u64>) {
        self.done = 0;
        self.watch.start(what, total.unwrap_or(0) as usize, "bytes");
    }

    fn advance(&mut self, bytes: u64) {
        self.done += bytes;
        self.watch.advance(self.done as usize, "");
    }

    fn finish(&mut self) {
        let summary = if self.done > 0 {
            format!("{:.1} MB", self.done as f64 / 1e6)
        } else {
            String::new()
        };
        self.watch.finish(&summary);
    }

    fn note(&mut self, text: &str) {
        self.watch.note(text);
    }

    fn is_interrupted(&self) -> bool {
        self.watch.is_interrupted()
    }
}

/// Counts what it is told, and interrupts at the given call.
#[cfg(test)]
#[derive(Default)]
pub(crate) struct Counter {
    pub(crate) calls: usize,
    pub(crate) stop_at: Option<usize>,
}

#[cfg(test)]
impl Watch for Counter {
    fn note(&mut self, _: &str) {}
    fn start(&mut self, _: &str, _: usize, _: &str) {}
    fn advance(&mut self, _: usize, _: &str) {
        self.calls += 1;
    }
    fn finish(&mut self, _: &str) {}
    fn is_interrupted(&self) -> bool {
        self.stop_at == Some(self.calls)
    }
}
