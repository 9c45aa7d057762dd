//! The tables of a grid in the paper's shape: settings by languages (Tables 1, 12 and 13), by
//! models and tasks (2 to 5), by label sets (6); and all rows with their tests.
//!
//! Never here: a number that is not in the results.

use compare::grid::{GridLanguage, GridResults, GridRow, PrintedValue};
use schema::Language;

use super::{
    columns::{
        Asked, FileNames, GridColumn, describe_asked, distinct, form_of, has_one_base, line_of,
        list_lines, rows_of,
    },
    paper_table::{PaperCell, PaperHead, PaperRow, PaperTable, explain_marks},
};
use crate::{
    format::{p_value, percent, points_interval},
    table::{ReportTable, TableRow, csv_number},
};

/// The head of a column of printed numbers.
const PAPER: &str = "paper";

/// Where printed numbers are from, as a sentence for a caption; empty without one.
fn explain_printed<'a>(printed: impl Iterator<Item = &'a PrintedValue>) -> String {
    let places = distinct(printed.map(|of| of.printed.clone()));
    match places.is_empty() {
        true => String::new(),
        false => format!(
            " Paper: printed in arXiv 2405.13816, {}, where weights were quantised to 4 bits.",
            places.join(", ")
        ),
    }
}

/// The row of a line in a column.
fn find<'a>(rows: &'a [GridRow], column: &GridColumn, line: &str) -> Option<&'a GridRow> {
    let rows = rows_of(rows, column);
    let is_only_base = has_one_base(&rows);
    let is_line = |row: &GridRow| line_of(row, is_only_base) == line;
    rows.into_iter().find(|row| is_line(row))
}

/// Settings by models and tasks, all asked in one way.
pub(crate) fn by_model_and_task(
    results: &GridResults,
    asked: &Asked,
    columns: &[GridColumn],
    names: &mut FileNames,
) -> PaperTable {
    let models = distinct(columns.iter().map(|column| column.model.clone()));
    let tasks = distinct(columns.iter().map(GridColumn::task_title));
    let has_groups = models.len() > 1 && tasks.len() > 1;
    let head = |column: &GridColumn| match (has_groups, models.len() > 1) {
        (true, _) => (column.model.clone(), column.task_title()),
        (false, true) => (String::new(), column.model.clone()),
        (false, false) => (String::new(), column.task_title()),
    };
    // what all columns share is not in their heads
    let shared = [&models, &tasks].into_iter().filter(|all| all.len() == 1);
    let mut shared: Vec<String> = shared.flatten().cloned().collect();
    shared.push(describe_asked(asked));
    let caption = format!("Mean accuracy over languages, %: {}.", shared.join(", "));
    let name = names.take(&["means", &asked.0.to_string(), &form_of(asked)]);
    of_means(results, (name, caption), columns, head)
}

/// Settings by label sets and forms, of one model and task.
pub(crate) fn by_labels(
    results: &GridResults,
    columns: &[GridColumn],
    names: &mut FileNames,
) -> PaperTable {
    let (model, task) = (&columns[0].model, columns[0].task_title());
    let caption = format!("Mean accuracy over languages, %: {model}, {task}, by label words.");
    let name = names.take(&["labels", model, &task]);
    let head = |column: &GridColumn| (String::new(), column.asked_short());
    of_means(results, (name, caption), columns, head)
}

/// One line per setting, one column (and one of printed numbers) per column of the grid.
fn of_means(
    results: &GridResults,
    (name, caption): (String, String),
    columns: &[GridColumn],
    head: impl Fn(&GridColumn) -> (String, String),
) -> PaperTable {
    let rows = &results.rows;
    let held = |column: &GridColumn| rows_of(rows, column);
    let printed = columns
        .iter()
        .flat_map(held)
        .filter_map(|row| row.printed.as_ref());
    let marks = explain_marks(results.families.means, "means");
    let mut table = PaperTable {
        name,
        caption: format!("{caption} {marks}{}", explain_printed(printed)),
        first: "setting",
        heads: Vec::new(),
        rows: Vec::new(),
        groups: Vec::new(),
        csv: vec![MEAN_NAMES.map(str::to_owned).to_vec()],
    };
    let has_printed = |column: &GridColumn| held(column).iter().any(|row| row.printed.is_some());
    let columns: Vec<(&GridColumn, bool)> = columns
        .iter()
        .map(|column| (column, has_printed(column)))
        .collect();
    for (column, has_printed) in &columns {
        push_heads(&mut table, head(column), *has_printed);
    }
    for line in list_lines(rows, columns.iter().map(|(column, _)| *column)) {
        push_means(&mut table, rows, &columns, line);
    }
    table.mark_best();
    table.group_heads();
    table
}

fn push_heads(table: &mut PaperTable, (group, title): (String, String), has_printed: bool) {
    let head = |title: String, printed| PaperHead {
        group: group.clone(),
        title,
        printed,
    };
    table.heads.push(head(title, false));
    if has_printed {
        table.heads.push(head(PAPER.to_owned(), true));
    }
}

/// Adds the row of a line: its mean in each column, and the paper's where the column has those.
fn push_means(
    table: &mut PaperTable,
    rows: &[GridRow],
    columns: &[(&GridColumn, bool)],
    line: String,
) {
    let mut cells = Vec::new();
    for (column, has_printed) in columns {
        let row = find(rows, column, &line);
        cells.push(mean_cell(row));
        if *has_printed {
            let value = row.and_then(|row| row.printed.as_ref());
            cells.push(printed_cell(value.map(|of| of.value), 2));
        }
        table.csv.extend(row.map(|row| mean_values(row, &line)));
    }
    table.rows.push(PaperRow {
        label: line,
        cells,
        printed: false,
    });
}

fn mean_cell(row: Option<&GridRow>) -> PaperCell {
    match row {
        None => PaperCell::default(),
        Some(row) => PaperCell::share(Some(row.mean.value), 2)
            .changed(row.change.as_ref(), row.test.map(|test| test.p_holm)),
    }
}

/// Empty, not a dash, where the paper has no such cell.
fn printed_cell(share: Option<f64>, decimals: usize) -> PaperCell {
    match share {
        Some(share) => PaperCell::share(Some(share), decimals),
        None => PaperCell::default(),
    }
}

/// Columns of the CSV file of means.
const MEAN_NAMES: [&str; 18] = [
    "setting",
    "model",
    "task",
    "trained_on",
    "labels",
    "prompt",
    "run",
    "languages",
    "mean",
    "base",
    "change",
    "change_low",
    "change_high",
    "p",
    "p_holm",
    "seeds",
    "seed_sd",
    "paper",
];

fn mean_values(row: &GridRow, line: &str) -> Vec<String> {
    let share = |share: Option<f64>| csv_number(share.map(|share| 100.0 * share));
    let change = row.change.as_ref();
    let seeds = match row.seed_changes.len() {
        0 => String::new(),
        seeds => seeds.to_string(),
    };
    vec![
        line.to_owned(),
        row.model.clone(),
        row.task.clone(),
        row.trained_on.clone().unwrap_or_default(),
        row.labels.to_string(),
        row.prompt.to_string(),
        row.member.clone(),
        row.languages.len().to_string(),
        share(Some(row.mean.value)),
        share(row.base.map(|base| base.value)),
        share(change.map(|change| change.value)),
        share(change.map(|change| change.low)),
        share(change.map(|change| change.high)),
        csv_number(row.test.map(|test| test.p)),
        csv_number(row.test.map(|test| test.p_holm)),
        seeds,
        share(row.seed_sd),
        share(row.printed.as_ref().map(|of| of.value)),
    ]
}

/// Settings by languages, with the mean; a line of the paper's numbers below each that it has.
pub(crate) fn by_language(
    results: &GridResults,
    column: &GridColumn,
    names: &mut FileNames,
) -> PaperTable {
    let rows = rows_of(&results.rows, column);
    let languages = languages_of(&rows);
    let (model, task) = (&column.model, column.task_title());
    let asked = column.asked();
    let name = names.take(&[model, &task, &asked.0.to_string(), &form_of(&asked)]);
    let chance = rows.first().map_or(0.0, |row| row.chance);
    let mut table = PaperTable {
        name,
        caption: format!(
            "Accuracy of {model}, {task}, by language, %, {}; guessing gives {} %. {}{}",
            column.asked_title(),
            percent(chance, 2),
            explain_both(results),
            explain_printed(rows.iter().flat_map(|row| printed_languages(row)))
        ),
        first: "setting",
        heads: languages
            .iter()
            .map(|language| language.code())
            .chain(["mean"])
            .map(|title| PaperHead {
                group: String::new(),
                title: title.to_owned(),
                printed: false,
            })
            .collect(),
        rows: Vec::new(),
        groups: Vec::new(),
        csv: Vec::new(),
    };
    let codes = languages.iter().map(|language| language.code().to_owned());
    let heads = ["setting".to_owned(), "source".to_owned()];
    table.csv.push(
        heads
            .into_iter()
            .chain(codes)
            .chain(["mean".to_owned()])
            .collect(),
    );
    let is_only_base = has_one_base(&rows);
    for row in rows {
        push_languages(&mut table, row, &languages, &line_of(row, is_only_base));
    }
    table.mark_best();
    table
}

/// What the marks of a table of languages are adjusted for: those of its mean for another family.
fn explain_both(results: &GridResults) -> String {
    format!(
        "{} The mean's mark is adjusted over the {} tests of means.",
        explain_marks(results.families.languages, "single languages"),
        results.families.means
    )
}

fn languages_of(rows: &[&GridRow]) -> Vec<Language> {
    let mut languages: Vec<Language> = rows
        .iter()
        .flat_map(|row| row.languages.iter().map(|of| of.language))
        .collect();
    languages.sort();
    languages.dedup();
    languages
}

/// The paper's numbers of a row that are shown by language, with its mean.
fn printed_languages(row: &GridRow) -> Vec<&PrintedValue> {
    let cells = row.languages.iter().filter_map(|of| of.printed.as_ref());
    let cells: Vec<&PrintedValue> = cells.collect();
    match cells.is_empty() {
        true => cells, // a mean alone is in the tables of means
        false => cells.into_iter().chain(&row.printed).collect(),
    }
}

fn push_languages(table: &mut PaperTable, row: &GridRow, languages: &[Language], line: &str) {
    let of: Vec<Option<&GridLanguage>> = languages
        .iter()
        .map(|language| row.languages.iter().find(|of| of.language == *language))
        .collect();
    let cells = of.iter().map(|of| language_cell(*of));
    table.rows.push(PaperRow {
        label: line.to_owned(),
        cells: cells.chain([mean_cell(Some(row))]).collect(),
        printed: false,
    });
    let values = of.iter().map(|of| of.map(|of| of.accuracy.value));
    push_values(table, (line, "ours"), values, Some(row.mean.value));
    let printed: Vec<Option<f64>> = of
        .iter()
        .map(|of| of.and_then(|of| of.printed.as_ref()).map(|of| of.value))
        .collect();
    if printed_languages(row).is_empty() {
        return;
    }
    let mean = row.printed.as_ref().map(|of| of.value);
    let cells = printed.iter().map(|share| printed_cell(*share, 1));
    table.rows.push(PaperRow {
        label: PAPER.to_owned(),
        cells: cells.chain([printed_cell(mean, 2)]).collect(),
        printed: true,
    });
    push_values(table, (line, PAPER), printed.into_iter(), mean);
}

fn language_cell(of: Option<&GridLanguage>) -> PaperCell {
    match of {
        None => PaperCell::share(None, 1),
        Some(of) => PaperCell::share(Some(of.accuracy.value), 1)
            .changed(of.change.as_ref(), of.test.map(|test| test.p_holm)),
    }
}

fn push_values(
    table: &mut PaperTable,
    (line, source): (&str, &str),
    values: impl Iterator<Item = Option<f64>>,
    mean: Option<f64>,
) {
    let shares = values
        .chain([mean])
        .map(|share| csv_number(share.map(|share| 100.0 * share)));
    let heads = [line.to_owned(), source.to_owned()];
    table.csv.push(heads.into_iter().chain(shares).collect());
}

/// Every row with its interval, test and seeds.
pub(crate) fn of_rows(results: &GridResults) -> ReportTable {
    let columns = [
        "model",
        "task",
        "labels",
        "setting",
        "languages",
        "mean",
        "change [95 %]",
        "p",
        "p Holm",
        "seeds",
        "SD",
        PAPER,
    ];
    let caption = format!(
        "All rows: mean accuracy over languages, %, its change from the base in points, the exact test of the change, and the \
         same adjusted after Holm over the {} tests of means in this grid; SD: of the change, between seeds.",
        results.families.means
    );
    let mut table = ReportTable::new("rows", caption, &columns);
    for column in [1, 2, 3] {
        table.columns[column].numeric = false;
    }
    table.csv.push(MEAN_NAMES.map(str::to_owned).to_vec());
    for row in &results.rows {
        table.rows.push(TableRow {
            cells: row_cells(row),
            strong: row.is_base(),
            marks: Vec::new(),
        });
        table.csv.push(mean_values(row, &line_of(row, false)));
    }
    if results.rows.iter().all(|row| row.printed.is_none()) {
        table.columns.pop();
        table.rows.iter_mut().for_each(|row| {
            row.cells.pop();
        });
    }
    table
}

/// The cells of all columns of [`of_rows`].
fn row_cells(row: &GridRow) -> Vec<String> {
    let column = GridColumn::of(row);
    let or_empty = |text: Option<String>| text.unwrap_or_default();
    let seeds = Some(row.seed_changes.len()).filter(|seeds| *seeds > 0);
    vec![
        row.model.clone(),
        column.task_title(),
        column.asked_short(),
        line_of(row, false),
        row.languages.len().to_string(),
        percent(row.mean.value, 2),
        or_empty(row.change.map(|change| points_interval(&change, 2))),
        or_empty(row.test.map(|test| p_value(test.p))),
        or_empty(row.test.map(|test| p_value(test.p_holm))),
        or_empty(seeds.map(|seeds| seeds.to_string())),
        or_empty(row.seed_sd.map(|sd| percent(sd, 2))),
        or_empty(row.printed.as_ref().map(|of| percent(of.value, 2))),
    ]
}
