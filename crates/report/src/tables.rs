//! Which tables a report has beside those of a change: the overview, settings x languages as
//! the paper prints it, and the base alone.

use std::collections::BTreeMap;

use compare::{
    Changes, FormResult, Level, ResultBlock, Results,
    stats::{Estimate, mean, standard_deviation},
};
use schema::Language;

use crate::{
    format::{area, or_dash, percent, points_interval},
    sheet::{ColumnHead, TableCell, push, start},
    table::{CellMark, ReportTable, TableRow, csv_number},
};

fn row(cells: impl IntoIterator<Item = String>, strong: bool) -> TableRow {
    TableRow {
        cells: cells.into_iter().collect(),
        strong,
        marks: Vec::new(),
    }
}

fn owned(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

/// Percent for a CSV cell.
fn csv_percent(share: f64) -> String {
    csv_number(Some(100.0 * share))
}

fn csv_interval(estimate: &Estimate) -> [String; 3] {
    [estimate.value, estimate.low, estimate.high].map(csv_percent)
}

/// Means of every block and setting.
pub(crate) fn overview(results: &Results) -> ReportTable {
    let columns = [
        "task",
        "labels",
        "setting",
        "languages",
        "mean",
        "change [95 %]",
        "AUC",
        "calibrated",
        "seeds",
        "SD",
    ];
    let caption = "Mean accuracy over languages, %; change from the base in points. Bold: best of its task and labels. † better, ‡ worse \
                   than the base: p < 0.05, exact test of the mean, not adjusted.";
    let mut table = ReportTable::new("overview", caption, &columns);
    for column in [1, 2] {
        table.columns[column].numeric = false;
    }
    table.csv.push(owned(&[
        "task",
        "labels",
        "setting",
        "languages",
        "mean",
        "mean_low",
        "mean_high",
        "change",
        "change_low",
        "change_high",
        "auc",
        "calibrated",
        "seeds",
        "seed_sd",
    ]));
    results
        .blocks
        .iter()
        .for_each(|block| push_block(&mut table, block));
    let column = 4; // the mean
    let mut from = 0;
    for block in &results.blocks {
        let to = from + 1 + block.settings.len();
        table.mark_best(from..to, column);
        from = to;
    }
    table
}

/// Every model asked in another form than the plain one, beside its plain answers.
pub(crate) fn forms(results: &Results) -> ReportTable {
    let columns = [
        "task",
        "labels",
        "model",
        "languages",
        "plain",
        "form",
        "in that form",
        "difference [95 %]",
    ];
    let caption = "The same questions asked plainly and by the model's chat template: mean accuracy over languages, %; the \
                   difference in points, question by question.";
    let mut table = ReportTable::new("forms", caption, &columns);
    for column in [1, 2, 5] {
        table.columns[column].numeric = false;
    }
    table.csv.push(owned(&[
        "task",
        "labels",
        "model",
        "languages",
        "plain",
        "form",
        "other",
        "difference",
        "difference_low",
        "difference_high",
    ]));
    for form in &results.forms {
        push_form(&mut table, form);
    }
    table
}

fn push_form(table: &mut ReportTable, form: &FormResult) {
    let mean = &form.mean;
    let heads = [
        form.task.clone(),
        form.labels.to_string(),
        form.model.clone(),
        form.languages.to_string(),
    ];
    let shown = [
        percent(mean.before.value, 2),
        form.prompt.to_string(),
        percent(mean.after.value, 2),
        points_interval(&mean.change, 2),
    ];
    let cells = heads.iter().cloned().chain(shown);
    table.rows.push(row(cells, form.model == "base"));
    let plain = [
        csv_percent(mean.before.value),
        form.prompt.to_string(),
        csv_percent(mean.after.value),
    ];
    let cells = heads.into_iter().chain(plain);
    let cells = cells.chain(csv_interval(&mean.change));
    table.csv.push(cells.collect());
}

/// The mean over the languages that have the value; `None` where none has.
fn mean_of(levels: &[Level], value: fn(&Level) -> Option<f64>) -> Option<f64> {
    let defined: Vec<f64> = levels.iter().filter_map(value).collect();
    (!defined.is_empty()).then(|| mean(defined))
}

fn push_block(table: &mut ReportTable, block: &ResultBlock) {
    let base = &block.base;
    let auc = mean_of(&base.languages, |level| level.auc.map(|auc| auc.value));
    let calibrated = mean_of(&base.languages, |level| {
        level.batch.map(|batch| batch.value)
    });
    push_overview(
        table,
        block,
        "base",
        (base.languages.len(), base.mean),
        None,
        (auc, calibrated),
    );
    for setting in &block.settings {
        let mean = &setting.changes.mean;
        let optional = (
            mean.auc.map(|c| c.after.value),
            mean.batch.map(|c| c.after.value),
        );
        push_overview(
            table,
            block,
            &setting.name,
            (mean.languages, mean.after),
            Some(&setting.changes),
            optional,
        );
    }
}

fn push_overview(
    table: &mut ReportTable,
    block: &ResultBlock,
    name: &str,
    (languages, mean): (usize, Estimate),
    changes: Option<&Changes>,
    (auc, calibrated): (Option<f64>, Option<f64>),
) {
    let change = changes.map(|changes| changes.mean.change);
    let seeds = changes
        .map(|changes| changes.seed_changes.len().to_string())
        .unwrap_or_default();
    let spread = changes.and_then(|changes| standard_deviation(&changes.seed_changes));
    let heads = [
        block.task.clone(),
        block.asked_with(),
        name.to_owned(),
        languages.to_string(),
    ];
    let shown = [
        percent(mean.value, 2),
        change.map_or_else(String::new, |change| points_interval(&change, 2)),
        or_dash(auc, area),
        or_dash(calibrated, |share| percent(share, 2)),
        seeds.clone(),
        spread.map_or_else(String::new, |spread| percent(spread, 2)),
    ];
    let mut shown_row = row(heads.iter().cloned().chain(shown), changes.is_none());
    if let Some(mark) = changes.map(mark_mean) {
        shown_row.marks = vec![CellMark::default(); table.columns.len()];
        shown_row.marks[5] = mark;
    }
    table.rows.push(shown_row);
    let change = change.map_or_else(
        || [String::new(), String::new(), String::new()],
        |change| csv_interval(&change),
    );
    let rest = [
        csv_number(auc),
        csv_number(calibrated.map(|c| 100.0 * c)),
        seeds,
        csv_number(spread.map(|s| 100.0 * s)),
    ];
    table.csv.push(
        heads
            .into_iter()
            .chain(csv_interval(&mean))
            .chain(change)
            .chain(rest)
            .collect(),
    );
}

/// Whether the mean of all languages is better or worse.
fn mark_mean(changes: &Changes) -> CellMark {
    let p = changes.mean_p.map(|p| p.exact);
    CellMark::of_change(changes.mean.change.value, p)
}

/// Settings x languages, as the paper's tables 1 and 12.
pub(crate) fn by_language(block: &ResultBlock) -> ReportTable {
    let languages: Vec<Language> = block
        .base
        .languages
        .iter()
        .map(|level| level.language)
        .collect();
    let codes = languages.iter().map(|language| language.code());
    let columns: Vec<&str> = ["setting", "mean"].into_iter().chain(codes).collect();
    let name = block.slug();
    let caption = "Accuracy by language, %; mean over seeds. Bold: best of the column. † better, ‡ worse than the base: p < 0.05, \
                   exact test, of languages after Holm's adjustment over those of a setting.";
    let mut table = ReportTable::new(name, caption, &columns);
    table.csv.push(owned(&columns));
    let base: BTreeMap<Language, f64> = block
        .base
        .languages
        .iter()
        .map(|level| (level.language, level.accuracy.value))
        .collect();
    let shares: Vec<Option<f64>> = languages.iter().map(|l| base.get(l).copied()).collect();
    push_accuracies(&mut table, "base", &shares, block.base.mean.value);
    for setting in &block.settings {
        let after: BTreeMap<Language, f64> = setting
            .changes
            .languages
            .iter()
            .map(|l| (l.language, l.after.value))
            .collect();
        let shares: Vec<Option<f64>> = languages.iter().map(|l| after.get(l).copied()).collect();
        let mean = setting.changes.mean.after.value;
        push_accuracies(&mut table, &setting.name, &shares, mean);
        let of = |language: &Language| {
            let all = &setting.changes.languages;
            let found = all.iter().find(|of| of.language == *language);
            found.map_or_else(CellMark::default, |of| {
                CellMark::of_change(of.change.value, Some(of.p_holm))
            })
        };
        let marks = [CellMark::default(), mark_mean(&setting.changes)];
        let marks = marks.into_iter().chain(languages.iter().map(of));
        if let Some(row) = table.rows.last_mut() {
            row.marks = marks.collect();
        }
    }
    for column in 1..table.columns.len() {
        table.mark_best(0..table.rows.len(), column);
    }
    table
}

/// Adds the row of a setting or the base: the mean, then each language in the order of the heads.
fn push_accuracies(table: &mut ReportTable, name: &str, shares: &[Option<f64>], mean: f64) {
    let shown = shares
        .iter()
        .map(|share| or_dash(*share, |share| percent(share, 1)));
    table.rows.push(row(
        [name.to_owned(), percent(mean, 2)].into_iter().chain(shown),
        name == "base",
    ));
    let plain = shares
        .iter()
        .map(|share| csv_number(share.map(|share| 100.0 * share)));
    table.csv.push(
        [name.to_owned(), csv_percent(mean)]
            .into_iter()
            .chain(plain)
            .collect(),
    );
}

const BASE: [ColumnHead<'static>; 8] = [
    ("language", "", false),
    ("", "language", false),
    ("items", "items", false),
    ("accuracy", "accuracy", true),
    ("95 %", "", false),
    ("AUC", "auc", true),
    ("contextual", "contextual", true),
    ("batch", "batch", true),
];

/// The ends of an interval.
fn bounds(e: &Estimate) -> TableCell {
    TableCell::Text(format!("{}–{}", percent(e.low, 1), percent(e.high, 1)))
}

/// The base alone, where nothing was trained.
pub(crate) fn of_base(block: &ResultBlock) -> ReportTable {
    let name = format!("{}.base", block.slug());
    let caption = "The base model: accuracy in % with Wilson's 95 % interval, AUC, accuracy in % after contextual and after \
                   batch calibration.";
    let mut table = start(name, caption, &BASE);
    for level in &block.base.languages {
        let cells = [
            TableCell::Text(format!("{} ({})", level.language.name(), level.language)),
            TableCell::text(level.language.code()),
            TableCell::Count(level.items),
            TableCell::Level(Some(level.accuracy)),
            bounds(&level.accuracy),
            TableCell::Area(level.auc),
            TableCell::Level(level.calibrated),
            TableCell::Level(level.batch),
        ];
        push(&mut table, &BASE, &cells, false);
    }
    let mean = &block.base.mean;
    let name = TableCell::Text(format!("mean ({})", block.base.languages.len()));
    let heads = [
        name,
        TableCell::text("mean"),
        TableCell::Empty,
        TableCell::Level(Some(*mean)),
        bounds(mean),
    ];
    let cells: Vec<TableCell> = heads
        .into_iter()
        .chain([TableCell::Empty, TableCell::Empty, TableCell::Empty])
        .collect();
    push(&mut table, &BASE, &cells, true);
    table.keep_named();
    table
}
