//! The page of a grid and its Markdown twin, laid out by two templates.
//!
//! Never here: a number.

use serde::Serialize;

use super::{
    notes::{NOTES, REFERENCES},
    paper_table::PaperTable,
};
use crate::{
    error::ReportError,
    output::{DrawnFigure, ShownTable},
    page::{Downloads, keep_together, render},
};

/// The content of the page, in its order.
#[derive(Serialize)]
pub(crate) struct GridPage {
    pub title: String,
    pub subtitle: String,
    pub summary: Vec<String>,
    pub missing: Vec<String>,
    pub caveats: Vec<String>,
    /// Means, by the way in which questions are asked.
    pub overview: Vec<PageAsked>,
    pub contents: Vec<PageOfModel>,
    /// Languages, by model and task.
    pub tasks: Vec<PageTask>,
    pub rows: Option<ShownTable>,
    pub runs: Vec<PageRun>,
}

/// One label set and form.
#[derive(Serialize)]
pub(crate) struct PageAsked {
    pub title: String,
    pub table: ShownPaperTable,
    pub figure: Option<DrawnFigure>,
    /// Whether the figure takes the whole width.
    pub wide: bool,
}

/// One model and task.
#[derive(Serialize)]
pub(crate) struct PageTask {
    pub id: String,
    pub title: String,
    pub model: String,
    pub task: String,
    pub asked: Vec<PageAsked>,
    /// Where there are several label sets.
    pub labels: Option<ShownPaperTable>,
}

/// The links of one model.
#[derive(Serialize)]
pub(crate) struct PageOfModel {
    pub model: String,
    pub links: Vec<PageLink>,
}

/// A link into the page.
#[derive(Serialize)]
pub(crate) struct PageLink {
    pub id: String,
    pub title: String,
}

/// One run.
#[derive(Serialize)]
pub(crate) struct PageRun {
    pub name: String,
    pub points: String,
    pub stages: String,
    /// The run's folder, if it has a page.
    pub folder: Option<String>,
}

/// A table as the templates take it.
#[derive(Serialize)]
pub(crate) struct ShownPaperTable {
    #[serde(flatten)]
    table: PaperTable,
    markdown: String,
}

impl From<&PaperTable> for ShownPaperTable {
    fn from(table: &PaperTable) -> Self {
        Self {
            table: table.clone(),
            markdown: table.to_markdown(),
        }
    }
}

/// One self-contained HTML file.
pub(crate) fn to_html(page: &GridPage) -> Result<String, ReportError> {
    const TEMPLATE: &str = concat!(
        include_str!("../page/macros.html"),
        include_str!("tables.html"),
        include_str!("../page/head.html"),
        include_str!("grid.html"),
        include_str!("../page/notes.html"),
    );
    Ok(keep_together(&render(
        "grid.html",
        TEMPLATE,
        page,
        (NOTES, REFERENCES),
        Downloads::Beside,
    )?))
}

/// The same in Markdown; figures are linked.
pub(crate) fn to_markdown(page: &GridPage) -> Result<String, ReportError> {
    render(
        "grid.md",
        include_str!("grid.md"),
        page,
        (NOTES, REFERENCES),
        Downloads::Beside,
    )
}
