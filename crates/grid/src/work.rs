//! Cells made by this process, one after the other, each model loaded once. A cell that fails is
//! reported and stops no other; one that another process is making is passed over.

use std::{thread::sleep, time::Duration};

use run::{CellRun, FileLock, Parts, RunError, RunOptions, Session, Siblings, Watch};

use crate::{
    Cell, GridError, Plan,
    beat::Heartbeat,
    error::Result,
    record::{CellRecord, Outcome},
};

/// How often, and after what pause, the lock of a cell is tried.
const TRIES: usize = 5;
const PAUSE: Duration = Duration::from_millis(20);

/// How cells are made.
#[derive(Clone, Debug)]
pub struct WorkOptions {
    /// `auto`, `cpu`, `cuda`, `cuda:N` or `metal`.
    pub device: String,
    /// Whether finished stages may be made again with other keys, another model or another device.
    pub redo: bool,
    /// Names this call: processes of one call do not try again what failed in another of them.
    pub attempt: String,
}

/// What came of cells.
#[derive(Debug, Default)]
pub struct Worked {
    /// Numbers of those that are done.
    pub done: Vec<usize>,
    /// Those that failed, and why.
    pub failed: Vec<(usize, String)>,
    /// Those that another process is making.
    pub passed: Vec<usize>,
}

/// Makes cells.
///
/// # Errors
/// The grid's own folder cannot be written; an interruption.
pub fn work(
    plan: &Plan,
    cells: &[&Cell],
    options: &WorkOptions,
    watch: &mut dyn Watch,
) -> Result<Worked> {
    plan.write()?;
    let mut worked = Worked::default();
    for (recipe, cells) in plan.by_model(cells) {
        let mut session = None;
        let mut open = None;
        for cell in cells {
            let Some(claim) = Claim::try_new(plan, cell, options)? else {
                worked.passed.push(cell.number);
                continue;
            };
            let outcome = claim.make(watch, &mut |watch| {
                let loaded = match session.take() {
                    Some(loaded) => loaded,
                    None => Session::open(&recipe.model, recipe.dtype, &options.device, watch)?,
                };
                let session = session.insert(loaded);
                make(plan, cell, options, (session, &mut open), watch)
            });
            match outcome {
                Ok(()) => worked.done.push(cell.number),
                Err(GridError::Run(problem)) if !problem.is_interruption() => {
                    let reason = problem.chain();
                    watch.note(&format!("cell {} failed: {reason}", plan.name(cell)));
                    worked.failed.push((cell.number, reason));
                }
                Err(other) => return Err(other),
            }
        }
    }
    Ok(worked)
}

/// Makes a cell with its model; `open`: the run of the member that was last worked at.
fn make(
    plan: &Plan,
    cell: &Cell,
    options: &WorkOptions,
    (session, open): (&mut Session, &mut Option<(usize, CellRun)>),
    watch: &mut dyn Watch,
) -> Result<(), RunError> {
    let run = match open.take() {
        Some((member, run)) if member == cell.member => run,
        _ => {
            let recipe = &plan.member(cell).recipe;
            CellRun::new(recipe, &run_options(plan, cell, options), session)?
        }
    };
    let (_, run) = open.insert((cell.member, run));
    run.make(&cell.model, session, watch)
}

fn run_options(plan: &Plan, cell: &Cell, options: &WorkOptions) -> RunOptions {
    let folder_of =
        |member: &schema::recipe::GridMember| plan.folder.run(&member.name).root().to_owned();
    RunOptions {
        out: Some(folder_of(plan.member(cell))),
        device: options.device.clone(),
        parts: Parts::ALL,
        redo: options.redo,
        siblings: Some(Siblings {
            folders: plan.grid.members.iter().map(folder_of).collect(),
            locks: plan.folder.locks(),
        }),
        ..RunOptions::whole()
    }
}

/// The right of this process to make a cell.
struct Claim<'a> {
    plan: &'a Plan,
    cell: &'a Cell,
    attempt: &'a str,
    _lock: FileLock,
}

impl<'a> Claim<'a> {
    /// `None` while another process makes it, or where it failed in this call.
    fn try_new(plan: &'a Plan, cell: &'a Cell, options: &'a WorkOptions) -> Result<Option<Self>> {
        let member = &plan.member(cell).name;
        let path = plan.folder.lock(member, &cell.model);
        let mut lock = FileLock::try_new(&path)?;
        // Who looks at the state of cells holds it for a moment.
        for _ in 0..TRIES {
            if lock.is_some() {
                break;
            }
            sleep(PAUSE);
            lock = FileLock::try_new(&path)?;
        }
        let Some(_lock) = lock else {
            return Ok(None);
        };
        let before = CellRecord::read(&plan.folder.record(member, &cell.model))?;
        let has_failed = before.is_some_and(|record| {
            record.outcome == Outcome::Failed && record.attempt == options.attempt
        });
        Ok((!has_failed).then_some(Self {
            plan,
            cell,
            attempt: &options.attempt,
            _lock,
        }))
    }

    /// Makes the cell, and leaves a record of how it ended.
    fn make(
        self,
        watch: &mut dyn Watch,
        work: &mut dyn FnMut(&mut dyn Watch) -> Result<(), RunError>,
    ) -> Result<()> {
        let member = &self.plan.member(self.cell).name;
        let path = self.plan.folder.record(member, &self.cell.model);
        let beat = Heartbeat::start(path, CellRecord::begun(self.attempt))?;
        let name = self.plan.name(self.cell);
        let (number, count) = (self.cell.number, self.plan.cells.len());
        watch.note(&format!("cell {number} ({count} in all): {name}"));
        let result = work(&mut beat.watch(watch));
        match &result {
            Ok(()) => beat.end(Outcome::Done, None)?,
            Err(problem) if problem.is_interruption() => beat.end(Outcome::Interrupted, None)?,
            Err(problem) => beat.end(Outcome::Failed, Some(problem.chain()))?,
        }
        Ok(result?)
    }
}
