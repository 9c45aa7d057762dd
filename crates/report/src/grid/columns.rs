//! What the rows of a grid are laid out by: a column is a model asked one task in one way, a line
//! a setting; and names of files.
//!
//! Never here: tables, figures.

use std::collections::BTreeSet;

use compare::grid::GridRow;
use schema::{LabelSet, PromptForm};

/// A model asked one task, untrained or trained on one task's questions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GridColumn {
    pub model: String,
    pub task: String,
    /// `None`: the task itself.
    pub trained_on: Option<String>,
    pub labels: LabelSet,
    pub prompt: PromptForm,
}

/// A label set in one form of the prompts.
pub(crate) type Asked = (LabelSet, PromptForm);

impl GridColumn {
    pub(crate) fn of(row: &GridRow) -> Self {
        let trained_on = row.trained_on.clone();
        Self {
            model: row.model.clone(),
            task: row.task.clone(),
            trained_on: trained_on.filter(|trained| *trained != row.task),
            labels: row.labels,
            prompt: row.prompt,
        }
    }

    /// The task, and what was learnt where it is another one.
    pub(crate) fn task_title(&self) -> String {
        match &self.trained_on {
            Some(trained) => format!("{} (trained on {trained})", self.task),
            None => self.task.clone(),
        }
    }

    /// The label words, and the form where it is not the plain one.
    pub(crate) fn asked_title(&self) -> String {
        describe_asked(&self.asked())
    }

    /// The same for the head of a column.
    pub(crate) fn asked_short(&self) -> String {
        match self.prompt {
            PromptForm::Plain => self.labels.to_string(),
            form => format!("{}, {form}", self.labels),
        }
    }

    pub(crate) fn asked(&self) -> Asked {
        (self.labels, self.prompt)
    }

    /// Whether a row belongs in it: a setting by what it learnt, a base in all of its questions.
    fn holds(&self, row: &GridRow) -> bool {
        let of_row = Self::of(row);
        let own = Self {
            trained_on: match row.is_base() {
                true => self.trained_on.clone(),
                false => of_row.trained_on,
            },
            ..of_row
        };
        own == *self
    }
}

/// `english labels`; with the form where it is not the plain one.
pub(crate) fn describe_asked((labels, prompt): &Asked) -> String {
    match prompt {
        PromptForm::Plain => format!("{labels} labels"),
        form => format!("{labels} labels, {form}"),
    }
}

/// The form as part of a file's name; empty for the plain one.
pub(crate) fn form_of((_, prompt): &Asked) -> String {
    match prompt.is_plain() {
        true => String::new(),
        false => prompt.to_string(),
    }
}

/// The columns of all rows, in their order: a base makes one only where nothing was trained.
pub(crate) fn list_columns(rows: &[GridRow]) -> Vec<GridColumn> {
    let of_settings: Vec<GridColumn> = rows
        .iter()
        .filter(|row| !row.is_base())
        .map(GridColumn::of)
        .collect();
    let is_needed = |row: &GridRow| {
        let asks_the_same = |other: &GridColumn| other.holds(row);
        !row.is_base() || !of_settings.iter().any(asks_the_same)
    };
    let needed = rows.iter().filter(|row| is_needed(row));
    distinct(needed.map(GridColumn::of))
}

/// Different values, in the order in which they come.
pub(crate) fn distinct<T: PartialEq>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut found: Vec<T> = Vec::new();
    for value in values {
        if !found.contains(&value) {
            found.push(value);
        }
    }
    found
}

/// The rows of one column, the bases first; a base that several runs have alike is there once.
pub(crate) fn rows_of<'a>(rows: &'a [GridRow], column: &GridColumn) -> Vec<&'a GridRow> {
    let held = rows.iter().filter(|row| column.holds(row));
    let (bases, settings): (Vec<&GridRow>, Vec<&GridRow>) = held.partition(|row| row.is_base());
    let mut found: Vec<&GridRow> = Vec::new();
    for base in bases {
        if !found.iter().any(|other| is_same_base(base, other)) {
            found.push(base);
        }
    }
    found.extend(settings);
    found
}

fn is_same_base(a: &GridRow, b: &GridRow) -> bool {
    a.mean == b.mean && a.languages == b.languages
}

/// The name of a row's line: the setting, and the points that tell it from others.
pub(crate) fn line_of(row: &GridRow, is_only_base: bool) -> String {
    if row.is_base() && is_only_base {
        return row.setting.clone();
    }
    let points = row.variant.iter().map(|point| {
        let axis = point.axis.rsplit('.').next().unwrap_or_default();
        format!(", {axis} {}", point.point)
    });
    format!("{}{}", row.setting, points.collect::<String>())
}

/// Whether a column's base is one for all runs.
pub(crate) fn has_one_base(rows: &[&GridRow]) -> bool {
    rows.iter().filter(|row| row.is_base()).count() < 2
}

/// The lines of some columns: the bases first, then settings as they come.
pub(crate) fn list_lines<'a>(
    rows: &[GridRow],
    columns: impl Iterator<Item = &'a GridColumn>,
) -> Vec<String> {
    let (mut bases, mut settings) = (Vec::new(), Vec::new());
    for column in columns {
        let rows = rows_of(rows, column);
        let is_only_base = has_one_base(&rows);
        for row in rows {
            let line = line_of(row, is_only_base);
            let lines = if row.is_base() {
                &mut bases
            } else {
                &mut settings
            };
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    [bases, settings].concat()
}

/// Names of files, each given once.
#[derive(Default)]
pub(crate) struct FileNames(BTreeSet<String>);

impl FileNames {
    /// A name of the parts with nothing in it that a file system, an address or LaTeX would read
    /// as more than a letter.
    pub(crate) fn take(&mut self, parts: &[&str]) -> String {
        let parts: Vec<String> = parts
            .iter()
            .map(|part| plain(part))
            .filter(|part| !part.is_empty())
            .collect();
        let name = parts.join(".");
        let numbered = (2..).map(|n| format!("{name}.{n}"));
        let mut names = [name.clone()].into_iter().chain(numbered);
        let free = names.find(|name| !self.0.contains(name)).unwrap_or(name);
        self.0.insert(free.clone());
        free
    }
}

fn plain(part: &str) -> String {
    let letters = part.chars().map(|c| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' => c,
        _ => '-',
    });
    let name: String = letters.take(60).collect();
    name.trim_matches(['-', '.']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_given_once() {
        let mut names = FileNames::default();
        let taken = [
            names.take(&["means", "english", ""]),
            names.take(&["org/model", "a b"]),
            names.take(&["org-model", "a/b"]),
            names.take(&["../../x", "\\input{y}"]),
        ];
        assert_eq!(
            taken,
            [
                "means.english",
                "org-model.a-b",
                "org-model.a-b.2",
                "x.input-y"
            ]
        );
    }
}
