//! The axes of `[grid]`: a key and its values, or tables of keys that go together. Never here:
//! whether a value is one that its key takes (`check`, for each member).

use std::collections::BTreeSet;

use super::super::{
    file::{GRID, RecipeFile, TomlValue, WrittenTable, WrittenValue},
    problem::{Problem, ValueOrigin, shorten},
};

/// Both `train.tasks` and `eval.tasks`.
pub(super) const TASK: &str = "task";
/// What a point is called, in a table.
const NAME: &str = "name";
/// Bytes of a point's part of a folder's name.
const LONGEST: usize = 40;

/// A list in `[grid]`.
pub(super) struct Axis {
    pub(super) name: String,
    pub(super) origin: ValueOrigin,
    pub(super) points: Vec<Point>,
}

/// One entry of the list.
pub(super) struct Point {
    /// As conditions and tables call it.
    pub(super) name: String,
    /// Dotted keys and their values.
    pub(super) keys: Vec<(String, WrittenValue)>,
}

/// The axes: the model, the task, then the others by name, wherever and however they are given: a
/// member's folder is the same with `--set`.
pub(super) fn read(table: WrittenTable, problems: &mut Vec<Problem>) -> Vec<Axis> {
    let mut entries: Vec<(String, WrittenValue)> = table.into_iter().collect();
    entries.sort_by_key(|(name, _)| (name != "model", name != TASK, name.clone()));
    let mut axes: Vec<Axis> = Vec::new();
    for (name, entry) in entries {
        match read_axis(&name, entry) {
            Ok(axis) => axes.push(axis),
            Err((message, origin)) => {
                problems.push(Problem::new(&format!("{GRID}.{name}"), &message, origin));
            }
        }
    }
    refuse_shared_keys(&axes, problems);
    axes
}

fn read_axis(name: &str, entry: WrittenValue) -> Result<Axis, (String, ValueOrigin)> {
    let origin = entry.origin;
    let TomlValue::List(list) = entry.value else {
        let message = "must be a list of values, or of tables of keys that go together".to_owned();
        return Err((message, origin));
    };
    if list.is_empty() {
        return Err(("must have at least one value".to_owned(), origin));
    }
    let mut points: Vec<Point> = Vec::new();
    for value in list {
        let place = value.origin;
        let point = read_point(name, value).map_err(|message| (message, place))?;
        if points.iter().any(|known| known.name == point.name) {
            let message = format!("`{}` is there twice", shorten(&point.name));
            return Err((message, place));
        }
        points.push(point);
    }
    Ok(Axis {
        name: name.to_owned(),
        origin,
        points,
    })
}

fn read_point(axis: &str, value: WrittenValue) -> Result<Point, String> {
    let TomlValue::Table(mut table) = value.value else {
        let name = describe(&value.value);
        let keys = vec![(axis.to_owned(), value)];
        return Ok(Point { name, keys });
    };
    let given = match table.remove(NAME).map(|entry| entry.value) {
        Some(TomlValue::Text(name)) => Some(name),
        Some(_) => return Err("`name` must be a text".to_owned()),
        None => None,
    };
    let mut keys = Vec::new();
    flatten("", table, &mut keys);
    if keys.is_empty() {
        return Err("a table that sets no key of the recipe".to_owned());
    }
    let own = keys.iter().find(|(key, _)| key == axis);
    let named = given.or_else(|| own.map(|(_, value)| describe(&value.value)));
    let name = named.unwrap_or_else(|| {
        let said = keys
            .iter()
            .map(|(key, value)| format!("{key}={}", describe(&value.value)));
        said.collect::<Vec<_>>().join(",")
    });
    Ok(Point { name, keys })
}

/// `{ train.lora.rank = 4 }` and `{ "train.lora.rank" = 4 }` are the same.
fn flatten(prefix: &str, table: WrittenTable, keys: &mut Vec<(String, WrittenValue)>) {
    for (key, entry) in table {
        let key = format!("{prefix}{key}");
        match entry.value {
            TomlValue::Table(inner) => flatten(&format!("{key}."), inner, keys),
            _ => keys.push((key, entry)),
        }
    }
}

/// A value as a short text; a model's folder or file by its name alone.
fn describe(value: &TomlValue) -> String {
    match value {
        TomlValue::Text(text) => text.clone(),
        TomlValue::Whole(whole) => whole.to_string(),
        TomlValue::Number(number) => format!("{number}"),
        TomlValue::Switch(switch) => switch.to_string(),
        TomlValue::List(list) => {
            let items: Vec<String> = list.iter().map(|item| describe(&item.value)).collect();
            items.join("+")
        }
        TomlValue::Table(_) => "table".to_owned(),
        TomlValue::Other(what) => (*what).to_owned(),
    }
}

/// No key has its value from two axes.
fn refuse_shared_keys(axes: &[Axis], problems: &mut Vec<Problem>) {
    let mut known: Vec<(BTreeSet<&str>, &str)> = Vec::new();
    for axis in axes {
        let keys = keys_of(axis);
        for (others, other) in &known {
            if let Some(key) = keys.intersection(others).next() {
                let message =
                    format!("`{key}` is set by the axis `{other}` too; let one of them set it");
                problems.push(Problem::new(
                    &format!("{GRID}.{}", axis.name),
                    &message,
                    axis.origin,
                ));
            }
        }
        known.push((keys, &axis.name));
    }
}

/// The recipe's keys that an axis sets.
fn keys_of(axis: &Axis) -> BTreeSet<&str> {
    let keys = axis.points.iter().flat_map(|point| &point.keys);
    keys.flat_map(|(key, _)| match key.as_str() {
        TASK => ["train.tasks", "eval.tasks"].as_slice().to_vec(),
        key => vec![key],
    })
    .collect()
}

/// A `--set` of a key that an axis sets would be without effect.
pub(super) fn refuse_overrides(axes: &[Axis], file: &RecipeFile, problems: &mut Vec<Problem>) {
    for axis in axes {
        for key in keys_of(axis) {
            let is_set = |given: &String| given.split('=').next() == Some(key);
            if file.overrides.iter().any(is_set) {
                let message = format!(
                    "has no effect: the axis `{}` gives its values; use `--set '{GRID}.{}=[...]'`",
                    axis.name, axis.name
                );
                problems.push(Problem::new(key, &message, ValueOrigin::Set));
            }
        }
    }
}

/// Sets a key of the recipe to a point's value.
pub(super) fn apply(file: &mut RecipeFile, key: &str, value: &WrittenValue) {
    if key != TASK {
        return file.insert(key, value.clone());
    }
    let tasks = match &value.value {
        TomlValue::List(_) => value.clone(),
        _ => WrittenValue {
            value: TomlValue::List(vec![value.clone()]),
            ..value.clone()
        },
    };
    if file.table.contains_key("train") {
        file.insert("train.tasks", tasks.clone());
    }
    file.insert("eval.tasks", tasks);
}

/// For each point its part of a folder's name, such that no two points of an axis share one.
pub(super) fn unique_names(axes: &[Axis]) -> Vec<Vec<String>> {
    axes.iter().map(name_points).collect()
}

fn name_points(axis: &Axis) -> Vec<String> {
    // A number says nothing without its key: `rank8`.
    let key = axis.name.rsplit('.').next().unwrap_or_default();
    let mut names: Vec<String> = Vec::new();
    for point in &axis.points {
        let is_number = point
            .name
            .starts_with(|c: char| c.is_ascii_digit() || c == '-')
            || ["true", "false"].contains(&point.name.as_str());
        let whole = match is_number && key != "model" {
            true => format!("{key}{}", point.name),
            false => point.name.trim_end_matches(".gguf").to_owned(),
        };
        let short = whole.rsplit(['/', '\\']).next().unwrap_or_default();
        let mut name = clean(short);
        let mut number = 1;
        while names.contains(&name) {
            number += 1;
            name = format!("{}-{number}", clean(short));
        }
        names.push(name);
    }
    names
}

/// Letters, digits and a few signs.
fn clean(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars() {
        let c = match c {
            c if c.is_alphanumeric() || c == '_' => c,
            '.' if !name.is_empty() => '_',
            _ => '-',
        };
        let is_double = c == '-' && (name.is_empty() || name.ends_with('-'));
        if !is_double && name.len() + c.len_utf8() <= LONGEST {
            name.push(c);
        }
    }
    match name.trim_end_matches('-') {
        "" => "point".to_owned(),
        name => name.to_owned(),
    }
}
