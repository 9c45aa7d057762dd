//! Tables of any format as one stream of rows: CSV, TSV, JSON Lines, a JSON list, Parquet.
//!
//! One row is in memory at a time (of Parquet a page of each column), so a file of any size can
//! be read. Never here: what the columns mean.

mod delimited;
mod json_lines;
mod json_list;
mod json_object;
mod parquet;
mod pattern;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use schema::disk::DiskError;
use serde_json::Value;

pub use self::pattern::{ends_like, is_like};
use crate::{DataError, error::quote};

schema::words! {
    /// How a file is written.
    TableFormat {
        /// Comma-separated, fields in double quotes where needed (RFC 4180).
        Csv "csv",
        /// Tab-separated.
        Tsv "tsv",
        /// A JSON list of objects.
        Json "json",
        /// One JSON object per line.
        JsonLines "jsonl",
        /// Apache Parquet.
        Parquet "parquet",
    }
}

impl TableFormat {
    /// The format that a file's extension says: `.csv`, `.tsv`, `.json`, `.jsonl` or `.ndjson`,
    /// `.parquet`.
    pub fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        if extension == "ndjson" {
            Some(Self::JsonLines)
        } else {
            extension.parse().ok()
        }
    }
}

/// What must be known of a file to read it.
#[derive(Clone, Debug, PartialEq)]
pub struct TableLayout {
    /// How it is written.
    pub format: TableFormat,
    /// Of CSV and TSV: whether a field that begins with a double quote ends with one. Published
    /// TSV files mostly do not quote, and have quotes in their texts.
    pub quoted: bool,
    /// Of CSV and TSV without a header: the names of its columns.
    pub columns: Option<Vec<String>>,
}

impl TableLayout {
    /// The usual layout of a format: CSV is quoted, TSV is not, and both have a header.
    pub fn usual(format: TableFormat) -> Self {
        Self {
            format,
            quoted: format == TableFormat::Csv,
            columns: None,
        }
    }
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct TableRow {
    /// From 1, the header not counted.
    pub number: usize,
    /// On which it begins, from 1; none in Parquet.
    pub line: Option<usize>,
    /// Names, in file order; in CSV and Parquet the same for all rows.
    columns: Arc<[String]>,
    cells: Vec<Value>,
}

impl TableRow {
    /// The value of a column; none if the row has no such column. `a.b` is the entry `b` of the
    /// object in column `a` (Hugging Face's `translation.de`), unless a column has that very name;
    /// `a.0` is the first value of the list in column `a`.
    pub fn get(&self, column: &str) -> Option<&Value> {
        if let Some(at) = self.columns.iter().position(|name| name == column) {
            return Some(&self.cells[at]);
        }
        let dots = column.match_indices('.').map(|(at, _)| at);
        dots.filter_map(|at| {
            let outer = self.columns.iter().position(|name| *name == column[..at])?;
            entry(&self.cells[outer], &column[at + 1..])
        })
        .next()
    }

    /// Names of the columns, those of objects with their entries.
    fn all_columns(&self) -> Vec<String> {
        let mut names = Vec::new();
        for (name, cell) in self.columns.iter().zip(&self.cells) {
            match cell {
                Value::Object(object) if !object.is_empty() => {
                    names.extend(object.keys().map(|key| format!("{name}.{key}")));
                }
                _ => names.push(name.clone()),
            }
        }
        names
    }

    /// Whether a column says this word; null and a missing key say the empty one.
    pub fn is_word(&self, column: &str, word: &str) -> bool {
        match self.get(column) {
            None | Some(Value::Null) => word.is_empty(),
            Some(Value::String(text)) => text == word || word.is_empty() && text.trim().is_empty(),
            Some(other) => {
                let written = other.to_string();
                written == word
            }
        }
    }

    /// An error that names this row of `path`.
    pub fn fail(&self, path: &Path, column: Option<&str>, problem: impl Into<String>) -> DataError {
        let (path, column) = (path.to_owned(), column.map(str::to_owned));
        DataError::Row {
            path,
            row: self.number,
            line: self.line,
            column,
            problem: problem.into(),
        }
    }

    /// The column's value, which must be there.
    pub fn need(&self, path: &Path, column: &str) -> Result<&Value, DataError> {
        self.get(column)
            .ok_or_else(|| self.fail(path, None, no_column(column, &self.all_columns())))
    }

    /// The column's text. Anything else, such as a number, is refused, and so is null.
    pub fn text(&self, path: &Path, column: &str) -> Result<&str, DataError> {
        match self.need(path, column)? {
            Value::String(text) => Ok(text),
            other => Err(self.fail(
                path,
                Some(column),
                format!("is {}, not a text", brief(other)),
            )),
        }
    }

    /// The column's text, number or truth value as it is written: a label, a language, an id.
    pub fn word(&self, path: &Path, column: &str) -> Result<String, DataError> {
        match self.need(path, column)? {
            Value::String(text) => Ok(text.clone()),
            value @ (Value::Number(_) | Value::Bool(_)) => Ok(value.to_string()),
            other => Err(self.fail(
                path,
                Some(column),
                format!("is {}, not a word or a number", brief(other)),
            )),
        }
    }
}

/// The entry of an object, or the value at a place in a list; the name may lead on into objects
/// within. Null within null.
fn entry<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    if value.is_null() {
        return Some(value);
    }
    if let Some(found) = value.get(name) {
        return Some(found);
    }
    if let (Value::Array(list), Ok(place)) = (value, name.parse::<usize>()) {
        return list.get(place);
    }
    let dots = name.match_indices('.').map(|(at, _)| at);
    dots.filter_map(|at| entry(value.get(&name[..at])?, &name[at + 1..]))
        .next()
}

/// A value short enough for a message.
pub fn brief(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("`{}...`", &text[..end]),
        None => format!("`{text}`"),
    }
}

fn no_column(column: &str, columns: &[String]) -> String {
    format!(
        "there is no column `{column}`; there is: {}",
        quote(columns)
    )
}

/// Bytes that one row may have; more is most likely a quotation mark or a line end that is missing.
const MOST_BYTES: u64 = 64 << 20;

/// The input of a reader that puts whole rows into memory: it gives up within a row that is too
/// long.
struct RowLimit<R> {
    inner: R,
    /// Bytes that may still be read.
    left: std::rc::Rc<std::cell::Cell<u64>>,
}

impl<R: std::io::Read> std::io::Read for RowLimit<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        match self.left.get().checked_sub(read as u64) {
            Some(left) => self.left.set(left),
            None => return Err(std::io::Error::other(too_long())),
        }
        Ok(read)
    }
}

fn too_long() -> String {
    format!(
        "a row is longer than {} MiB; is a quotation mark or the end of a line missing?",
        MOST_BYTES >> 20
    )
}

/// A file that is read row by row.
pub struct TableReader {
    /// The file.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    rows: RowReader,
}

enum RowReader {
    Delimited(delimited::DelimitedFile),
    Lines(json_lines::JsonLinesFile),
    List(json_list::JsonListFile),
    Parquet(parquet::ParquetFile),
}

impl TableReader {
    /// Opens `path`, of which the columns `wanted` will be read, and those of `optional` that
    /// are there.
    ///
    /// # Errors
    /// The file cannot be read; it is not of this format; it lacks a column, where the format
    /// says the columns at the beginning.
    pub fn open(
        path: &Path,
        layout: &TableLayout,
        wanted: &[&str],
        optional: &[&str],
    ) -> Result<Self, DataError> {
        let size = fs::metadata(path)
            .map_err(DiskError::at("read", path))?
            .len();
        let rows = match layout.format {
            TableFormat::Csv => {
                RowReader::Delimited(delimited::DelimitedFile::open(path, b',', layout, wanted)?)
            }
            TableFormat::Tsv => {
                RowReader::Delimited(delimited::DelimitedFile::open(path, b'\t', layout, wanted)?)
            }
            TableFormat::Json => RowReader::List(json_list::JsonListFile::open(path)?),
            TableFormat::JsonLines => RowReader::Lines(json_lines::JsonLinesFile::open(path)?),
            TableFormat::Parquet => {
                RowReader::Parquet(parquet::ParquetFile::open(path, wanted, optional)?)
            }
        };
        Ok(Self {
            path: path.to_owned(),
            size,
            rows,
        })
    }

    /// The next row; none at the end.
    pub fn next_row(&mut self) -> Result<Option<TableRow>, DataError> {
        match &mut self.rows {
            RowReader::Delimited(rows) => rows.next_row(),
            RowReader::Lines(rows) => rows.next_row(),
            RowReader::List(rows) => rows.next_row(),
            RowReader::Parquet(rows) => rows.next_row(),
        }
    }

    /// Bytes read so far; of Parquet the share of its rows.
    pub fn done(&self) -> u64 {
        match &self.rows {
            RowReader::Delimited(rows) => rows.bytes(),
            RowReader::Lines(rows) => rows.bytes(),
            RowReader::List(rows) => rows.bytes(),
            RowReader::Parquet(rows) => (self.size as f64 * rows.share()) as u64,
        }
    }

    /// Fields that begin and end with a double quote though the file is read as not quoting.
    pub fn suspicious_quotes(&self) -> usize {
        match &self.rows {
            RowReader::Delimited(rows) => rows.suspicious_quotes,
            _ => 0,
        }
    }
}

/// The columns of this row; those of the row before where they are the same, so that they are
/// kept once.
fn share(names: Vec<String>, before: &mut Arc<[String]>) -> Arc<[String]> {
    if **before != *names {
        *before = names.into();
    }
    Arc::clone(before)
}
