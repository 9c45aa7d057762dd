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
    /// The page of the questions cannot tell so many labels apart.
    #[error(
        "{task} has {labels} labels, and the page of the questions shows at most {most}; ask with fewer"
    )]
    TooManyLabels {
        /// The task.
        task: String,
        /// How many it has.
        labels: usize,
        /// How many it may have.
        most: usize,
    },
    /// A template of the page is wrong: a defect of this program.
    #[error("the report's template failed, which is a defect of lingualign: {0:#}")]
    Template(#[from] minijinja::Error),
}
