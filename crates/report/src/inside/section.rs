//! A section of what is inside, as values: sentences, figures, and what a click opens.
//!
//! Never here: HTML.

use figure::Figure;

use crate::table::ReportTable;

/// One kind of look.
pub(crate) struct InsideSection {
    pub title: &'static str,
    /// The numbers in words.
    pub sentences: Vec<String>,
    /// Seen at once.
    pub tables: Vec<ReportTable>,
    /// Seen at once.
    pub pictures: Vec<CaptionedFigure>,
    /// One is seen at a time; the first one at first.
    pub choice: Vec<Alternative>,
    /// Behind a click.
    pub more: Vec<Foldout>,
}

/// What is seen with one of several poolings.
pub(crate) struct Alternative {
    pub name: String,
    pub pictures: Vec<CaptionedFigure>,
}

/// A figure with its caption.
pub(crate) struct CaptionedFigure {
    pub figure: Figure,
    pub caption: String,
}

/// Secondary figures and tables.
pub(crate) struct Foldout {
    pub summary: String,
    pub pictures: Vec<CaptionedFigure>,
    pub tables: Vec<ReportTable>,
}
