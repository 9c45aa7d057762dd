//! What Slurm has of the cells in its queue, where there is Slurm.

use std::collections::BTreeMap;

use super::{run_command, submissions};
use crate::{CellState, CellStatus, Plan, error::Result};

/// Whether there is Slurm on this machine.
pub fn is_here() -> bool {
    run_command("squeue", &["--version"]).is_ok()
}

/// Adds to the states of cells what the queue says of those that were submitted.
///
/// # Errors
/// `squeue` fails, or a submission's record is damaged.
pub fn add_queue(plan: &Plan, cells: &mut [CellStatus]) -> Result<()> {
    let submissions = submissions(plan)?;
    if submissions.is_empty() {
        return Ok(());
    }
    let listed = run_command(
        "squeue",
        &["--noheader", "--array", "--me", "--format=%i|%T|%r"],
    )?;
    let queue = read(&listed);
    for submission in submissions
        .iter()
        .filter(|submission| submission.plan == plan.id)
    {
        for (array_task, numbers) in submission.array_tasks.iter().enumerate() {
            let Some(state) = queue.get(&format!("{}_{array_task}", submission.job)) else {
                continue;
            };
            for &number in numbers {
                let Some(cell) = cells.get_mut(number) else {
                    continue;
                };
                if !matches!(cell.state, CellState::Done | CellState::Working) {
                    cell.state = CellState::Queued(state.clone());
                }
            }
        }
    }
    Ok(())
}

/// `123_4|PENDING|Resources` becomes `pending (Resources)`, by array task.
pub(super) fn read(listed: &str) -> BTreeMap<String, String> {
    let read_line = |line: &str| {
        let mut fields = line.trim().split('|');
        let (job, state, reason) = (fields.next()?, fields.next()?, fields.next().unwrap_or(""));
        let state = state.to_lowercase();
        let state = match reason {
            "" | "None" => state,
            reason => format!("{state} ({reason})"),
        };
        Some((job.to_owned(), state))
    };
    listed.lines().filter_map(read_line).collect()
}
