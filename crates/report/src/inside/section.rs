//! A section of what is inside, as values: sentences, figures, and what stands behind a click.
//!
//! Never here: HTML.

use figure::Figure;

use crate::table::ReportTable;

/// One kind of look.
pub(crate) struct InsideSection {
    pub title: &'static str,
    /// What the numbers say.
    pub sentences: Vec<String>,
    /// Seen at once.
    pub pictures: Vec<CaptionedFigure>,
    /// Behind a click.
    pub more: Vec<Foldout>,
}

/// A figure and what stands under it.
pub(crate) struct CaptionedFigure {
    pub figure: Figure,
    pub caption: String,
}

/// What is secondary.
pub(crate) struct Foldout {
    pub summary: String,
    pub pictures: Vec<CaptionedFigure>,
    pub tables: Vec<ReportTable>,
}
