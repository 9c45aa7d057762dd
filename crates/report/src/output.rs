//! Everything drawn and tabulated on the way to the page, and its files: figures as SVG and
//! PNG, tables as Markdown, CSV and LaTeX.
//!
//! Never here: what is drawn.

use std::path::Path;

use figure::{Figure, Painter};
use rayon::prelude::*;
use schema::{escape::show_controls, write_whole};
use serde::Serialize;

use crate::{error::ReportError, latex::to_latex, markdown::markdown, table::ReportTable};

/// Figures and tables in the order in which they were made.
#[derive(Default)]
pub(crate) struct ReportFiles {
    figures: Vec<Figure>,
    tables: Vec<ReportTable>,
}

impl ReportFiles {
    /// Keeps a figure for its files.
    pub(crate) fn figure(&mut self, figure: Figure) -> DrawnFigure {
        let drawn = (&figure).into();
        self.figures.push(figure);
        drawn
    }

    /// Keeps a table for its files.
    pub(crate) fn table(&mut self, table: ReportTable) -> ShownTable {
        let shown = (&table).into();
        self.tables.push(table);
        shown
    }

    /// Writes `figures/` and `tables/`.
    pub(crate) fn save(&self, folder: &Path) -> Result<(), ReportError> {
        let painter = Painter::new();
        let (figures, tables) = (folder.join("figures"), folder.join("tables"));
        // collected in order, so that the same failure is reported whatever thread met it
        let saved: Vec<Result<(), ReportError>> = self
            .figures
            .par_iter()
            .map(|figure| save_figure(figure, &painter, &figures))
            .collect();
        saved.into_iter().collect::<Result<(), ReportError>>()?;
        self.tables
            .iter()
            .try_for_each(|table| save_table(table, &tables))
    }
}

/// As SVG and as PNG.
fn save_figure(figure: &Figure, painter: &Painter, folder: &Path) -> Result<(), ReportError> {
    let name = &figure.name;
    write_whole(
        &folder.join(format!("{name}.svg")),
        show_controls(&figure.to_file()).as_bytes(),
    )?;
    write_whole(&folder.join(format!("{name}.png")), &painter.paint(figure)?)?;
    Ok(())
}

/// As Markdown, as CSV and as LaTeX.
fn save_table(table: &ReportTable, folder: &Path) -> Result<(), ReportError> {
    let name = &table.name;
    let text = format!("{}\n\n{}", markdown(&table.caption), table.to_markdown());
    write_whole(&folder.join(format!("{name}.md")), text.as_bytes())?;
    write_whole(
        &folder.join(format!("{name}.csv")),
        table.to_csv().as_bytes(),
    )?;
    write_whole(
        &folder.join(format!("{name}.tex")),
        to_latex(table).as_bytes(),
    )?;
    Ok(())
}

/// A figure as the templates take it.
#[derive(Serialize)]
pub(crate) struct DrawnFigure {
    name: String,
    description: String,
    svg: String,
}

impl From<&Figure> for DrawnFigure {
    fn from(figure: &Figure) -> Self {
        Self {
            name: figure.name.clone(),
            description: figure.description.clone(),
            svg: figure.to_inline(),
        }
    }
}

/// A table as the templates take it.
#[derive(Serialize)]
pub(crate) struct ShownTable {
    #[serde(flatten)]
    table: ReportTable,
    /// Whether the best numbers are in bold, and the other ones of a strong row are not.
    marked: bool,
    markdown: String,
    /// Where the cells of each row lead; empty where none leads anywhere.
    links: Vec<Vec<String>>,
}

impl ShownTable {
    /// The same with addresses behind the cells of the first rows; an empty one is none.
    pub(crate) fn linked(mut self, links: Vec<Vec<String>>) -> Self {
        for (row, of_row) in self.links.iter_mut().zip(links) {
            *row = of_row;
        }
        self
    }
}

impl From<&ReportTable> for ShownTable {
    fn from(table: &ReportTable) -> Self {
        Self {
            table: table.clone(),
            marked: table.is_marked(),
            markdown: table.to_markdown(),
            links: vec![Vec::new(); table.rows.len()],
        }
    }
}
