//! What is done of each cell, and which are being made, by whom: from manifests, locks and records.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use run::{CellProgress, FileLock, find_progress};
use schema::disk::DiskError;

use crate::{
    Cell, Plan,
    error::Result,
    record::{self, CellRecord, Outcome},
};

/// A record that is older has no heart any more.
const SILENCE: Duration = Duration::from_secs(60);

/// What a cell is doing.
#[derive(Clone, Debug, PartialEq)]
pub enum CellState {
    /// Every stage is done.
    Done,
    /// A process makes it.
    Working,
    /// Its process ended without a word: killed, or its machine is gone.
    Dead,
    /// A stage failed, for this reason.
    Failed(String),
    /// It was asked to stop, and resumes.
    Interrupted,
    /// A cluster has it in its queue, in this state.
    Queued(String),
    /// Nobody has begun it.
    Waiting,
}

/// A cell, and what is known of it.
#[derive(Clone, Debug)]
pub struct CellStatus {
    /// The cell's number.
    pub number: usize,
    /// Its state.
    pub state: CellState,
    /// Its stages.
    pub progress: CellProgress,
    /// What its last process said.
    pub record: Option<CellRecord>,
}

/// The state of every cell. Hashes no file and loads no model.
///
/// # Errors
/// A manifest or record is damaged.
pub fn survey(plan: &Plan) -> Result<Vec<CellStatus>> {
    let now = clock(plan.folder.root());
    // What processes say comes before what the manifests say: a cell that ends in between is done.
    let mut said = Vec::new();
    for cell in &plan.cells {
        let path = plan.folder.record(&plan.member(cell).name, &cell.model);
        let record = CellRecord::read(&path)?;
        let is_alive = match &record {
            Some(record) if record.outcome == Outcome::Working => {
                is_alive(plan, cell, record, now)?
            }
            _ => false,
        };
        said.push((record, is_alive));
    }
    let mut progress: Vec<BTreeMap<String, CellProgress>> = Vec::new();
    for member in &plan.grid.members {
        progress.push(find_progress(
            &member.recipe,
            &plan.folder.run(&member.name),
        )?);
    }
    let states = plan
        .cells
        .iter()
        .zip(said)
        .map(|(cell, (record, is_alive))| {
            let progress = progress[cell.member]
                .get(&cell.model)
                .cloned()
                .unwrap_or_default();
            CellStatus {
                number: cell.number,
                state: find_state(&progress, record.as_ref(), is_alive),
                progress,
                record,
            }
        });
    Ok(states.collect())
}

fn find_state(progress: &CellProgress, record: Option<&CellRecord>, is_alive: bool) -> CellState {
    match record {
        _ if is_alive => CellState::Working,
        _ if progress.is_done() => CellState::Done,
        None => CellState::Waiting,
        Some(record) => match record.outcome {
            Outcome::Working => CellState::Dead,
            Outcome::Failed => CellState::Failed(record.error.clone().unwrap_or_default()),
            Outcome::Interrupted => CellState::Interrupted,
            // The recipe or its files have changed since.
            Outcome::Done => CellState::Waiting,
        },
    }
}

/// On this machine the lock says it at once; of another one the record's age must.
fn is_alive(plan: &Plan, cell: &Cell, record: &CellRecord, now: SystemTime) -> Result<bool> {
    let member = &plan.member(cell).name;
    if record.host == record::host() {
        return Ok(FileLock::try_new(&plan.folder.lock(member, &cell.model))?.is_none());
    }
    let path = plan.folder.record(member, &cell.model);
    let written = fs::metadata(&path).and_then(|found| found.modified());
    let written = written.map_err(DiskError::at("read", &path))?;
    Ok(now.duration_since(written).unwrap_or_default() < SILENCE)
}

/// The time of the disk's own clock, which may be another machine's; of this one where nothing can be
/// written.
fn clock(folder: &Path) -> SystemTime {
    let written = tempfile::NamedTempFile::new_in(folder)
        .and_then(|file| file.as_file().metadata()?.modified());
    written.unwrap_or_else(|_| SystemTime::now())
}
