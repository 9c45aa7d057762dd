//! What a grid's page shows, in its order.
//!
//! Never here: HTML; a number that is not in the results.

use compare::grid::{AxisPoint, GridMemberState, GridResults, GridRow};

use figure::Figure;

use super::{
    GridFiles,
    columns::{Asked, FileNames, GridColumn, distinct, line_of, list_columns},
    figures::{self, ChangeScales},
    page::{GridPage, PageAsked, PageLink, PageOfModel, PageRun, PageTask},
    paper_table::{LEVEL, PaperTable},
    tables,
};
use crate::format::{capital, count, describe_way, list, points_interval};

/// Draws and tabulates everything.
pub(super) fn lay_out(
    title: &str,
    results: &GridResults,
    notes: &[String],
    files: &mut GridFiles,
) -> GridPage {
    let names = &mut FileNames::default();
    let scales = ChangeScales::new(results);
    let columns = list_columns(&results.rows);
    let ways = distinct(columns.iter().map(GridColumn::asked));
    let overview: Vec<PageAsked> = ways
        .iter()
        .map(|asked| {
            let columns: Vec<GridColumn> = columns
                .iter()
                .filter(|column| column.asked() == *asked)
                .cloned()
                .collect();
            lay_out_asked(results, (asked, &columns), (&scales, &mut *names), files)
        })
        .collect();
    let questions = distinct(
        columns
            .iter()
            .map(|column| (&column.model, column.task_title())),
    );
    let tasks = questions
        .into_iter()
        .enumerate()
        .map(|(place, (model, task))| {
            let of: Vec<GridColumn> = columns
                .iter()
                .filter(|column| column.model == *model && column.task_title() == task)
                .cloned()
                .collect();
            let id = format!("block-{}", place + 1);
            lay_out_task(results, (id, &of), (&scales, &mut *names), files)
        });
    let tasks: Vec<PageTask> = tasks.collect();
    let rows = (!results.rows.is_empty()).then(|| files.others.table(tables::of_rows(results)));
    GridPage {
        title: title.to_owned(),
        subtitle: describe_size(results),
        summary: summarise(results),
        missing: notes.iter().chain(&results.missing).cloned().collect(),
        caveats: results.caveats.clone(),
        overview,
        contents: contents(&tasks),
        tasks,
        rows,
        runs: results.members.iter().map(lay_out_run).collect(),
    }
}

fn lay_out_asked(
    results: &GridResults,
    (asked, columns): (&Asked, &[GridColumn]),
    (scales, names): (&ChangeScales, &mut FileNames),
    files: &mut GridFiles,
) -> PageAsked {
    let table = tables::by_model_and_task(results, asked, columns, names);
    let figure = figures::by_model_and_task(results, asked, columns, scales, names);
    PageAsked {
        title: capital(&describe_way(asked.0, asked.1)),
        table: keep(table, files),
        wide: figure.as_ref().is_some_and(is_wide),
        figure: figure.map(|figure| files.others.figure(figure)),
    }
}

/// Whether it takes the whole width.
fn is_wide(figure: &Figure) -> bool {
    figure.width > 600.0
}

fn lay_out_task(
    results: &GridResults,
    (id, columns): (String, &[GridColumn]),
    (scales, names): (&ChangeScales, &mut FileNames),
    files: &mut GridFiles,
) -> PageTask {
    let (model, task) = (&columns[0].model, columns[0].task_title());
    let labels = (columns.len() > 1).then(|| tables::by_labels(results, columns, names));
    let labels = labels.map(|table| keep(table, files));
    let asked = columns.iter().map(|column| {
        let table = tables::by_language(results, column, names);
        let figure = figures::by_language(results, column, scales, names);
        PageAsked {
            title: capital(&describe_way(column.labels, column.prompt)),
            table: keep(table, files),
            wide: figure.as_ref().is_some_and(is_wide),
            figure: figure.map(|figure| files.others.figure(figure)),
        }
    });
    PageTask {
        id,
        title: format!("{model}, {task}"),
        model: model.clone(),
        task,
        asked: asked.collect(),
        labels,
    }
}

/// Keeps a table for its files.
fn keep(table: PaperTable, files: &mut GridFiles) -> super::page::ShownPaperTable {
    let shown = (&table).into();
    files.tables.push(table);
    shown
}

/// Links to the tasks of each model.
fn contents(tasks: &[PageTask]) -> Vec<PageOfModel> {
    let of_models = tasks.chunk_by(|a, b| a.model == b.model);
    of_models
        .map(|of| PageOfModel {
            model: of[0].model.clone(),
            links: of
                .iter()
                .map(|task| PageLink {
                    id: task.id.clone(),
                    title: task.task.clone(),
                })
                .collect(),
        })
        .collect()
}

fn lay_out_run(member: &GridMemberState) -> PageRun {
    let stages = match member.planned {
        0 => String::new(),
        planned => format!("{} of {planned}", member.done),
    };
    PageRun {
        name: member.name.clone(),
        points: list(&member.axes.iter().map(describe_point).collect::<Vec<_>>()),
        stages,
        folder: member.has_page.then(|| member.folder.clone()),
    }
}

fn describe_point(point: &AxisPoint) -> String {
    format!("{} {}", point.axis, point.point)
}

fn describe_size(results: &GridResults) -> String {
    let rows = &results.rows;
    let models = distinct(rows.iter().map(|row| &row.model)).len();
    let tasks = distinct(rows.iter().map(|row| &row.task)).len();
    let tuned = rows.iter().filter(|row| !row.is_base());
    let settings = distinct(tuned.map(|row| &row.setting)).len();
    let ways = distinct(rows.iter().map(|row| (row.labels, row.prompt))).len();
    format!(
        "Grid of {}: {}, {}, {}, {}",
        count(results.members.len(), "run"),
        count(models, "model"),
        count(tasks, "task"),
        count(settings, "setting"),
        count(ways, "way to ask").replace("way to asks", "ways to ask"),
    )
}

/// How many changes are clear, and the largest of each task.
fn summarise(results: &GridResults) -> Vec<String> {
    let tuned: Vec<&GridRow> = results.rows.iter().filter(|row| !row.is_base()).collect();
    if tuned.is_empty() {
        return vec!["No tuned model has answers yet.".to_owned()];
    }
    let clear = |sign: f64| {
        let of_sign = tuned.iter().filter(|row| {
            let is_clear = row.test.is_some_and(|test| test.p_holm < LEVEL);
            is_clear && row.change.is_some_and(|change| change.value * sign > 0.0)
        });
        of_sign.count()
    };
    let untested = match results.families.untested {
        0 => String::new(),
        untested => format!(
            " {} could not be tested, as the languages have different items.",
            count(untested, "change")
        ),
    };
    let losses = match clear(-1.0) {
        1 => "1 loss".to_owned(),
        losses => format!("{losses} losses"),
    };
    vec![
        format!(
            "{} of a mean accuracy from its base model. Clear at p < {LEVEL} after Holm's adjustment over all {} of means in \
             this grid: {} and {losses}.{untested}",
            count(tuned.len(), "change"),
            count(results.families.means, "test"),
            count(clear(1.0), "gain"),
        ),
        describe_ends(&tuned),
    ]
}

/// The largest gain and the largest loss.
fn describe_ends(tuned: &[&GridRow]) -> String {
    let value = |row: &&&GridRow| row.change.map_or(0.0, |change| change.value);
    let by_change = |a: &&&GridRow, b: &&&GridRow| value(a).total_cmp(&value(b));
    let largest = tuned
        .iter()
        .max_by(by_change)
        .filter(|row| value(row) > 0.0);
    let smallest = tuned
        .iter()
        .min_by(by_change)
        .filter(|row| value(row) < 0.0);
    let ends = [("Largest gain", largest), ("Largest loss", smallest)];
    let sentences = ends.into_iter().filter_map(|(what, row)| {
        let column = GridColumn::of(row?);
        Some(format!(
            "{what}: {} points, {} on {} with {} ({}).",
            points_interval(row?.change.as_ref()?, 1),
            column.model,
            column.task_title(),
            line_of(row?, false),
            column.asked_title()
        ))
    });
    sentences.collect::<Vec<String>>().join(" ")
}
