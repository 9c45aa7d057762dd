//! Maps of a grid's changes: settings by languages of one model and task, and settings by models
//! and tasks.
//!
//! Never here: shapes, scales and colours, which are the crate `figure`'s.

use compare::{
    grid::{GridResults, GridRow, GridTest},
    stats::Estimate,
};
use figure::{Figure, HeatCell, HeatMap, HeatSheet, Ramp};

use super::{
    columns::{Asked, FileNames, GridColumn, describe_asked, distinct, form_of, line_of, rows_of},
    paper_table::LEVEL,
};
use crate::format::{points, points_interval};

/// Ends of the scale, a multiple of five points.
const STEP: f64 = 0.05;

/// One scale for all maps of means, and one for all of languages, so that colours can be compared
/// across the page.
pub(crate) struct ChangeScales {
    means: Ramp,
    languages: Ramp,
}

impl ChangeScales {
    pub(crate) fn new(results: &GridResults) -> Self {
        let means = results.rows.iter().filter_map(|row| row.change);
        let cells = results.rows.iter().flat_map(|row| &row.languages);
        Self {
            means: reach(means),
            languages: reach(cells.filter_map(|of| of.change)),
        }
    }
}

fn reach(changes: impl Iterator<Item = Estimate>) -> Ramp {
    let sizes = changes.map(|change| change.value.abs());
    let most = sizes.filter(|size| !size.is_nan()).fold(0.0_f64, f64::max);
    Ramp::Diverging((most / STEP).ceil().max(1.0) * STEP)
}

fn show_points(change: f64) -> String {
    points(change, 1)
}

fn cell(change: Option<&Estimate>, test: Option<&GridTest>, what: &str) -> Option<HeatCell> {
    let change = change.filter(|change| !change.value.is_nan())?;
    Some(HeatCell {
        value: change.value,
        clear: test.is_some_and(|test| test.p_holm < LEVEL),
        hint: format!("{what}: {} points", points_interval(change, 1)),
    })
}

/// Settings by languages; `None` where nothing was trained.
pub(crate) fn by_language(
    results: &GridResults,
    column: &GridColumn,
    scales: &ChangeScales,
    names: &mut FileNames,
) -> Option<Figure> {
    let all = rows_of(&results.rows, column);
    let rows: Vec<&GridRow> = all.into_iter().filter(|row| !row.is_base()).collect();
    let first = rows.first()?;
    let mut languages: Vec<_> = rows
        .iter()
        .flat_map(|row| row.languages.iter().map(|of| of.language))
        .collect();
    languages.sort();
    languages.dedup();
    let lines: Vec<String> = rows.iter().map(|row| line_of(row, false)).collect();
    let cells = rows.iter().zip(&lines).map(|(row, line)| {
        let of = |language| row.languages.iter().find(|of| of.language == language);
        let cells = languages.iter().map(|&language| {
            let of = of(language)?;
            let what = format!("{line}, {}", language.name());
            cell(of.change.as_ref(), of.test.as_ref(), &what)
        });
        cells.collect()
    });
    let title = format!(
        "{}, {}, {}",
        first.model,
        column.task_title(),
        column.asked_title()
    );
    let map = HeatMap {
        title: title.clone(),
        columns: languages.iter().map(|l| l.code().to_owned()).collect(),
        cells: cells.collect(),
        rows: lines,
        ramp: scales.languages,
        unit: "points".to_owned(),
        show: show_points,
    };
    let labels = column.labels.to_string();
    let sheet = HeatSheet {
        name: names.take(&[
            "change",
            &first.model,
            &column.task_title(),
            &labels,
            &form_of(&column.asked()),
        ]),
        description: format!(
            "Change of accuracy from the base model by setting and language: {title}."
        ),
        maps: vec![map],
        columns: 1,
        axes: ("", ""),
        hollow: false,
    };
    Some(sheet.draw())
}

/// Settings by models and tasks: a map per model, or one of all models where there is one task.
/// `None` where nothing was trained.
pub(crate) fn by_model_and_task(
    results: &GridResults,
    asked: &Asked,
    columns: &[GridColumn],
    scales: &ChangeScales,
    names: &mut FileNames,
) -> Option<Figure> {
    let models = distinct(columns.iter().map(|column| column.model.clone()));
    let tasks = distinct(columns.iter().map(GridColumn::task_title));
    let maps: Vec<HeatMap> = match tasks.as_slice() {
        [task] => map_of(
            results,
            task,
            columns,
            |column| column.model.clone(),
            scales,
        )
        .into_iter()
        .collect(),
        _ => models
            .iter()
            .filter_map(|model| {
                let of_model = columns.iter().filter(|column| column.model == *model);
                let of_model: Vec<GridColumn> = of_model.cloned().collect();
                map_of(results, model, &of_model, GridColumn::task_title, scales)
            })
            .collect(),
    };
    if maps.is_empty() {
        return None;
    }
    let sheet = HeatSheet {
        name: names.take(&["change", "means", &asked.0.to_string(), &form_of(asked)]),
        description: format!(
            "Change of the mean accuracy from the base model by setting, model and task; {}.",
            describe_asked(asked)
        ),
        columns: maps.len().min(2),
        maps,
        axes: ("", ""),
        hollow: false,
    };
    Some(sheet.draw())
}

/// Settings by columns.
fn map_of(
    results: &GridResults,
    title: &str,
    columns: &[GridColumn],
    head: impl Fn(&GridColumn) -> String,
    scales: &ChangeScales,
) -> Option<HeatMap> {
    let rows: Vec<Vec<&GridRow>> = columns
        .iter()
        .map(|column| {
            let mut rows = rows_of(&results.rows, column);
            rows.retain(|row| !row.is_base());
            rows
        })
        .collect();
    let lines = rows.iter().flatten().map(|row| line_of(row, false));
    let lines = distinct(lines);
    if lines.is_empty() {
        return None;
    }
    let cells = lines.iter().map(|line| {
        let of = rows.iter().zip(columns).map(|(rows, column)| {
            let row = rows.iter().find(|row| line_of(row, false) == *line)?;
            let what = format!("{}, {}, {line}", column.model, column.task_title());
            cell(row.change.as_ref(), row.test.as_ref(), &what)
        });
        of.collect()
    });
    Some(HeatMap {
        title: title.to_owned(),
        columns: columns.iter().map(head).collect(),
        cells: cells.collect(),
        rows: lines,
        ramp: scales.means,
        unit: "points".to_owned(),
        show: show_points,
    })
}
