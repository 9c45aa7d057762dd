//! What can go wrong when a report is written.

use compare::CompareError;
use figure::FigureError;
use schema::disk::DiskError;

/// Why there is no report. Every message names the file and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The records could not be read or compared.
    #[error(transparent)]
    Records(#[from] CompareError),
    /// A file could not be read or written.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A figure could not be painted: a defect of this program.
    #[error(transparent)]
    Figure(#[from] FigureError),
    /// A template of the page is wrong: a defect of this program.
    #[error("the report's template failed, which is a defect of lingualign: {0:#}")]
    Template(#[from] minijinja::Error),
}
