//! Which axes the rows of a grid need to be told apart: model, task, labels, form and setting are
//! columns of their own, so that often no axis is left.
//!
//! Never here: numbers.

use std::collections::{BTreeMap, BTreeSet};

use super::{AxisPoint, GridResults, GridRow, member::MODEL_AXIS};

/// Leaves in each row's variant the points of those axes in which two rows differ that agree in
/// all else. A base that is the same in all of them needs none.
pub(super) fn tell_apart(results: &mut GridResults) {
    let needed = needed_axes(&results.rows);
    for row in &mut results.rows {
        row.variant.retain(|point| needed.contains(&point.axis));
    }
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for row in results.rows.iter_mut().filter(|row| !row.is_base()) {
        if !seen.insert(format!("{:?}{:?}", key(row), row.variant)) {
            // two runs of one point: by name
            row.variant.push(AxisPoint {
                axis: "run".to_owned(),
                point: row.member.clone(),
            });
        }
    }
}

/// Everything that a table shows of a row beside its variant.
fn key(row: &GridRow) -> Vec<String> {
    let trained_on = row.trained_on.clone().unwrap_or_default();
    vec![
        row.model.clone(),
        row.task.clone(),
        trained_on,
        row.labels.to_string(),
        row.prompt.to_string(),
        row.setting.clone(),
    ]
}

fn needed_axes(rows: &[GridRow]) -> BTreeSet<String> {
    let mut groups: BTreeMap<Vec<String>, Vec<&GridRow>> = BTreeMap::new();
    for row in rows {
        groups.entry(key(row)).or_default().push(row);
    }
    let mut needed = BTreeSet::new();
    for group in groups.values() {
        let first = group[0];
        for other in &group[1..] {
            let is_same_base = first.is_base() && has_same_numbers(first, other);
            let differing = differing_axes(first, other);
            needed.extend(differing.into_iter().filter(|_| !is_same_base));
        }
    }
    needed.remove(MODEL_AXIS);
    needed
}

/// Whether two bases answered alike in all languages.
fn has_same_numbers(a: &GridRow, b: &GridRow) -> bool {
    let numbers = |row: &GridRow| -> Vec<_> {
        let languages = row.languages.iter();
        languages
            .map(|of| (of.language, of.items, of.accuracy.value.to_bits()))
            .collect()
    };
    numbers(a) == numbers(b)
}

fn differing_axes(a: &GridRow, b: &GridRow) -> Vec<String> {
    let of_a: BTreeMap<&str, &str> = as_map(&a.variant);
    let of_b: BTreeMap<&str, &str> = as_map(&b.variant);
    let axes: BTreeSet<&str> = of_a.keys().chain(of_b.keys()).copied().collect();
    axes.into_iter()
        .filter(|axis| of_a.get(axis) != of_b.get(axis))
        .map(str::to_owned)
        .collect()
}

fn as_map(points: &[AxisPoint]) -> BTreeMap<&str, &str> {
    let points = points.iter();
    points
        .map(|point| (point.axis.as_str(), point.point.as_str()))
        .collect()
}
