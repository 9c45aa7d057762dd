//! A section of what is inside, as values: sentences, figures, and what stands behind a click.
//!
//! Never here: HTML.

use crate::{figure::Figure, table::Table};

/// One kind of look.
pub(crate) struct Part {
    pub title: &'static str,
    /// What the numbers say.
    pub sentences: Vec<String>,
    /// Seen at once.
    pub pictures: Vec<Picture>,
    /// Behind a click.
    pub more: Vec<More>,
}

/// A figure and what stands under it.
pub(crate) struct Picture {
    pub figure: Figure,
    pub caption: String,
}

/// What is secondary.
pub(crate) struct More {
    pub summary: String,
    pub pictures: Vec<Picture>,
    pub tables: Vec<Table>,
}
