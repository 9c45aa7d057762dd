//! The record of a process at work, and the page, written again every few seconds by a thread of
//! its own: a step may take minutes.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use run::{
    beat::{Beat, lock},
    time_left::Pace,
};
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
pub(crate) struct LiveBeat {
    folder: RunFolder,
    file: PathBuf,
    viewer: Arc<Mutex<Viewer>>,
    beat: Option<Beat>,
}

impl LiveBeat {
    /// Begins to beat for the run in `folder`.
    pub(crate) fn start(folder: RunFolder, progress: Arc<Mutex<Progress>>) -> Self {
        let file = folder.work().join(format!("{}.json", std::process::id()));
        let viewer = Arc::new(Mutex::new(Viewer::new(folder.clone())));
        let (path, shared) = (file.clone(), Arc::clone(&viewer));
        let beat = Beat::start(BEAT, move || {
            let record = lock(&progress).record();
            warn(write_record(&path, &record).and_then(|()| lock(&shared).write()));
        });
        Self {
            folder,
            file,
            viewer,
            beat: Some(beat),
        }
    }

    pub(crate) fn is_of(&self, folder: &RunFolder) -> bool {
        self.folder.root() == folder.root()
    }
}

impl Drop for LiveBeat {
    fn drop(&mut self) {
        drop(self.beat.take());
        // It is not there if no beat was due.
        let _ = fs::remove_file(&self.file);
        if self.folder.manifest().is_file() {
            warn(lock(&self.viewer).write());
        }
    }
}

/// A disk that is full for a moment is the work's to report.
fn warn(written: Result<()>) {
    if let Err(problem) = written {
        tracing::warn!(%problem, "the page of the run at work");
    }
}

fn write_record(path: &Path, record: &WorkRecord) -> Result<()> {
    let text = serde_json::to_string(record).map_err(|problem| LiveError::Record {
        file: path.display().to_string(),
        problem,
    })?;
    Ok(write_whole(path, text.as_bytes())?)
}
