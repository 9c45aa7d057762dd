//! A table for planning an experiment: how small a change so many items can show.

use compare::stats::detectable_change;

use crate::{
    format::{or_dash, percent},
    table::{ReportTable, TableRow},
};

/// The smallest change that McNemar's exact test shows with power 0.8, for planning: items by
/// rows, share of items that become right or wrong by columns; Markdown, points.
pub fn planning_table() -> String {
    let discordances = [0.05, 0.1, 0.2, 0.3, 0.4];
    let mut table = ReportTable::new("", "", &["items", "5 %", "10 %", "20 %", "30 %", "40 %"]);
    for items in [100, 200, 500, 600, 1000, 2000, 5000] {
        let cells = discordances
            .map(|discordance| or_dash(detectable_change(items, discordance), |d| percent(d, 1)));
        let cells = [items.to_string()].into_iter().chain(cells).collect();
        table.rows.push(TableRow {
            cells,
            strong: false,
            marks: Vec::new(),
        });
    }
    table.to_markdown()
}
