//! Tables in the shape of the paper's: a row per setting, accuracies in percent, the best of each
//! column in bold, significant changes marked; as Markdown, CSV and a whole LaTeX `table`.
//!
//! Never here: which rows and columns a table has.

use std::path::Path;

use compare::stats::Estimate;
use schema::write_whole;
use serde::Serialize;

use crate::{
    error::ReportError,
    format::percent,
    latex::{latex, latex_label},
    markdown::{markdown, markdown_cell},
    table::{BETTER, WORSE, quote_csv},
};

pub(crate) use crate::table::LEVEL;

/// LaTeX columns beside the first that fit a page; more are put below.
const LATEX_COLUMNS: usize = 11;
const MISSING: &str = "–";

/// A table as it is read, and the same numbers for machines.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PaperTable {
    /// File stem in `tables/`, and what LaTeX calls it after `tab:`.
    pub name: String,
    pub caption: String,
    /// Title of the first column.
    pub first: &'static str,
    pub heads: Vec<PaperHead>,
    pub rows: Vec<PaperRow>,
    /// Heads above heads; empty where no head has a group.
    pub groups: Vec<HeadGroup>,
    /// Header and rows, numbers unrounded enough to compute with.
    #[serde(skip)]
    pub csv: Vec<Vec<String>>,
}

/// A column's head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct PaperHead {
    /// What it shares with its neighbours: a model. Empty: nothing.
    pub group: String,
    pub title: String,
    /// Numbers that are not ours.
    pub printed: bool,
}

/// Neighbouring heads of one group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct HeadGroup {
    pub title: String,
    pub span: usize,
}

/// One row.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PaperRow {
    pub label: String,
    pub cells: Vec<PaperCell>,
    /// Numbers that are not ours.
    pub printed: bool,
}

/// One accuracy.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct PaperCell {
    /// Empty where the row has no such number.
    pub text: String,
    /// The best of its column.
    pub best: bool,
    /// Better or worse than the base.
    pub mark: &'static str,
    #[serde(skip)]
    value: Option<f64>,
}

impl PaperCell {
    /// A share as percent; nothing where there is none.
    pub(crate) fn share(share: Option<f64>, decimals: usize) -> Self {
        let share = share.filter(|share| !share.is_nan());
        Self {
            text: share.map_or_else(|| MISSING.to_owned(), |share| percent(share, decimals)),
            value: share,
            ..Self::default()
        }
    }

    /// The same with the mark of its change from the base.
    pub(crate) fn changed(self, change: Option<&Estimate>, p_holm: Option<f64>) -> Self {
        let is_clear = p_holm.is_some_and(|p| p < LEVEL);
        let mark = match change.filter(|_| is_clear).map(|change| change.value) {
            Some(change) if change > 0.0 => BETTER,
            Some(change) if change < 0.0 => WORSE,
            _ => "",
        };
        Self { mark, ..self }
    }
}

/// What the marks mean, for a caption; `tests` are adjusted together.
pub(crate) fn explain_marks(tests: usize, what: &str) -> String {
    match tests {
        0 => "No change was tested.".to_owned(),
        tests => format!(
            "{BETTER} better, {WORSE} worse than the base: p < {LEVEL}, exact test of the change, adjusted after Holm over \
             the {tests} tests of {what} in this grid. Bold: best of the column."
        ),
    }
}

impl PaperTable {
    /// Puts the best of our own numbers of each column in bold; those that read the same too.
    pub(crate) fn mark_best(&mut self) {
        for column in 0..self.heads.len() {
            if self.heads[column].printed {
                continue;
            }
            let own = self.rows.iter().filter(|row| !row.printed);
            let best = own
                .filter_map(|row| row.cells[column].value.zip(Some(&row.cells[column].text)))
                .max_by(|a, b| a.0.total_cmp(&b.0))
                .map(|(_, text)| text.clone());
            for row in self.rows.iter_mut().filter(|row| !row.printed) {
                let cell = &mut row.cells[column];
                cell.best = cell.value.is_some() && Some(&cell.text) == best.as_ref();
            }
        }
    }

    /// Finds the heads above heads.
    pub(crate) fn group_heads(&mut self) {
        if self.heads.iter().all(|head| head.group.is_empty()) {
            return;
        }
        let runs = self.heads.chunk_by(|a, b| a.group == b.group);
        self.groups = runs
            .map(|run| HeadGroup {
                title: run[0].group.clone(),
                span: run.len(),
            })
            .collect();
    }

    /// Writes the three files.
    pub(crate) fn save(&self, folder: &Path) -> Result<(), ReportError> {
        let text = format!("{}\n\n{}", markdown(&self.caption), self.to_markdown());
        let files = [
            ("md", text),
            ("csv", self.to_csv()),
            ("tex", self.to_latex()),
        ];
        for (extension, text) in files {
            let path = folder.join(format!("{}.{extension}", self.name));
            write_whole(&path, text.as_bytes())?;
        }
        Ok(())
    }

    /// GitHub's Markdown; a group is part of each of its heads.
    pub(crate) fn to_markdown(&self) -> String {
        let heads = self.heads.iter().map(|head| match head.group.as_str() {
            "" => markdown_cell(&head.title),
            group => markdown_cell(&format!("{group}: {}", head.title)),
        });
        let heads: Vec<String> = [markdown_cell(self.first)]
            .into_iter()
            .chain(heads)
            .collect();
        let rule = "| --- |".to_owned() + &" ---: |".repeat(self.heads.len());
        let rows = self.rows.iter().map(|row| {
            let cells = row.cells.iter().map(markdown_number);
            let cells: Vec<String> = [markdown_cell(&row.label)]
                .into_iter()
                .chain(cells)
                .collect();
            format!("| {} |\n", cells.join(" | "))
        });
        let rows: String = rows.collect();
        format!("| {} |\n{rule}\n{rows}", heads.join(" | "))
    }

    fn to_csv(&self) -> String {
        let lines = self.csv.iter().map(|row| {
            let cells: Vec<String> = row.iter().map(|cell| quote_csv(cell)).collect();
            cells.join(",") + "\n"
        });
        lines.collect()
    }

    /// A whole `table` with booktabs, to be put in by `\input`.
    pub(crate) fn to_latex(&self) -> String {
        let blocks = self.latex_blocks();
        let widest = blocks.iter().map(|(from, to)| to - from).max();
        let columns = "r".repeat(widest.unwrap_or(0));
        let body = blocks.iter().map(|&(from, to)| self.latex_block(from, to));
        format!(
            "\\begin{{table*}}[t]\n\\centering\n\\footnotesize\n\\setlength{{\\tabcolsep}}{{3.5pt}}\n\\caption{{{}}}\n\
             \\label{{{}}}\n\\smallskip\n\\begin{{tabular}}{{l{columns}}}\n\\toprule\n{}\\bottomrule\n\\end{{tabular}}\n\
             \\end{{table*}}\n",
            latex(&self.caption),
            latex_label(&self.name),
            body.collect::<Vec<String>>().join("\\midrule\n")
        )
    }

    /// The columns, from and to, that are put beside each other: as many as fit, cut between
    /// groups, or else not before a column of printed numbers.
    fn latex_blocks(&self) -> Vec<(usize, usize)> {
        let heads = &self.heads;
        let is_group = |a: &PaperHead, b: &PaperHead| !a.group.is_empty() && a.group == b.group;
        let groups = heads.chunk_by(|a, b| is_group(a, b) || b.printed);
        let pieces = groups.flat_map(|group| match group.len() <= LATEX_COLUMNS {
            true => vec![group.len()],
            false => group.chunk_by(|_, b| b.printed).map(<[_]>::len).collect(),
        });
        let mut blocks: Vec<(usize, usize)> = Vec::new();
        for piece in pieces {
            match blocks.last_mut() {
                Some((from, to)) if *to + piece - *from <= LATEX_COLUMNS => *to += piece,
                last => {
                    let from = last.map_or(0, |(_, to)| *to);
                    blocks.push((from, from + piece));
                }
            }
        }
        blocks
    }

    /// Heads and rows of some columns.
    fn latex_block(&self, from: usize, to: usize) -> String {
        let mut text = self.latex_groups(from, to);
        let heads = self.heads[from..to].iter().map(|head| latex(&head.title));
        let heads: Vec<String> = [latex(self.first)].into_iter().chain(heads).collect();
        text += &format!("{} \\\\\n\\midrule\n", heads.join(" & "));
        for row in &self.rows {
            let cells = row.cells[from..to].iter().map(latex_number);
            let label = latex_arrow(&row.label);
            let cells: Vec<String> = [label]
                .into_iter()
                .chain(cells)
                .map(|cell| match row.printed && !cell.is_empty() {
                    true => format!("\\textit{{{cell}}}"),
                    false => cell,
                })
                .collect();
            text += &format!("{} \\\\\n", cells.join(" & "));
        }
        text
    }

    /// The line of heads above heads with its rules; nothing without groups.
    fn latex_groups(&self, from: usize, to: usize) -> String {
        let heads = &self.heads[from..to];
        if heads.iter().all(|head| head.group.is_empty()) {
            return String::new();
        }
        let (mut cells, mut rules, mut column) = (vec![String::new()], String::new(), 2);
        for run in heads.chunk_by(|a, b| a.group == b.group) {
            let last = column + run.len() - 1;
            let title = latex(&run[0].group);
            cells.push(format!("\\multicolumn{{{}}}{{c}}{{{title}}}", run.len()));
            rules += &format!("\\cmidrule(lr){{{column}-{last}}}");
            column = last + 1;
        }
        format!("{} \\\\\n{rules}\n", cells.join(" & "))
    }
}

fn markdown_number(cell: &PaperCell) -> String {
    let text = format!("{}{}", cell.text, cell.mark);
    match cell.best {
        true => format!("**{text}**"),
        false => text,
    }
}

fn latex_number(cell: &PaperCell) -> String {
    let text = latex(&cell.text);
    let text = match cell.best {
        true => format!("\\textbf{{{text}}}"),
        false => text,
    };
    match cell.mark {
        BETTER => text + "$^{\\dagger}$",
        WORSE => text + "$^{\\ddagger}$",
        _ => text,
    }
}

/// A setting with the paper's arrow.
fn latex_arrow(label: &str) -> String {
    let parts: Vec<String> = label.split("=>").map(latex).collect();
    parts.join(" $\\Rightarrow$ ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(group: &str, title: &str, printed: bool) -> PaperHead {
        PaperHead {
            group: group.to_owned(),
            title: title.to_owned(),
            printed,
        }
    }

    fn change(value: f64) -> Option<Estimate> {
        let (low, high) = (value - 0.01, value + 0.01);
        Some(Estimate { value, low, high })
    }

    fn table() -> PaperTable {
        let row = |label: &str, cells: Vec<PaperCell>| PaperRow {
            label: label.to_owned(),
            cells,
            printed: false,
        };
        let share = |share: f64| PaperCell::share(Some(share), 1);
        let mut table = PaperTable {
            name: "t".to_owned(),
            caption: "5 % of_x".to_owned(),
            first: "setting",
            heads: vec![
                head("m1", "a", false),
                head("m1", "paper", true),
                head("m|2", "b", false),
            ],
            groups: Vec::new(),
            csv: vec![vec!["=1+1".to_owned(), "-3.5".to_owned()]],
            rows: vec![
                row("base", vec![share(0.5), share(0.99), share(0.71)]),
                row(
                    "zh=>en",
                    vec![
                        share(0.75).changed(change(0.25).as_ref(), Some(0.049)),
                        share(0.98),
                        share(0.6).changed(change(-0.11).as_ref(), Some(0.01)),
                    ],
                ),
                row(
                    "sw=>en",
                    vec![
                        share(0.74999).changed(change(0.25).as_ref(), Some(0.05)),
                        PaperCell::default(),
                        PaperCell::share(None, 1),
                    ],
                ),
            ],
        };
        table.mark_best();
        table.group_heads();
        table
    }

    #[test]
    fn best_and_clear_numbers_stand_out() {
        let expected = "\
| setting | m1: a | m1: paper | m\\|2: b |
| --- | ---: | ---: | ---: |
| base | 50.0 | 99.0 | **71.0** |
| zh=>en | **75.0†** | 98.0 | 60.0‡ |
| sw=>en | **75.0** |  | – |
";
        assert_eq!(table().to_markdown(), expected);
    }

    #[test]
    fn latex_is_a_whole_table() {
        let expected = r"\begin{table*}[t]
\centering
\footnotesize
\setlength{\tabcolsep}{3.5pt}
\caption{5 \% of\_x}
\label{tab:t}
\smallskip
\begin{tabular}{lrrr}
\toprule
 & \multicolumn{2}{c}{m1} & \multicolumn{1}{c}{m\textbar{}2} \\
\cmidrule(lr){2-3}\cmidrule(lr){4-4}
setting & a & paper & b \\
\midrule
base & 50.0 & 99.0 & \textbf{71.0} \\
zh $\Rightarrow$ en & \textbf{75.0}$^{\dagger}$ & 98.0 & 60.0$^{\ddagger}$ \\
sw $\Rightarrow$ en & \textbf{75.0} &  & -- \\
\bottomrule
\end{tabular}
\end{table*}
";
        assert_eq!(table().to_latex(), expected);
    }

    #[test]
    fn many_columns_are_put_below_each_other() {
        let mut table = table();
        table.heads = (0..21).map(|n| head("", &format!("l{n}"), false)).collect();
        for row in &mut table.rows {
            row.cells = vec![PaperCell::share(Some(0.5), 1); 21];
        }
        let latex = table.to_latex();
        assert_eq!(latex.matches("\\midrule").count(), 3, "{latex}");
        assert!(latex.contains("{lrrrrrrrrrrr}") && latex.contains("setting & l11 & l12"));

        // four models of three tasks, the first with the paper's numbers
        let of_model = |model: usize| {
            let heads = ["a", "paper", "b", "c"]
                .map(|title| head(&format!("m{model}"), title, title == "paper"));
            heads.into_iter()
        };
        table.heads = (0..4).flat_map(of_model).collect();
        assert_eq!(table.latex_blocks(), [(0, 8), (8, 16)]);
        table.heads = (0..14)
            .map(|n| head("one", &format!("t{n}"), n % 2 == 1))
            .collect();
        assert_eq!(
            table.latex_blocks(),
            [(0, 10), (10, 14)],
            "never before printed numbers"
        );
    }

    #[test]
    fn a_cell_of_a_csv_file_is_no_formula() {
        assert_eq!(table().to_csv(), "'=1+1,-3.5\n");
    }
}
