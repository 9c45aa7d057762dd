//! Tables as values: text for Markdown and the page, plain numbers for CSV.

use schema::escape::{show_controls, show_on_a_line};
use serde::Serialize;

use crate::markdown::markdown_cell;

/// A table as it is read, and the same numbers for machines.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ReportTable {
    /// File stem in `tables/`.
    pub name: String,
    /// One sentence above it.
    pub caption: String,
    pub columns: Vec<TableColumn>,
    pub rows: Vec<TableRow>,
    /// Header and rows, numbers unrounded enough to compute with.
    #[serde(skip)]
    pub csv: Vec<Vec<String>>,
}

/// A column's head.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TableColumn {
    pub title: String,
    /// Numbers are aligned to the right.
    pub numeric: bool,
    /// Stays in view where the table scrolls.
    pub kept: bool,
}

/// The signs of a change that is clear after adjustment.
pub(crate) const BETTER: &str = "†";
pub(crate) const WORSE: &str = "‡";
/// Of the tests, after adjustment.
pub(crate) const LEVEL: f64 = 0.05;

/// What a cell's number is beside others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct CellMark {
    /// The best of its column.
    pub best: bool,
    /// Better or worse than the base: [`BETTER`], [`WORSE`] or nothing.
    pub sign: &'static str,
}

impl CellMark {
    /// Of a change with the p-value of its test.
    pub(crate) fn of_change(change: f64, p: Option<f64>) -> Self {
        let is_clear = p.is_some_and(|p| p < LEVEL);
        let sign = match change {
            change if is_clear && change > 0.0 => BETTER,
            change if is_clear && change < 0.0 => WORSE,
            _ => "",
        };
        Self { best: false, sign }
    }
}

/// A row's cells.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TableRow {
    pub cells: Vec<String>,
    /// A mean or another row that stands out.
    pub strong: bool,
    /// Of the cells; empty: none has a mark.
    pub marks: Vec<CellMark>,
}

impl TableRow {
    /// A row like the others.
    pub(crate) fn plain(cells: Vec<String>) -> Self {
        Self {
            cells,
            strong: false,
            marks: Vec::new(),
        }
    }
}

impl TableRow {
    fn markdown(&self, column: usize, cell: &str) -> String {
        let mark = self.marks.get(column).copied().unwrap_or_default();
        let text = format!("{}{}", markdown_cell(cell), mark.sign);
        match mark.best {
            true => format!("**{text}**"),
            false => text,
        }
    }
}

impl ReportTable {
    pub(crate) fn new(
        name: impl Into<String>,
        caption: impl Into<String>,
        columns: &[&str],
    ) -> Self {
        Self {
            name: name.into(),
            caption: caption.into(),
            columns: columns
                .iter()
                .enumerate()
                .map(|(index, title)| TableColumn {
                    title: (*title).to_owned(),
                    numeric: index > 0,
                    kept: false,
                })
                .collect(),
            rows: Vec::new(),
            csv: Vec::new(),
        }
    }

    /// GitHub's Markdown, columns padded so that the source reads as a table too.
    pub(crate) fn to_markdown(&self) -> String {
        let titles: Vec<String> = self
            .columns
            .iter()
            .map(|column| markdown_cell(&column.title))
            .collect();
        let rows: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|row| {
                row.cells
                    .iter()
                    .enumerate()
                    .map(|(at, cell)| row.markdown(at, cell))
                    .collect()
            })
            .collect();
        let widths = self.measure_columns(rows.iter().chain([&titles]), 3);
        let rule: Vec<String> = widths
            .iter()
            .zip(&self.columns)
            .map(|(width, column)| {
                if column.numeric {
                    "-".repeat(width - 1) + ":"
                } else {
                    "-".repeat(*width)
                }
            })
            .collect();
        [&titles, &rule]
            .into_iter()
            .chain(&rows)
            .map(|cells| format!("| {} |\n", self.pad(cells, &widths).join(" | ")))
            .collect()
    }

    /// For a terminal: columns two spaces apart.
    pub(crate) fn to_text(&self) -> String {
        let titles = self
            .columns
            .iter()
            .map(|column| show_on_a_line(&column.title));
        let rows = self
            .rows
            .iter()
            .map(|row| row.cells.iter().map(|cell| show_on_a_line(cell)));
        let lines: Vec<Vec<String>> = [titles.collect()]
            .into_iter()
            .chain(rows.map(Iterator::collect))
            .collect();
        let widths = self.measure_columns(lines.iter(), 0);
        lines
            .iter()
            .map(|cells| self.pad(cells, &widths).join("  ").trim_end().to_owned() + "\n")
            .collect()
    }

    /// The width of each column, in characters.
    fn measure_columns<'a>(
        &self,
        lines: impl Iterator<Item = &'a Vec<String>>,
        least: usize,
    ) -> Vec<usize> {
        let mut widths = vec![least; self.columns.len()];
        for cells in lines {
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = (*width).max(cell.chars().count());
            }
        }
        widths
    }

    /// Cells padded to their columns' widths, numbers on the right.
    fn pad(&self, cells: &[String], widths: &[usize]) -> Vec<String> {
        cells
            .iter()
            .zip(widths)
            .zip(&self.columns)
            .map(|((cell, &width), column)| {
                if column.numeric {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:<width$}")
                }
            })
            .collect()
    }

    /// Puts the greatest number of a column among some rows in bold; those that read the same too.
    pub(crate) fn mark_best(&mut self, rows: std::ops::Range<usize>, column: usize) {
        let count = self.columns.len();
        let of = |row: &TableRow| row.cells[column].parse::<f64>().ok(); // a dash is no number
        let numbers: Vec<f64> = self.rows[rows.clone()].iter().filter_map(of).collect();
        let best = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if numbers.len() < 2 {
            return;
        }
        for row in &mut self.rows[rows] {
            if of(row) == Some(best) {
                row.marks.resize(count, CellMark::default());
                row.marks[column].best = true;
            }
        }
    }

    /// Whether any cell has a mark.
    pub(crate) fn is_marked(&self) -> bool {
        self.rows.iter().any(|row| !row.marks.is_empty())
    }

    /// Takes the columns without a name out of the CSV rows.
    pub(crate) fn keep_named(&mut self) {
        let named: Vec<bool> = self
            .csv
            .first()
            .into_iter()
            .flatten()
            .map(|name| !name.is_empty())
            .collect();
        for row in &mut self.csv {
            let mut kept = named.iter();
            row.retain(|_| kept.next().copied().unwrap_or(true));
        }
    }

    /// RFC 4180, with line feeds.
    pub(crate) fn to_csv(&self) -> String {
        self.csv
            .iter()
            .map(|row| {
                row.iter()
                    .map(|cell| quote_csv(cell))
                    .collect::<Vec<_>>()
                    .join(",")
                    + "\n"
            })
            .collect()
    }
}

/// A cell of a CSV file, quoted where it must be. A text that a spreadsheet would compute gets
/// the sign before it that says it is a text.
pub(crate) fn quote_csv(cell: &str) -> String {
    let is_formula =
        cell.len() > 1 && cell.starts_with(['=', '+', '-', '@']) && cell.parse::<f64>().is_err();
    let cell = match is_formula {
        true => format!("'{cell}"),
        false => cell.to_owned(),
    };
    let cell = &*show_controls(&cell);
    if cell.contains([',', '"', '\n']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

/// A number in a CSV cell: empty if it is missing or undefined.
pub(crate) fn csv_number(number: Option<f64>) -> String {
    match number {
        Some(number) if !number.is_nan() => {
            let text = format!("{number:.6}");
            let text = text.trim_end_matches('0').trim_end_matches('.');
            if text == "-0" {
                "0".to_owned()
            } else {
                text.to_owned()
            }
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms() {
        let mut table = ReportTable::new("t", "c", &["setting", "mean"]);
        table.rows.push(TableRow {
            cells: vec!["a|b".to_owned(), "91.2".to_owned()],
            strong: false,
            marks: Vec::new(),
        });
        table.rows.push(TableRow {
            cells: vec!["mean".to_owned(), "7.0".to_owned()],
            strong: true,
            marks: Vec::new(),
        });
        table.csv = vec![
            vec!["x,y".to_owned(), csv_number(Some(-0.0))],
            vec![csv_number(Some(0.125)), csv_number(None)],
        ];
        let markdown =
            "| setting | mean |\n| ------- | ---: |\n| a\\|b    | 91.2 |\n| mean    |  7.0 |\n";
        assert_eq!(table.to_markdown(), markdown);
        assert_eq!(
            table.to_text(),
            "setting  mean\na|b      91.2\nmean      7.0\n"
        );
        assert_eq!(table.to_csv(), "\"x,y\",0\n0.125,\n");
    }

    #[test]
    fn csv_cells_are_no_formulas() {
        assert_eq!(quote_csv("=cmd()|x"), "'=cmd()|x");
        assert_eq!(["-0.5", "+1", "−1"].map(quote_csv), ["-0.5", "+1", "−1"]);
        assert_eq!(quote_csv("a\r\u{1b}b\n"), "\"a\\u{d}\\u{1b}b\n\"");
    }

    #[test]
    fn the_best_is_bold_and_a_clear_change_has_a_sign() {
        let mut table = ReportTable::new("t", "c", &["setting", "mean"]);
        for (name, mean) in [("a", "7.5"), ("b", "91.2"), ("c", "–"), ("d", "91.2")] {
            let cells = [name, mean].map(str::to_owned).to_vec();
            table.rows.push(TableRow::plain(cells));
        }
        let of = CellMark::of_change;
        table.rows[0].marks = vec![CellMark::default(), of(-0.1, Some(0.01))];
        table.rows[1].marks = vec![CellMark::default(), of(0.1, Some(0.049))];
        table.mark_best(0..4, 1);
        let shown: Vec<String> = table
            .to_markdown()
            .lines()
            .skip(2)
            .map(str::to_owned)
            .collect();
        assert_eq!(
            shown,
            [
                "| a       |      7.5‡ |",
                "| b       | **91.2†** |",
                "| c       |         – |",
                "| d       |  **91.2** |",
            ]
        );
        assert_eq!(of(0.1, Some(0.05)).sign, "");
        assert_eq!(of(0.1, None).sign, "");
    }
}
