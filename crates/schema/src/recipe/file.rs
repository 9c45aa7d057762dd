//! The recipe as written: the TOML file's values and the `--set` overrides in one tree, each
//! value with its line. Never here: which keys there are and what they may hold (`check`).

use std::{
    collections::BTreeMap,
    fs,
    ops::Range,
    path::{Path, PathBuf},
};

use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

use super::problem::{Problem, RecipeError, ValueOrigin};

/// A grid's points are tables in lists, whose keys may be written as sections; what lies deeper is
/// no recipe and is not walked.
const DEEPEST: usize = 7;
/// The section of a recipe that stands for several.
pub(super) const GRID: &str = "grid";
/// Parts of a dotted key: `train.lora.rank`.
const MOST_PARTS: usize = 3;

/// A file before any check but that of its syntax.
#[derive(Clone)]
pub(super) struct RecipeFile {
    /// Its path: relative paths in it start from this folder.
    pub(super) path: PathBuf,
    /// What is in it, overrides applied.
    pub(super) table: WrittenTable,
    /// The overrides as given.
    pub(super) overrides: Vec<String>,
    /// Overrides that cannot be applied.
    pub(super) problems: Vec<Problem>,
}

pub(super) type WrittenTable = BTreeMap<String, WrittenValue>;

/// A value and where it was written.
#[derive(Clone)]
pub(super) struct WrittenValue {
    pub(super) value: TomlValue,
    pub(super) origin: ValueOrigin,
    /// What was typed after `--set key=`: a key that wants text takes `2024` as text, without
    /// quotes.
    pub(super) typed: Option<String>,
}

/// The kinds of TOML that a recipe uses.
#[derive(Clone)]
pub(super) enum TomlValue {
    Text(String),
    Whole(i128),
    Number(f64),
    Switch(bool),
    List(Vec<WrittenValue>),
    Table(WrittenTable),
    /// Anything else, by what it is called in a message.
    Other(&'static str),
}

impl RecipeFile {
    pub(super) fn read(path: &Path, overrides: &[(String, String)]) -> Result<Self, RecipeError> {
        let bytes = fs::read(path).map_err(|source| RecipeError::Read {
            path: path.to_owned(),
            source,
        })?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(&error.as_bytes()[..valid]);
            syntax_error(
                path,
                &text,
                valid,
                "a byte that is not UTF-8; save the file as UTF-8",
            )
        })?;
        Self::parse(path, &text, overrides)
    }

    pub(super) fn parse(
        path: &Path,
        text: &str,
        overrides: &[(String, String)],
    ) -> Result<Self, RecipeError> {
        let document = DeTable::parse(text).map_err(|error| {
            syntax_error(
                path,
                text,
                error.span().unwrap_or_default().start,
                error.message(),
            )
        })?;
        let lines = Lines::of(text);
        let table = convert_table(
            document.into_inner(),
            &|span| ValueOrigin::Line(lines.number(span.start)),
            0,
        );
        let mut file = Self {
            path: path.to_owned(),
            table,
            overrides: Vec::new(),
            problems: Vec::new(),
        };
        for (key, value) in overrides {
            file.apply(key.trim(), value);
        }
        Ok(file)
    }

    /// One `--set key=value`.
    fn apply(&mut self, key: &str, typed: &str) {
        self.overrides.push(format!("{key}={typed}"));
        self.insert(key, convert_override(typed));
    }

    /// Gives a dotted key a value, whatever it had.
    pub(super) fn insert(&mut self, key: &str, value: WrittenValue) {
        let origin = value.origin;
        match key {
            // They are two ways to say one thing: the override replaces either.
            "seed" => drop(self.table.remove("seeds")),
            "seeds" => drop(self.table.remove("seed")),
            _ => {}
        }
        let parts: Vec<&str> = key.split('.').collect();
        if parts.contains(&"") || parts.len() > MOST_PARTS {
            let message = "no such key; write it with dots, as in `train.epochs`";
            return self.refuse(key, message, origin);
        }
        let (last, sections) = (parts[parts.len() - 1], &parts[..parts.len() - 1]);
        let mut table = &mut self.table;
        for (depth, section) in sections.iter().enumerate() {
            let entry = table
                .entry((*section).to_owned())
                .or_insert_with(|| WrittenValue {
                    value: TomlValue::Table(WrittenTable::new()),
                    origin,
                    typed: None,
                });
            match &mut entry.value {
                TomlValue::Table(inner) => table = inner,
                _ => {
                    return self.refuse(
                        key,
                        &format!(
                            "no such key; `{}` is no section",
                            sections[..=depth].join(".")
                        ),
                        origin,
                    );
                }
            }
        }
        table.insert(last.to_owned(), value);
    }

    fn refuse(&mut self, key: &str, message: &str, origin: ValueOrigin) {
        self.problems.push(Problem::new(key, message, origin));
    }
}

/// A TOML value if it is one, else text: paths and words need no second quotes in a shell.
fn convert_override(typed: &str) -> WrittenValue {
    let value = match DeValue::parse(typed) {
        Ok(value) => convert(value.into_inner(), &|_| ValueOrigin::Set, 1),
        Err(_) => TomlValue::Text(typed.to_owned()),
    };
    WrittenValue {
        value,
        origin: ValueOrigin::Set,
        typed: Some(typed.to_owned()),
    }
}

fn convert_table(
    table: DeTable<'_>,
    origin: &dyn Fn(Range<usize>) -> ValueOrigin,
    depth: usize,
) -> WrittenTable {
    let entry = |(key, value): (Spanned<DeString<'_>>, Spanned<DeValue<'_>>)| {
        let origin_here = origin(key.span());
        let value = convert(value.into_inner(), origin, depth + 1);
        (
            key.into_inner().into_owned(),
            WrittenValue {
                value,
                origin: origin_here,
                typed: None,
            },
        )
    };
    table.into_iter().map(entry).collect()
}

fn convert(
    value: DeValue<'_>,
    origin: &dyn Fn(Range<usize>) -> ValueOrigin,
    depth: usize,
) -> TomlValue {
    match value {
        DeValue::String(text) => TomlValue::Text(text.into_owned()),
        DeValue::Integer(whole) => match i128::from_str_radix(whole.as_str(), whole.radix()) {
            Ok(whole) => TomlValue::Whole(whole),
            Err(_) => TomlValue::Other("a number with too many digits"),
        },
        DeValue::Float(number) => match number.as_str().parse() {
            Ok(number) => TomlValue::Number(number),
            Err(_) => TomlValue::Other("a number that cannot be read"),
        },
        DeValue::Boolean(switch) => TomlValue::Switch(switch),
        DeValue::Datetime(_) => TomlValue::Other("a date"),
        DeValue::Array(_) | DeValue::Table(_) if depth >= DEEPEST => {
            TomlValue::Other("a deeply nested value")
        }
        DeValue::Array(list) => {
            let entry = |item: Spanned<DeValue<'_>>| WrittenValue {
                origin: origin(item.span()),
                value: convert(item.into_inner(), origin, depth + 1),
                typed: None,
            };
            TomlValue::List(list.into_iter().map(entry).collect())
        }
        DeValue::Table(table) => TomlValue::Table(convert_table(table, origin, depth)),
    }
}

fn syntax_error(path: &Path, text: &str, offset: usize, message: &str) -> RecipeError {
    let lines = Lines::of(text);
    let line = lines.number(offset);
    let column = text
        .get(lines.0[line - 1]..offset)
        .map_or(0, |before| before.chars().count())
        + 1;
    let message = Problem::new("", message, ValueOrigin::Absent).message;
    RecipeError::Syntax {
        path: path.to_owned(),
        line,
        column,
        message,
    }
}

/// Byte offsets at which lines begin.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(
            [0].into_iter()
                .chain(text.match_indices('\n').map(|(at, _)| at + 1))
                .collect(),
        )
    }

    /// Line of a byte, from 1.
    fn number(&self, offset: usize) -> usize {
        self.0.partition_point(|&start| start <= offset)
    }
}
