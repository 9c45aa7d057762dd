//! The terminal's summary of a grid.

use std::path::PathBuf;

use compare::grid::GridResults;

use super::tables;
use crate::table::ReportTable;

/// All rows of a grid, what is missing, and where the page is.
#[derive(Clone, Debug)]
pub struct GridSummary {
    table: ReportTable,
    /// What could not be computed and why; remarks first.
    pub missing: Vec<String>,
    /// What makes a result worth less than it looks.
    pub caveats: Vec<String>,
    /// `report/index.html`
    pub page: PathBuf,
}

impl GridSummary {
    pub(super) fn new(results: &GridResults, notes: &[String], page: PathBuf) -> Self {
        Self {
            table: tables::of_rows(results),
            missing: notes.iter().chain(&results.missing).cloned().collect(),
            caveats: results.caveats.clone(),
            page,
        }
    }

    /// A table, what is missing, how many caveats there are, and the page's path; ends with a
    /// line feed.
    pub fn render_text(&self) -> String {
        let table = match self.table.rows.is_empty() {
            true => String::new(),
            false => self.table.to_text() + "\n",
        };
        let missing = self.missing.iter().map(|gap| format!("missing: {gap}\n"));
        let missing: String = missing.collect();
        let caveats = match self.caveats.len() {
            0 => String::new(),
            1 => "note: the report has a remark that makes a result worth less than it looks\n"
                .to_owned(),
            several => {
                format!(
                    "note: the report has {several} remarks that make results worth less than they look\n"
                )
            }
        };
        format!("{table}{missing}{caveats}report: {}\n", self.page.display())
    }
}
