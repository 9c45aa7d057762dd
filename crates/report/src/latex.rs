//! Tables as LaTeX that pdfLaTeX compiles: a float with caption and label, in the rules of booktabs.
//!
//! A sign that pdfLaTeX does not know would stop it, so each becomes a command or its number.
//! Never here: which tables there are.

use schema::escape::show_on_a_line;

use crate::table::{BETTER, CellMark, ReportTable, TableRow, WORSE};

/// With more rows a table is broken over pages.
const ROWS: usize = 48;

/// A whole table, to be put in by `\\input`.
pub(crate) fn to_latex(table: &ReportTable) -> String {
    let kinds: String = table
        .columns
        .iter()
        .map(|column| if column.numeric { 'r' } else { 'l' })
        .collect();
    let titles = table.columns.iter().map(|column| latex(&column.title));
    let titles = latex_line(titles.collect());
    let body: String = table
        .rows
        .iter()
        .map(|row| latex_row(row, table.is_marked()))
        .collect();
    let caption = latex(&table.caption);
    let label = latex_label(&table.name);
    match table.rows.len() > ROWS {
        true => format!(
            "% needs \\usepackage{{booktabs,longtable}}\n{{\\scriptsize\\setlength{{\\tabcolsep}}{{3pt}}\n\\begin{{longtable}}{{{kinds}}}\n\
             \\caption{{{caption}}}\\label{{{label}}} \\\\\n\\toprule\n{titles}\\midrule\n\\endfirsthead\n\\toprule\n{titles}\\midrule\n\
             \\endhead\n\\bottomrule\n\\endlastfoot\n{body}\\end{{longtable}}}}\n"
        ),
        false => format!(
            "% needs \\usepackage{{booktabs,graphicx}}\n\\begin{{table}}[t]\n\\centering\n\\footnotesize\n\\caption{{{caption}}}\n\
             \\label{{{label}}}\n\\smallskip\n\\resizebox{{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}}{{!}}{{%\n\
             \\begin{{tabular}}{{{kinds}}}\n\\toprule\n{titles}\\midrule\n{body}\\bottomrule\n\\end{{tabular}}}}\n\\end{{table}}\n"
        ),
    }
}

/// What a table is referred to by: `tab:overview`.
pub(crate) fn latex_label(name: &str) -> String {
    let plain = |c: char| match c {
        c if c.is_ascii_alphanumeric() || ".-:".contains(c) => c,
        _ => '-',
    };
    format!("tab:{}", name.chars().map(plain).collect::<String>())
}

/// In a table of marks bold is the best number, and a row that stands out is not.
fn latex_row(row: &TableRow, is_marked: bool) -> String {
    let cells = row.cells.iter().enumerate().map(|(column, cell)| {
        let mark = row.marks.get(column).copied().unwrap_or_default();
        let is_bold = mark.best || (row.strong && !is_marked);
        let text = latex(cell);
        let text = match is_bold && !text.is_empty() {
            true => format!("\\textbf{{{text}}}"),
            false => text,
        };
        text + latex_mark(mark)
    });
    latex_line(cells.collect())
}

fn latex_mark(mark: CellMark) -> &'static str {
    match mark.sign {
        BETTER => "$^{\\dagger}$",
        WORSE => "$^{\\ddagger}$",
        _ => "",
    }
}

/// A row of a LaTeX table.
fn latex_line(cells: Vec<String>) -> String {
    format!("{} \\\\\n", cells.join(" & "))
}

/// Text in a cell of LaTeX. A bracket or an asterisk at the beginning would be taken for an argument
/// of the line before.
pub(crate) fn latex(text: &str) -> String {
    let text: String = show_on_a_line(text).chars().map(latex_sign).collect();
    let text = text.replace("=$>$", "$\\Rightarrow$");
    match text.starts_with(['[', '*']) {
        true => format!("{{}}{text}"),
        false => text,
    }
}

/// A character as LaTeX writes it in a text. Letters of Latin scripts are known to it as they are.
fn latex_sign(c: char) -> String {
    let known = match c {
        '\\' => "\\textbackslash{}",
        '~' => "\\textasciitilde{}",
        '^' => "\\textasciicircum{}",
        '|' => "\\textbar{}",
        '"' => "''",
        '−' => "$-$",
        '–' => "--",
        '—' => "---",
        '±' => "$\\pm$",
        '†' => "$\\dagger$",
        '‡' => "$\\ddagger$",
        '×' => "$\\times$",
        '·' => "$\\cdot$",
        '→' => "$\\to$",
        '≤' => "$\\leq$",
        '≥' => "$\\geq$",
        '≈' => "$\\approx$",
        '▪' => "\\rule{0.9ex}{0.9ex}",
        '‘' => "`",
        '’' => "'",
        '“' => "``",
        '”' => "''",
        '…' => "\\ldots{}",
        '\u{a0}' => "~",
        '\n' => " ",
        _ => "",
    };
    match c {
        _ if !known.is_empty() => known.to_owned(),
        '&' | '%' | '$' | '#' | '_' | '{' | '}' => format!("\\{c}"),
        '<' | '>' => format!("${c}$"),
        c if c.is_ascii() || is_latin_letter(c) => c.to_string(),
        other => format!("\\texttt{{U+{:04X}}}", u32::from(other)),
    }
}

/// Of the blocks that LaTeX's own encodings have: Latin-1 and Latin Extended-A.
fn is_latin_letter(c: char) -> bool {
    ('À'..='ž').contains(&c) && c.is_alphabetic() && !NOT_IN_LATEX.contains(&c)
}

/// Letters of these blocks that need another font encoding than the usual one.
const NOT_IN_LATEX: [char; 24] = [
    'Ð', 'ð', 'Þ', 'þ', 'Đ', 'đ', 'Ħ', 'ħ', 'ĸ', 'ŉ', 'Ŋ', 'ŋ', 'Ŧ', 'ŧ', 'Ŀ', 'ŀ', 'Ą', 'ą', 'Ę',
    'ę', 'Į', 'į', 'Ų', 'ų',
];

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: usize) -> ReportTable {
        let mut table = ReportTable::new("a_b.c", "5 % ▪", &["setting", "mean"]);
        for row in 0..rows {
            let cells = vec![format!("zh=>en|{row}"), "7.0".to_owned()];
            table.rows.push(TableRow::plain(cells));
        }
        table
    }

    #[test]
    fn a_table_is_a_float_with_caption_and_label() {
        let mut table = table(2);
        table.rows[1].strong = true;
        let expected = "% needs \\usepackage{booktabs,graphicx}\n\\begin{table}[t]\n\\centering\n\\footnotesize\n\
                        \\caption{5 \\% \\rule{0.9ex}{0.9ex}}\n\\label{tab:a-b.c}\n\\smallskip\n\
                        \\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%\n\
                        \\begin{tabular}{lr}\n\\toprule\nsetting & mean \\\\\n\\midrule\n\
                        zh$\\Rightarrow$en\\textbar{}0 & 7.0 \\\\\n\
                        \\textbf{zh$\\Rightarrow$en\\textbar{}1} & \\textbf{7.0} \\\\\n\
                        \\bottomrule\n\\end{tabular}}\n\\end{table}\n";
        assert_eq!(to_latex(&table), expected);
    }

    #[test]
    fn best_is_bold_and_a_sign_is_raised() {
        let mut table = table(2);
        table.rows[0].strong = true;
        table.rows[1].marks = vec![
            CellMark::default(),
            CellMark {
                best: true,
                sign: BETTER,
            },
        ];
        let text = to_latex(&table);
        assert!(
            text.contains("|0".replace('|', "\\textbar{}").as_str())
                && !text.contains("\\textbf{zh")
        );
        assert!(text.contains("\\textbf{7.0}$^{\\dagger}$ \\\\"), "{text}");
    }

    #[test]
    fn many_rows_are_broken_over_pages() {
        let text = to_latex(&table(60));
        assert!(text.contains("\\begin{longtable}{lr}") && !text.contains("resizebox"));
        assert_eq!(text.matches("\\midrule").count(), 2, "a head on every page");
    }

    #[test]
    fn latex_is_escaped() {
        assert_eq!(
            latex("zh/de=>en, 5 % of_x, p <0.1"),
            "zh/de$\\Rightarrow$en, 5 \\% of\\_x, p $<$0.1"
        );
        assert_eq!(
            latex("\\input{/etc/passwd}\n\u{202e}\u{1b}"),
            "\\textbackslash{}input\\{/etc/passwd\\} \\textbackslash{}u\\{202e\\}\\textbackslash{}u\\{1b\\}"
        );
        let hostile = ReportTable::new("t}\\x", "a\n\\input{x}", &["s"]);
        assert!(
            to_latex(&hostile)
                .contains("\\caption{a \\textbackslash{}input\\{x\\}}\n\\label{tab:t--x}")
        );
        assert_eq!(latex("+0.1 [−0.2, +0.4]"), "+0.1 [$-$0.2, +0.4]");
        assert_eq!(
            latex("[3] a–b “c”\\d"),
            "{}[3] a--b ``c''\\textbackslash{}d"
        );
        assert_eq!(
            latex("é 好 ▪ đ"),
            "é \\texttt{U+597D} \\rule{0.9ex}{0.9ex} \\texttt{U+0111}"
        );
    }
}
