//! The record of a process at work, and the page, written again every few seconds by a thread of
//! its own: a step may take minutes.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use run::time_left::Pace;
use schema::{run_folder::RunFolder, work::WorkRecord, write_whole};

use crate::{
    error::{LiveError, Result},
    view::{Viewer, now},
};

/// How often record and page are written.
pub(crate) const BEAT: Duration = Duration::from_secs(5);

/// What is being done.
#[derive(Default)]
pub(crate) struct Progress {
    pub(crate) record: WorkRecord,
    pub(crate) pace: Pace,
}

impl Progress {
    /// The record of this moment.
    fn record(&self) -> WorkRecord {
        let left = self.pace.seconds_left();
        WorkRecord {
            written: now(),
            seconds_left: left.map(|(seconds, _)| seconds),
            is_at_least: left.is_some_and(|(_, is_at_least)| is_at_least),
            ..self.record.clone()
        }
    }
}

/// Writes until it is dropped; then it leaves the page of what is done, and no record.
pub(crate) struct Beat {
    folder: RunFolder,
    file: PathBuf,
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<Viewer>>,
}

impl Beat {
    /// Begins to beat for the run in `folder`.
    pub(crate) fn start(folder: RunFolder, progress: Arc<Mutex<Progress>>) -> Self {
        let file = folder.work().join(format!("{}.json", std::process::id()));
        let (stop, stopped) = mpsc::channel();
        let (place, path) = (folder.clone(), file.clone());
        let thread = thread::spawn(move || {
            let mut viewer = Viewer::new(place);
            while stopped.recv_timeout(BEAT) == Err(mpsc::RecvTimeoutError::Timeout) {
                let record = lock(&progress).record();
                let written = write_record(&path, &record).and_then(|()| viewer.write());
                // A disk that is full for a moment is the work's to report.
                if let Err(problem) = written {
                    tracing::warn!(%problem, "the page of the run at work");
                }
            }
            viewer
        });
        Self {
            folder,
            file,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub(crate) fn is_of(&self, folder: &RunFolder) -> bool {
        self.folder.root() == folder.root()
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        drop(self.stop.take());
        let viewer = self.thread.take().map(JoinHandle::join);
        // It is not there if no beat was due.
        let _ = fs::remove_file(&self.file);
        let Some(Ok(mut viewer)) = viewer else {
            return;
        };
        if self.folder.manifest().is_file()
            && let Err(problem) = viewer.write()
        {
            tracing::warn!(%problem, "the page of the run at work");
        }
    }
}

fn write_record(path: &Path, record: &WorkRecord) -> Result<()> {
    let text = serde_json::to_string(record).map_err(|problem| LiveError::Record {
        file: path.display().to_string(),
        problem,
    })?;
    Ok(write_whole(path, text.as_bytes())?)
}

/// The last value is as good as any, whoever panicked.
pub(crate) fn lock(progress: &Mutex<Progress>) -> MutexGuard<'_, Progress> {
    progress.lock().unwrap_or_else(PoisonError::into_inner)
}
