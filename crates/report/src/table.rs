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

/// A row's cells.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TableRow {
    pub cells: Vec<String>,
    /// A mean or another row that stands out.
    pub strong: bool,
}

impl TableRow {
    /// A row like the others.
    pub(crate) fn plain(cells: Vec<String>) -> Self {
        Self {
            cells,
            strong: false,
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
            .map(|row| row.cells.iter().map(|cell| markdown_cell(cell)).collect())
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

    /// LaTeX with booktabs, to be put into a `table`; the caption is a comment.
    pub(crate) fn to_latex(&self) -> String {
        let kinds: String = self
            .columns
            .iter()
            .map(|column| if column.numeric { 'r' } else { 'l' })
            .collect();
        let titles = latex_line(
            self.columns
                .iter()
                .map(|column| latex(&column.title))
                .collect(),
        );
        let body: String = self
            .rows
            .iter()
            .map(|row| {
                latex_line(
                    row.cells
                        .iter()
                        .map(|cell| {
                            let cell = latex(cell);
                            if row.strong && !cell.is_empty() {
                                format!("\\textbf{{{cell}}}")
                            } else {
                                cell
                            }
                        })
                        .collect(),
                )
            })
            .collect();
        format!(
            "% {}\n\\begin{{tabular}}{{{kinds}}}\n\\toprule\n{titles}\\midrule\n{body}\\bottomrule\n\\end{{tabular}}\n",
            show_on_a_line(&self.caption)
        )
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

/// A row of a LaTeX table.
fn latex_line(cells: Vec<String>) -> String {
    format!("{} \\\\\n", cells.join(" & "))
}

/// A character as LaTeX writes it in a text.
fn latex_sign(c: char) -> String {
    match c {
        '&' | '%' | '$' | '#' | '_' | '{' | '}' => format!("\\{c}"),
        '\\' => "\\textbackslash{}".to_owned(),
        '~' => "\\textasciitilde{}".to_owned(),
        '^' => "\\textasciicircum{}".to_owned(),
        '−' => "$-$".to_owned(),
        '–' => "--".to_owned(),
        '±' => "$\\pm$".to_owned(),
        '†' => "$\\dagger$".to_owned(),
        '‡' => "$\\ddagger$".to_owned(),
        '×' => "$\\times$".to_owned(),
        '→' => "$\\to$".to_owned(),
        '<' | '>' => format!("${c}$"),
        '≤' => "$\\leq$".to_owned(),
        '≥' => "$\\geq$".to_owned(),
        '“' => "``".to_owned(),
        '”' => "\'\'".to_owned(),
        '…' => "\\ldots{}".to_owned(),
        '\n' => " ".to_owned(),
        other => other.to_string(),
    }
}

/// Text in a cell of LaTeX. A bracket at the beginning would be taken for an argument of the
/// line before.
pub(crate) fn latex(text: &str) -> String {
    let text: String = show_on_a_line(text).chars().map(latex_sign).collect();
    if text.starts_with('[') {
        format!("{{}}{text}")
    } else {
        text
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
        });
        table.rows.push(TableRow {
            cells: vec!["mean".to_owned(), "7.0".to_owned()],
            strong: true,
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
        let expected = "% c\n\\begin{tabular}{lr}\n\\toprule\nsetting & mean \\\\\n\\midrule\na|b & 91.2 \\\\\n\
                        \\textbf{mean} & \\textbf{7.0} \\\\\n\\bottomrule\n\\end{tabular}\n";
        assert_eq!(table.to_latex(), expected);
    }

    #[test]
    fn latex_is_escaped() {
        assert_eq!(latex("zh/de=>en, 5 % of_x"), "zh/de=$>$en, 5 \\% of\\_x");
        assert_eq!(
            latex("\\input{/etc/passwd}\n\u{202e}\u{1b}"),
            "\\textbackslash{}input\\{/etc/passwd\\} \\textbackslash{}u\\{202e\\}\\textbackslash{}u\\{1b\\}"
        );
        assert_eq!(quote_csv("=cmd()|x"), "'=cmd()|x");
        assert_eq!(["-0.5", "+1", "−1"].map(quote_csv), ["-0.5", "+1", "−1"]);
        let hostile = ReportTable::new("t", "a\n\\input{x}", &["s"]);
        assert!(hostile.to_latex().starts_with("% a \\input{x}\n\\begin"));
        assert_eq!(quote_csv("a\r\u{1b}b\n"), "\"a\\u{d}\\u{1b}b\n\"");
        assert_eq!(latex("+0.1 [−0.2, +0.4]"), "+0.1 [$-$0.2, +0.4]");
        assert_eq!(
            latex("[3] a–b “c”\\d"),
            "{}[3] a--b ``c''\\textbackslash{}d"
        );
    }
}
