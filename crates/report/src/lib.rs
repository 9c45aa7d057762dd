//! Records to statistics, tables, figures, pages.
