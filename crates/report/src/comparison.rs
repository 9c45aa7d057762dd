//! A comparison of two files of answers as text for a terminal.

use compare::Comparison;

use crate::{change_tables::tables_of, findings::describe_setting};

/// Files, differences, findings and all tables; ends with a line feed.
pub fn comparison_text(comparison: &Comparison) -> String {
    let (main, rest) = tables_of(String::new(), &comparison.changes);
    let findings = describe_setting(&comparison.changes);
    let tiles = findings
        .tiles
        .iter()
        .map(|t| format!("{}: {} → {} ({})\n", t.name, t.before, t.after, t.change));
    let tiles: String = tiles.collect();
    let differences = label_lines("differs", &comparison.differences);
    let gaps = label_lines("missing", &comparison.gaps);
    let caveats = label_lines("note", &comparison.caveats);
    let details = findings.details.join("\n");
    let rest: String = rest
        .iter()
        .map(|table| format!("\n{}\n{}", table.caption, table.to_text()))
        .collect();
    format!(
        "{}, {} labels\nbefore: {}\nafter:  {}\n{differences}{gaps}{caveats}\n{}\n{tiles}{}\n{details}\n{rest}",
        comparison.task,
        comparison.labels,
        comparison.a.display(),
        comparison.b.display(),
        main.to_text(),
        findings.verdict
    )
}

/// Each line with the label before it.
fn label_lines(label: &str, lines: &[String]) -> String {
    lines
        .iter()
        .map(|line| format!("{label}: {line}\n"))
        .collect()
}
