//! Which tables a report has: the overview, settings x languages as the paper prints it, and one per setting.

use std::collections::BTreeMap;

use schema::Language;

use crate::{
    change::{BeforeAfter, Changes, LanguageChange, MeanChange},
    format::{area, or_dash, p_value, percent, points_interval},
    results::{Block, Level, Results, SettingResult},
    stats::{Estimate, standard_deviation},
    table::{Row, Table, csv_number},
};

fn row(cells: impl IntoIterator<Item = String>, strong: bool) -> Row {
    Row { cells: cells.into_iter().collect(), strong }
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
pub(crate) fn overview(results: &Results) -> Table {
    let columns =
        ["task", "labels", "setting", "languages", "mean", "change [95 %]", "AUC", "calibrated", "seeds", "SD"];
    let caption = "Mean accuracy over languages, %; change from the base in points.";
    let mut table = Table::new("overview", caption, &columns);
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
    results.blocks.iter().for_each(|block| push_block(&mut table, block));
    table
}

fn push_block(table: &mut Table, block: &Block) {
    let base = &block.base;
    let mean_of = |value: fn(&Level) -> Option<f64>| {
        let defined: Vec<f64> = base.languages.iter().filter_map(value).collect();
        (!defined.is_empty()).then(|| crate::stats::mean(defined))
    };
    let (auc, calibrated) = (mean_of(|level| level.auc), mean_of(|level| level.calibrated));
    push_overview(table, block, "base", (base.languages.len(), base.mean), None, (auc, calibrated));
    for setting in &block.settings {
        let mean = &setting.changes.mean;
        let optional = (mean.auc.map(|c| c.after), mean.calibrated.map(|c| c.after));
        push_overview(table, block, &setting.name, (mean.languages, mean.after), Some(&setting.changes), optional);
    }
}

fn push_overview(
    table: &mut Table,
    block: &Block,
    name: &str,
    (languages, mean): (usize, Estimate),
    changes: Option<&Changes>,
    (auc, calibrated): (Option<f64>, Option<f64>),
) {
    let change = changes.map(|changes| changes.mean.change);
    let seeds = changes.map(|changes| changes.seed_changes.len().to_string()).unwrap_or_default();
    let spread = changes.and_then(|changes| standard_deviation(&changes.seed_changes));
    let heads = [block.task.clone(), block.labels.to_string(), name.to_owned(), languages.to_string()];
    let shown = [
        percent(mean.value, 2),
        change.map_or_else(String::new, |change| points_interval(&change, 2)),
        or_dash(auc, area),
        or_dash(calibrated, |share| percent(share, 2)),
        seeds.clone(),
        spread.map_or_else(String::new, |spread| percent(spread, 2)),
    ];
    table.rows.push(row(heads.iter().cloned().chain(shown), changes.is_none()));
    let change = change.map_or_else(|| [String::new(), String::new(), String::new()], |change| csv_interval(&change));
    let rest =
        [csv_number(auc), csv_number(calibrated.map(|c| 100.0 * c)), seeds, csv_number(spread.map(|s| 100.0 * s))];
    table.csv.push(heads.into_iter().chain(csv_interval(&mean)).chain(change).chain(rest).collect());
}

/// Settings x languages, as the paper's tables 1 and 12.
pub(crate) fn by_language(block: &Block) -> Table {
    let languages: Vec<Language> = block.base.languages.iter().map(|level| level.language).collect();
    let codes = languages.iter().map(|language| language.code());
    let columns: Vec<&str> = ["setting", "mean"].into_iter().chain(codes).collect();
    let name = format!("{}.{}", block.task, block.labels);
    let mut table = Table::new(name, "Accuracy by language, %; mean over seeds.", &columns);
    table.csv.push(owned(&columns));
    let mut push = |name: &str, accuracies: &BTreeMap<Language, f64>, mean: f64| {
        let each: Vec<Option<f64>> = languages.iter().map(|language| accuracies.get(language).copied()).collect();
        let shown = each.iter().map(|share| or_dash(*share, |share| percent(share, 1)));
        table.rows.push(row([name.to_owned(), percent(mean, 2)].into_iter().chain(shown), name == "base"));
        let plain = each.iter().map(|share| csv_number(share.map(|share| 100.0 * share)));
        table.csv.push([name.to_owned(), csv_percent(mean)].into_iter().chain(plain).collect());
    };
    let base = block.base.languages.iter().map(|level| (level.language, level.accuracy.value)).collect();
    push("base", &base, block.base.mean.value);
    for setting in &block.settings {
        let after = setting.changes.languages.iter().map(|l| (l.language, l.after.value)).collect();
        push(&setting.name, &after, setting.changes.mean.after.value);
    }
    table
}

/// Languages x measures of one setting.
pub(crate) fn of_setting(block: &Block, setting: &SettingResult) -> Table {
    let name = format!("{}.{}.{}", block.task, block.labels, setting.slug);
    of_changes(name, &setting.changes)
}

/// Languages x measures of one change.
pub(crate) fn of_changes(name: String, changes: &Changes) -> Table {
    let has_seeds = changes.seed_changes.len() > 1;
    let mut columns = vec![
        "language",
        "items",
        "before",
        "after",
        "change [95 %]",
        "p",
        "p Holm",
        "AUC before",
        "AUC after",
        "calibrated before",
        "calibrated after",
    ];
    if has_seeds {
        columns.push("seeds");
    }
    let caption = "Accuracy in %, change in points with its 95 % interval, exact McNemar p and the same after Holm, \
                   AUC, calibrated accuracy in %. ▪: seen in training.";
    let mut table = Table::new(name, caption, &columns);
    table.csv.push(owned(&CSV_COLUMNS));
    for language in &changes.languages {
        table.rows.push(language_row(language, has_seeds));
        table.csv.push(language_csv(language));
    }
    let means = [("mean", Some(&changes.mean)), ("mean of seen", changes.seen.as_ref())];
    for (name, mean) in means.into_iter().chain([("mean of unseen", changes.unseen.as_ref())]) {
        if let Some(mean) = mean {
            table.rows.push(mean_row(name, mean, has_seeds));
            table.csv.push(mean_csv(name, mean));
        }
    }
    table
}

const CSV_COLUMNS: [&str; 26] = [
    "language",
    "seen",
    "items",
    "before",
    "before_low",
    "before_high",
    "after",
    "after_low",
    "after_high",
    "change",
    "change_low",
    "change_high",
    "p",
    "p_holm",
    "auc_before",
    "auc_after",
    "auc_change",
    "auc_change_low",
    "auc_change_high",
    "calibrated_before",
    "calibrated_after",
    "calibrated_change",
    "calibrated_change_low",
    "calibrated_change_high",
    "seed_min",
    "seed_max",
];

fn language_row(of: &LanguageChange, has_seeds: bool) -> Row {
    let mark = if of.seen { " ▪" } else { "" };
    let heads = [format!("{} ({}){mark}", of.language.name(), of.language), of.items.to_string()];
    let accuracy = [percent(of.before.value, 1), percent(of.after.value, 1), points_interval(&of.change, 1)];
    let tests = [p_value(of.p), p_value(of.p_holm)];
    let (low, high) = seed_range(of);
    let seeds = has_seeds.then(|| format!("{}–{}", percent(low, 1), percent(high, 1)));
    let optional = optional_cells(of.auc.as_ref(), of.calibrated.as_ref());
    row(heads.into_iter().chain(accuracy).chain(tests).chain(optional).chain(seeds), false)
}

fn mean_row(name: &str, of: &MeanChange, has_seeds: bool) -> Row {
    let heads = [format!("{name} ({})", of.languages), String::new()];
    let accuracy = [percent(of.before.value, 1), percent(of.after.value, 1), points_interval(&of.change, 1)];
    let optional = optional_cells(of.auc.as_ref(), of.calibrated.as_ref());
    let seeds = has_seeds.then(String::new);
    row(heads.into_iter().chain(accuracy).chain([String::new(), String::new()]).chain(optional).chain(seeds), true)
}

fn optional_cells(auc: Option<&BeforeAfter>, calibrated: Option<&BeforeAfter>) -> [String; 4] {
    let show_percent = |share| percent(share, 1);
    [
        or_dash(auc.map(|c| c.before), area),
        or_dash(auc.map(|c| c.after), area),
        or_dash(calibrated.map(|c| c.before), show_percent),
        or_dash(calibrated.map(|c| c.after), show_percent),
    ]
}

fn language_csv(of: &LanguageChange) -> Vec<String> {
    let heads = [of.language.to_string(), of.seen.to_string(), of.items.to_string()];
    let (low, high) = seed_range(of);
    heads
        .into_iter()
        .chain(csv_interval(&of.before))
        .chain(csv_interval(&of.after))
        .chain(csv_interval(&of.change))
        .chain([csv_number(Some(of.p)), csv_number(Some(of.p_holm))])
        .chain(optional_csv(of.auc.as_ref(), 1.0))
        .chain(optional_csv(of.calibrated.as_ref(), 100.0))
        .chain([csv_percent(low), csv_percent(high)])
        .collect()
}

fn mean_csv(name: &str, of: &MeanChange) -> Vec<String> {
    let heads = [name.to_owned(), String::new(), String::new()];
    let none = || [String::new(), String::new()];
    heads
        .into_iter()
        .chain(csv_interval(&of.before))
        .chain(csv_interval(&of.after))
        .chain(csv_interval(&of.change))
        .chain(none())
        .chain(optional_csv(of.auc.as_ref(), 1.0))
        .chain(optional_csv(of.calibrated.as_ref(), 100.0))
        .chain(none())
        .collect()
}

fn optional_csv(of: Option<&BeforeAfter>, scale: f64) -> [String; 5] {
    let number = |value: fn(&BeforeAfter) -> f64| csv_number(of.map(|of| scale * value(of)));
    [
        number(|of| of.before),
        number(|of| of.after),
        number(|of| of.change.value),
        number(|of| of.change.low),
        number(|of| of.change.high),
    ]
}

fn seed_range(of: &LanguageChange) -> (f64, f64) {
    let fold = |pick: fn(f64, f64) -> f64| of.after_seeds.iter().copied().fold(f64::NAN, pick);
    (fold(f64::min), fold(f64::max))
}

/// The base alone, where nothing was trained.
pub(crate) fn of_base(block: &Block) -> Table {
    let name = format!("{}.{}.base", block.task, block.labels);
    let mut table = Table::new(
        name,
        "The base model: accuracy in % with Wilson's 95 % interval, AUC, calibrated accuracy in %.",
        &["language", "items", "accuracy", "95 %", "AUC", "calibrated"],
    );
    table.csv.push(owned(&["language", "items", "accuracy", "accuracy_low", "accuracy_high", "auc", "calibrated"]));
    let bounds = |e: &Estimate| format!("{}–{}", percent(e.low, 1), percent(e.high, 1));
    for level in &block.base.languages {
        let name = format!("{} ({})", level.language.name(), level.language);
        let accuracy = [percent(level.accuracy.value, 1), bounds(&level.accuracy)];
        let rest = [or_dash(level.auc, area), or_dash(level.calibrated, |share| percent(share, 1))];
        table.rows.push(row([name, level.items.to_string()].into_iter().chain(accuracy).chain(rest), false));
        let plain = [csv_number(level.auc), csv_number(level.calibrated.map(|c| 100.0 * c))];
        let heads = [level.language.to_string(), level.items.to_string()];
        table.csv.push(heads.into_iter().chain(csv_interval(&level.accuracy)).chain(plain).collect());
    }
    let mean = &block.base.mean;
    let heads = [format!("mean ({})", block.base.languages.len()), String::new()];
    let shown = [percent(mean.value, 1), bounds(mean), String::new(), String::new()];
    table.rows.push(row(heads.into_iter().chain(shown), true));
    let heads = ["mean".to_owned(), String::new()];
    table.csv.push(heads.into_iter().chain(csv_interval(mean)).chain([String::new(), String::new()]).collect());
    table
}
