//! A table whose shown text and CSV numbers come from the same cells.

use compare::stats::Estimate;

use crate::{
    format::{area, area_interval, or_dash, p_value, percent, points_interval},
    table::{ReportTable, TableRow, csv_number},
};

/// A column: its title, empty where only the CSV file has it; its CSV name; whether that
/// has `_low` and `_high`.
pub(crate) type ColumnHead<'a> = (&'a str, &'a str, bool);

/// One cell.
pub(crate) enum TableCell {
    Text(String),
    Count(usize),
    /// A fraction of 1 as percent.
    Share(Option<f64>),
    /// A level as percent; its interval in the CSV file.
    Level(Option<Estimate>),
    /// A change in points with its interval.
    Change(Option<Estimate>),
    /// An area or another number of three decimals; its interval in the CSV file.
    Area(Option<Estimate>),
    /// Its change with the interval.
    AreaChange(Option<Estimate>),
    /// Three decimals.
    Number(f64),
    P(Option<f64>),
    /// Nothing to say in this row.
    Empty,
}

impl TableCell {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Count(count) => count.to_string(),
            Self::Share(share) => or_dash(*share, |share| percent(share, 1)),
            Self::Level(level) => or_dash(*level, |level| percent(level.value, 1)),
            Self::Change(change) => or_dash(change.as_ref(), |change| points_interval(change, 1)),
            Self::Area(level) => or_dash(*level, |level| area(level.value)),
            Self::AreaChange(change) => or_dash(change.as_ref(), area_interval),
            Self::Number(number) => area(*number),
            Self::P(p) => or_dash(*p, p_value),
            Self::Empty => String::new(),
        }
    }

    fn plain(&self, is_interval: bool) -> Vec<String> {
        match self {
            Self::Text(text) => vec![text.clone()],
            Self::Count(count) => vec![count.to_string()],
            Self::Share(share) => vec![csv_number(share.map(|share| 100.0 * share))],
            Self::Level(estimate) | Self::Change(estimate) => scaled(*estimate, 100.0),
            Self::Area(estimate) | Self::AreaChange(estimate) => scaled(*estimate, 1.0),
            Self::Number(number) => vec![csv_number(Some(*number))],
            Self::P(p) => vec![csv_number(*p)],
            Self::Empty => vec![String::new(); if is_interval { 3 } else { 1 }],
        }
    }
}

/// The value and the ends of its interval, for three cells of a CSV file.
fn scaled(estimate: Option<Estimate>, scale: f64) -> Vec<String> {
    let ends = estimate.map(|e| [e.value, e.low, e.high]);
    (0..3)
        .map(|end| csv_number(ends.map(|ends| scale * ends[end])))
        .collect()
}

/// The names of a column in a CSV file: three where it has an interval.
fn csv_names((_, name, is_interval): &ColumnHead) -> Vec<String> {
    let ends: &[&str] = if *is_interval {
        &["", "_low", "_high"]
    } else {
        &[""]
    };
    ends.iter().map(|end| format!("{name}{end}")).collect()
}

/// Starts a table with its heads in both forms.
pub(crate) fn start(
    name: impl Into<String>,
    caption: impl Into<String>,
    heads: &[ColumnHead],
) -> ReportTable {
    let titles: Vec<&str> = heads
        .iter()
        .map(|head| head.0)
        .filter(|title| !title.is_empty())
        .collect();
    let mut table = ReportTable::new(name, caption, &titles);
    table.csv.push(heads.iter().flat_map(csv_names).collect());
    table
}

/// Adds a row: one cell a head.
pub(crate) fn push(
    table: &mut ReportTable,
    heads: &[ColumnHead],
    cells: &[TableCell],
    strong: bool,
) {
    let shown = heads
        .iter()
        .zip(cells)
        .filter(|(head, _)| !head.0.is_empty())
        .map(|(_, cell)| cell.shown());
    table.rows.push(TableRow {
        cells: shown.collect(),
        strong,
        marks: Vec::new(),
    });
    table.csv.push(
        heads
            .iter()
            .zip(cells)
            .flat_map(|(head, cell)| cell.plain(head.2))
            .collect(),
    );
}

/// Aligns the columns of these titles to the left, as words are.
pub(crate) fn align_left(table: &mut ReportTable, titles: &[&str]) {
    table
        .columns
        .iter_mut()
        .filter(|column| titles.contains(&column.title.as_str()))
        .for_each(|c| c.numeric = false);
}

/// Keeps the column of a title in view where the table scrolls.
pub(crate) fn keep_in_view(table: &mut ReportTable, title: &str) {
    let columns = table.columns.iter_mut();
    columns
        .filter(|column| column.title == title)
        .for_each(|column| column.kept = true);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_and_plain_numbers_are_the_same_cells() {
        let heads = [
            ("language", "language", false),
            ("", "seen", false),
            ("change", "change", true),
        ];
        let mut table = start("t", "c", &heads);
        let change = Estimate {
            value: 0.0125,
            low: -0.01,
            high: 0.035,
        };
        push(
            &mut table,
            &heads,
            &[
                TableCell::text("de"),
                TableCell::text("true"),
                TableCell::Change(Some(change)),
            ],
            false,
        );
        push(
            &mut table,
            &heads,
            &[TableCell::text("fr"), TableCell::Empty, TableCell::Empty],
            true,
        );
        assert_eq!(
            table.to_text(),
            "language             change\nde        +1.2 [−1.0, +3.5]\nfr\n"
        );
        assert_eq!(
            table.to_csv(),
            "language,seen,change,change_low,change_high\nde,true,1.25,-1,3.5\nfr,,,,\n"
        );
    }
}
