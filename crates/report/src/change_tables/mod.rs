//! The tables of one change: a small one to read first, and behind it all that was measured.

mod agreement;
mod reliability;
mod separation;

use compare::{Changes, LanguageChange, MeanChange};

use crate::{
    format::percent,
    sheet::{ColumnHead, TableCell, align_left, keep_in_view, push, start},
    table::{CellMark, ReportTable},
    verdict_words::verdict_label,
};
use agreement::{agreement, english};
use reliability::{reliability, scorings};
use separation::{confusion, labels, separation};

/// The main table, and those behind it. `name` is that of the main table's file; the others' is
/// longer.
pub(crate) fn tables_of(name: String, changes: &Changes) -> (ReportTable, Vec<ReportTable>) {
    let of = |part: &str| format!("{name}.{part}");
    let mut tables = vec![
        groups(of("groups"), changes),
        separation(of("separation"), changes),
        labels(of("labels"), changes),
        confusion(of("confusion"), changes),
        reliability(of("reliability"), changes),
    ];
    tables.extend(scorings(of("scorings"), changes));
    tables.extend(agreement(of("agreement"), changes));
    tables.extend(english(of("english"), changes));
    (main_table(name, changes), tables)
}

fn language_cell(of: &LanguageChange) -> TableCell {
    let mark = if of.seen { " ▪" } else { "" };
    TableCell::Text(format!("{} ({}){mark}", of.language.name(), of.language))
}

fn code_cell(of: &LanguageChange) -> TableCell {
    TableCell::text(of.language.code())
}

const MAIN: [ColumnHead<'static>; 15] = [
    ("language", "", false),
    ("", "language", false),
    ("", "seen", false),
    ("items", "items", false),
    ("before", "before", true),
    ("after", "after", true),
    ("change [95 %]", "change", true),
    ("p", "p", false),
    ("", "p_mid", false),
    ("p Holm", "p_holm", false),
    ("p BH", "p_bh", false),
    ("the change is", "verdict", false),
    ("seeds", "", false),
    ("", "seed_min", false),
    ("", "seed_max", false),
];

/// The column of the change among those that are shown.
const CHANGE: usize = 4;

fn main_table(name: String, changes: &Changes) -> ReportTable {
    let caption = "Accuracy in %, change in points with its 95 % interval, exact p of the paired test, the same after Holm \
                   and after Benjamini and Hochberg, and what the change is by the rules in the notes. ▪: seen in \
                   training. †, ‡: better, worse with p Holm < 0.05.";
    let mut table = start(name, caption, &MAIN);
    for of in &changes.languages {
        push(&mut table, &MAIN, &main_cells(of), false);
        let mark = CellMark::of_change(of.change.value, Some(of.p_holm));
        if let Some(row) = table.rows.last_mut().filter(|_| !mark.sign.is_empty()) {
            row.marks = vec![CellMark::default(); row.cells.len()];
            row.marks[CHANGE] = mark;
        }
    }
    let means = [
        ("mean", Some(&changes.mean), changes.mean_p),
        ("mean of seen", changes.seen.as_ref(), None),
    ];
    for (name, mean, p) in
        means
            .into_iter()
            .chain([("mean of unseen", changes.unseen.as_ref(), None)])
    {
        let Some(mean) = mean else { continue };
        let cells = [
            TableCell::Text(format!("{name} ({})", mean.languages)),
            TableCell::text(name),
            TableCell::Empty,
            TableCell::Empty,
            TableCell::Level(Some(mean.before)),
            TableCell::Level(Some(mean.after)),
            TableCell::Change(Some(mean.change)),
            p.map_or(TableCell::Empty, |p| TableCell::P(Some(p.exact))),
            p.map_or(TableCell::Empty, |p| TableCell::P(Some(p.mid))),
            TableCell::Empty,
            TableCell::Empty,
            TableCell::text(verdict_label(mean.attribution.verdict)),
            TableCell::Empty,
            TableCell::Empty,
            TableCell::Empty,
        ];
        push(&mut table, &MAIN, &cells, true);
    }
    table.keep_named();
    if changes.seed_changes.len() < 2 {
        table.columns.pop();
        table.rows.iter_mut().for_each(|row| drop(row.cells.pop()));
    }
    align_left(&mut table, &["the change is"]);
    keep_in_view(&mut table, "the change is");
    table
}

fn main_cells(of: &LanguageChange) -> [TableCell; 15] {
    let seeds = of.after_seeds.iter().copied();
    let low = seeds.clone().fold(f64::NAN, f64::min);
    let high = seeds.fold(f64::NAN, f64::max);
    [
        language_cell(of),
        code_cell(of),
        TableCell::Text(of.seen.to_string()),
        TableCell::Count(of.items),
        TableCell::Level(Some(of.before)),
        TableCell::Level(Some(of.after)),
        TableCell::Change(Some(of.change)),
        TableCell::P(Some(of.p.exact)),
        TableCell::P(Some(of.p.mid)),
        TableCell::P(Some(of.p_holm)),
        TableCell::P(Some(of.p_bh)),
        TableCell::text(verdict_label(of.attribution.verdict)),
        TableCell::Text(format!("{}–{}", percent(low, 1), percent(high, 1))),
        TableCell::Share(Some(low)),
        TableCell::Share(Some(high)),
    ]
}

/// Nothing where no item changed: what could have been seen is then unknown.
fn shown_detectable(mean: &MeanChange) -> Option<f64> {
    (mean.detectable > 0.0).then_some(mean.detectable)
}

const GROUPS: [ColumnHead<'static>; 9] = [
    ("group", "group", false),
    ("languages", "languages", false),
    ("before", "before", true),
    ("after", "after", true),
    ("change [95 %]", "change", true),
    ("AUC change [95 %]", "auc_change", true),
    ("calibrated change [95 %]", "batch_change", true),
    ("the change is", "verdict", false),
    ("detectable", "detectable", false),
];

/// A group's row; `languages` are their number or their codes.
fn group_cells(name: impl Into<String>, languages: String, mean: &MeanChange) -> [TableCell; 9] {
    [
        TableCell::Text(name.into()),
        TableCell::Text(languages),
        TableCell::Level(Some(mean.before)),
        TableCell::Level(Some(mean.after)),
        TableCell::Change(Some(mean.change)),
        TableCell::AreaChange(mean.auc.map(|auc| auc.change)),
        TableCell::Change(mean.batch.map(|batch| batch.change)),
        TableCell::text(verdict_label(mean.attribution.verdict)),
        TableCell::Share(shown_detectable(mean)),
    ]
}

fn groups(name: String, changes: &Changes) -> ReportTable {
    let caption = "Means over groups of languages: accuracy in %, changes in points; calibrated: batch calibration; \
                   detectable: the smallest change that these items show with power 0.8, points. Resource class: Joshi \
                   et al. 2020, 0 to 5.";
    let mut table = start(name, caption, &GROUPS);
    let all = &changes.mean;
    let cells = group_cells("all", all.languages.to_string(), all);
    push(&mut table, &GROUPS, &cells, true);
    for (name, mean) in [
        ("seen in training", &changes.seen),
        ("not seen", &changes.unseen),
    ] {
        if let Some(mean) = mean {
            let cells = group_cells(name, mean.languages.to_string(), mean);
            push(&mut table, &GROUPS, &cells, false);
        }
    }
    for group in &changes.groups {
        let codes: Vec<&str> = group
            .languages
            .iter()
            .map(|language| language.code())
            .collect();
        let name = format!("{}: {}", group.kind, group.name);
        let cells = group_cells(name, codes.join(" "), &group.mean);
        push(&mut table, &GROUPS, &cells, false);
    }
    align_left(&mut table, &["languages", "the change is"]);
    keep_in_view(&mut table, "the change is");
    table
}
