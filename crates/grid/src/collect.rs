//! The reports of all runs of a grid, from their records alone.

use run::{Watch, write_report};

use crate::{
    CellState, Plan,
    error::{Result, bail},
    survey,
};

/// What was collected.
#[derive(Debug)]
pub struct Collected {
    /// Members whose report is written.
    pub reports: Vec<String>,
    /// Cells that are not done.
    pub missing: Vec<String>,
}

/// Writes the report of every member that has records.
///
/// # Errors
/// No member has any; a record is not as it was written.
pub fn collect(plan: &Plan, watch: &mut dyn Watch) -> Result<Collected> {
    let states = survey(plan)?;
    let missing = states
        .iter()
        .filter(|status| status.state != CellState::Done);
    let missing = missing
        .map(|status| plan.name(&plan.cells[status.number]))
        .collect();
    let mut reports = Vec::new();
    watch.start("reports", plan.grid.members.len(), "runs");
    for (at, member) in plan.grid.members.iter().enumerate() {
        let run = plan.folder.run(&member.name);
        let of_member = |number: &usize| plan.cells[*number].member == at;
        let has_records = states
            .iter()
            .any(|status| of_member(&status.number) && status.progress.stages.0 > 0);
        if has_records {
            write_report(&run, &*watch)?;
            reports.push(member.name.clone());
        }
        watch.advance(at + 1, &member.name);
    }
    watch.finish(&format!("{} runs", reports.len()));
    if reports.is_empty() {
        bail!(
            "no cell of {} has anything to report yet; begin with `lingualign grid run`",
            plan.grid.name
        );
    }
    Ok(Collected { reports, missing })
}
