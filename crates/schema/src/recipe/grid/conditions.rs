//! `grid.leave_out`: which combinations, or which adapters of them, are not made.

use super::{
    super::{
        AdapterPlan,
        file::{TomlValue, WrittenTable, WrittenValue},
        problem::{Problem, ValueOrigin, unknown_word},
    },
    Grid,
    axes::Axis,
};
use crate::{setting::Setting, task::Task};

/// Its key in `[grid]`.
pub(super) const KEY: &str = "leave_out";
/// What a condition may name beside the axes.
const OF_ADAPTERS: [&str; 3] = ["setting", "seed", "task"];

/// One table of the list: what all of its keys name is left out.
pub(super) struct Condition {
    pub(super) origin: ValueOrigin,
    /// Each key with the values that it names.
    keys: Vec<(String, Vec<String>)>,
    /// Keys that are axes.
    axes: Vec<String>,
}

impl Condition {
    /// Whether it names these points; axes that it does not speak of may have any.
    pub(super) fn is_met_by(&self, points: &[(String, String)]) -> bool {
        self.keys.iter().all(|(key, values)| {
            let point = points.iter().find(|(axis, _)| axis == key);
            point.is_none_or(|(_, point)| values.contains(point))
        })
    }

    /// Whether it speaks of axes alone.
    pub(super) fn is_of_whole_members(&self) -> bool {
        self.keys.iter().all(|(key, _)| self.axes.contains(key))
    }

    /// Whether its other keys name this adapter.
    pub(super) fn names(&self, plan: &AdapterPlan) -> bool {
        let others = self.keys.iter().filter(|(key, _)| !self.axes.contains(key));
        others.into_iter().all(|(key, values)| match key.as_str() {
            "setting" => values
                .iter()
                .any(|value| value.parse::<Setting>().as_ref() == Ok(&plan.setting)),
            "seed" => values.contains(&plan.seed.to_string()),
            _ => values
                .iter()
                .any(|value| value == Task::name_of(&plan.task) || *value == plan.task),
        })
    }
}

pub(super) fn read(entry: Option<WrittenValue>, problems: &mut Vec<Problem>) -> Vec<Condition> {
    let Some(entry) = entry else {
        return Vec::new();
    };
    let mut refuse = |message: &str, origin| {
        problems.push(Problem::new("grid.leave_out", message, origin));
    };
    let TomlValue::List(list) = entry.value else {
        refuse(
            "must be a list of tables such as { model = \"a\", seed = 2 }",
            entry.origin,
        );
        return Vec::new();
    };
    let mut conditions = Vec::new();
    for item in list {
        let origin = item.origin;
        match item.value {
            TomlValue::Table(table) if !table.is_empty() => match read_condition(table, origin) {
                Ok(condition) => conditions.push(condition),
                Err(message) => refuse(&message, origin),
            },
            _ => refuse(
                "must be a table such as { model = \"a\", seed = 2 }",
                origin,
            ),
        }
    }
    conditions
}

fn read_condition(table: WrittenTable, origin: ValueOrigin) -> Result<Condition, String> {
    let mut keys = Vec::new();
    for (key, entry) in table {
        let values = match entry.value {
            TomlValue::List(list) => list,
            value => vec![WrittenValue { value, ..entry }],
        };
        let texts: Option<Vec<String>> = values
            .iter()
            .map(|value| read_value(&value.value))
            .collect();
        let texts = texts.ok_or_else(|| format!("`{key}`: must be a value or a list of values"))?;
        keys.push((key, texts));
    }
    Ok(Condition {
        origin,
        keys,
        axes: Vec::new(),
    })
}

fn read_value(value: &TomlValue) -> Option<String> {
    match value {
        TomlValue::Text(text) => Some(text.clone()),
        TomlValue::Whole(whole) => Some(whole.to_string()),
        TomlValue::Number(number) => Some(format!("{number}")),
        TomlValue::Switch(switch) => Some(switch.to_string()),
        _ => None,
    }
}

/// Every key is an axis or something of adapters, and every point exists.
pub(super) fn check_names(
    conditions: &mut [Condition],
    axes: &[Axis],
    problems: &mut Vec<Problem>,
) {
    let mut known: Vec<&str> = axes.iter().map(|axis| axis.name.as_str()).collect();
    known.extend(
        OF_ADAPTERS
            .iter()
            .filter(|key| !known.contains(*key))
            .copied()
            .collect::<Vec<_>>(),
    );
    for condition in conditions {
        for (key, values) in &condition.keys {
            let mut refuse = |message: String| {
                problems.push(Problem::new("grid.leave_out", &message, condition.origin));
            };
            let Some(axis) = axes.iter().find(|axis| axis.name == *key) else {
                if !OF_ADAPTERS.contains(&key.as_str()) {
                    refuse(format!("`{key}` is no axis: {}", unknown_word(key, &known)));
                }
                continue;
            };
            condition.axes.push(key.clone());
            let points: Vec<&str> = axis
                .points
                .iter()
                .map(|point| point.name.as_str())
                .collect();
            for value in values
                .iter()
                .filter(|value| !points.contains(&value.as_str()))
            {
                refuse(format!("`{key}`: {}", unknown_word(value, &points)));
            }
        }
    }
}

/// Conditions on adapters that name none: most likely a misspelt one.
pub(super) fn find_idle(conditions: &[Condition], grid: &Grid) -> Vec<Problem> {
    let names_any = |condition: &Condition| {
        grid.members.iter().any(|member| {
            let plans = member.recipe.adapters();
            condition.is_met_by(&member.points) && plans.iter().any(|plan| condition.names(plan))
        })
    };
    conditions
        .iter()
        .filter(|condition| !condition.is_of_whole_members() && !names_any(condition))
        .map(|condition| {
            Problem::new(
                "grid.leave_out",
                "names no adapter of the grid",
                condition.origin,
            )
        })
        .collect()
}
