//! The report of a grid: its page, its Markdown twin, the paper's tables and the maps of changes,
//! with model, setting, task and label set as dimensions.
//!
//! Never here: reading or measuring records (`compare::grid`), how a grid is expanded.

mod columns;
mod figures;
mod layout;
mod notes;
mod page;
mod paper_table;
mod summary;
mod tables;

use std::path::Path;

use compare::{CompareError, grid::GridResults};
use schema::{disk::write_with, write_whole};

pub use summary::GridSummary;

use crate::{error::ReportError, output::ReportFiles};
use paper_table::PaperTable;

/// Everything drawn and tabulated on the way to the page.
#[derive(Default)]
struct GridFiles {
    tables: Vec<PaperTable>,
    others: ReportFiles,
}

/// Writes a grid's report to the folder `out`: `index.html`, `report.md`, `results.json`, `tables/`
/// and `figures/`. `notes` come before what is missing. The same results give the same bytes.
///
/// The page links to each run's own at `../runs/<folder of the run>/report/index.html`, so `out`
/// is the folder `report` beside the folder `runs` of the grid.
///
/// # Errors
/// The folder cannot be written.
pub fn write(
    out: &Path,
    title: &str,
    results: &GridResults,
    notes: &[String],
) -> Result<GridSummary, ReportError> {
    write_unless(out, title, results, notes, &|| false)
}

/// As [`write()`], unless `stop` says so before the first file is written.
///
/// # Errors
/// As [`write()`]; [`CompareError::Stopped`].
pub fn write_unless(
    out: &Path,
    title: &str,
    results: &GridResults,
    notes: &[String],
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<GridSummary, ReportError> {
    let mut files = GridFiles::default();
    let laid_out = layout::lay_out(title, results, notes, &mut files);
    let (html, markdown) = (page::to_html(&laid_out)?, page::to_markdown(&laid_out)?);
    if stop() {
        return Err(CompareError::Stopped.into());
    }
    files.others.save(out)?;
    let tables = out.join("tables");
    files
        .tables
        .iter()
        .try_for_each(|table| table.save(&tables))?;
    write_with(&out.join("results.json"), |file| {
        serde_json::to_writer_pretty(file, results).map_err(Into::into)
    })?;
    write_whole(&out.join("report.md"), markdown.as_bytes())?;
    let index = out.join("index.html");
    write_whole(&index, html.as_bytes())?;
    Ok(GridSummary::new(results, notes, index))
}
