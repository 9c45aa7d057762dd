//! The reports of a grid: one of every run, and one of them all, from their records alone.

use compare::grid::{self, GridMember};
use report::grid::GridSummary;
use run::{RunError, Watch, interruptible, write_report};
use schema::listing::in_a_line;

use crate::{
    CellState, CellStatus, Plan,
    error::{Result, bail},
    survey,
};

/// Cells named in a remark.
const LISTED: usize = 10;

/// Writes the report of every run that has records, and the grid's.
///
/// # Errors
/// No run has any; a record is not as it was written; an interruption.
pub fn collect(plan: &Plan, watch: &mut dyn Watch) -> Result<GridSummary> {
    let states = survey(plan)?;
    if states.iter().all(|status| status.progress.stages.0 == 0) {
        bail!(
            "no cell of {} has anything to report yet; begin with `lingualign grid run`",
            plan.grid.name
        );
    }
    let mut notes = write_reports(plan, &states, watch)?;
    let members: Vec<GridMember> = plan
        .grid
        .members
        .iter()
        .map(|member| GridMember {
            name: member.name.clone(),
            axes: member.points.clone(),
            folder: plan.folder.run(&member.name),
        })
        .collect();
    watch.start("report", 2, "steps");
    let results =
        interruptible(&*watch, |stop| grid::read(&members, stop)).map_err(RunError::from)?;
    watch.advance(1, "");
    let (out, title) = (plan.folder.report(), &plan.grid.title);
    notes.extend(find_missing(plan, &states));
    let summary = interruptible(&*watch, |stop| {
        report::grid::write_unless(&out, title, &results, &notes, stop)
    })
    .map_err(RunError::from)?;
    watch.finish("");
    Ok(summary)
}

/// Why some were not written.
fn write_reports(plan: &Plan, states: &[CellStatus], watch: &mut dyn Watch) -> Result<Vec<String>> {
    let mut notes = Vec::new();
    watch.start("reports of runs", plan.grid.members.len(), "runs");
    for (at, member) in plan.grid.members.iter().enumerate() {
        let mut of_member = states
            .iter()
            .filter(|status| plan.cells[status.number].member == at);
        if of_member.any(|status| status.progress.stages.0 > 0) {
            let written = write_report(&plan.folder.run(&member.name), false, &*watch);
            match written {
                Err(problem) if !problem.is_interruption() => {
                    notes.push(format!(
                        "The report of `{}` is not written: {}",
                        member.name,
                        problem.chain()
                    ));
                }
                other => drop(other?),
            }
        }
        watch.advance(at + 1, &member.name);
    }
    watch.finish("");
    Ok(notes)
}

/// What is not in the report.
fn find_missing(plan: &Plan, states: &[CellStatus]) -> Vec<String> {
    let missing: Vec<String> = states
        .iter()
        .filter(|status| status.state != CellState::Done)
        .map(|status| plan.name(&plan.cells[status.number]))
        .collect();
    if missing.is_empty() {
        return Vec::new();
    }
    let shown = in_a_line(&missing, LISTED);
    let cells = match missing.len() {
        1 => "1 cell is".to_owned(),
        several => format!("{several} cells are"),
    };
    vec![format!("{cells} not done: {shown}.")]
}
