//! What can go wrong when a figure is painted.

/// A figure could not be painted: a defect of this program.
#[derive(Debug, thiserror::Error)]
#[error("the figure {figure} could not be painted, which is a defect of lingualign: {problem}")]
pub struct FigureError {
    /// Its name.
    pub figure: String,
    /// What the painter reported.
    pub problem: String,
}
