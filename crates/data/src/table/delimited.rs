//! CSV and TSV.

use std::{
    cell::Cell,
    fs::File,
    io::{BufRead, BufReader, Cursor, Read},
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

use schema::disk::DiskError;
use serde_json::Value;

use super::{MOST_BYTES, RowLimit, TableLayout, TableRow, no_column};
use crate::DataError;

/// Added behind the end of the file as a row of its own. Where it comes back inside a field, a
/// quotation mark was never closed, and that field has swallowed the rest of the file.
const END: &str = "\n\u{0}end of file\u{0}\n";

type Reader = csv::Reader<RowLimit<std::io::Chain<File, Cursor<&'static str>>>>;

/// A CSV or TSV file.
pub(super) struct DelimitedFile {
    path: PathBuf,
    reader: Reader,
    /// Bytes that may be read before the record must have ended.
    left: Rc<Cell<u64>>,
    record: csv::StringRecord,
    columns: Arc<[String]>,
    rows: usize,
    quoted: bool,
    /// Lines end in carriage return and line feed; the reader is between the two after a
    /// record.
    has_returns: bool,
    pub(super) suspicious_quotes: usize,
}

impl DelimitedFile {
    pub(super) fn open(
        path: &Path,
        delimiter: u8,
        layout: &TableLayout,
        wanted: &[&str],
    ) -> Result<Self, DataError> {
        let file = File::open(path).map_err(DiskError::at("read", path))?;
        let mut builder = csv::ReaderBuilder::new();
        builder
            .delimiter(delimiter)
            .quoting(layout.quoted)
            .has_headers(false)
            .flexible(true);
        let left = Rc::new(Cell::new(MOST_BYTES));
        let reader = builder.from_reader(RowLimit {
            inner: file.chain(Cursor::new(END)),
            left: Rc::clone(&left),
        });
        let mut table = Self {
            path: path.to_owned(),
            reader,
            left,
            record: csv::StringRecord::new(),
            columns: Arc::from([]),
            rows: 0,
            quoted: layout.quoted,
            has_returns: has_returns(path)?,
            suspicious_quotes: 0,
        };
        let columns: Vec<String> = match &layout.columns {
            Some(columns) => columns.clone(),
            None if table.read_record()? => table.record.iter().map(str::to_owned).collect(),
            None => {
                return Err(DataError::syntax(
                    path,
                    1,
                    "the file is empty; it must begin with a line of column names",
                ));
            }
        };
        if let Some((_, twice)) = columns
            .iter()
            .enumerate()
            .find(|(at, name)| columns[..*at].contains(name))
        {
            return Err(DataError::syntax(
                path,
                1,
                format!("column `{twice}` is in the header twice; rename one"),
            ));
        }
        if let Some(missing) = wanted
            .iter()
            .find(|name| !columns.iter().any(|column| column == *name))
        {
            return Err(DataError::syntax(path, 1, no_column(missing, &columns)));
        }
        table.columns = columns.into();
        Ok(table)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.reader.position().byte()
    }

    pub(super) fn next_row(&mut self) -> Result<Option<TableRow>, DataError> {
        if !self.read_record()? {
            return Ok(None);
        }
        self.rows += 1;
        let line = Some(self.line());
        let cells: Vec<Value> = self
            .record
            .iter()
            .map(|cell| Value::String(cell.to_owned()))
            .collect();
        let row = TableRow {
            number: self.rows,
            line,
            columns: Arc::clone(&self.columns),
            cells,
        };
        if row.cells.len() != self.columns.len() {
            let quotes = if self.quoted {
                ""
            } else {
                " (quotation marks are read as part of the text)"
            };
            let problem = format!(
                "has {} fields, but there are {} columns{quotes}; is a delimiter or a quotation mark missing?",
                row.cells.len(),
                self.columns.len()
            );
            return Err(row.fail(&self.path, None, problem));
        }
        if !self.quoted {
            let in_quotes =
                |cell: &&str| cell.len() > 1 && cell.starts_with('"') && cell.ends_with('"');
            self.suspicious_quotes += self.record.iter().filter(in_quotes).count();
        }
        Ok(Some(row))
    }

    /// Reads a record; false at the end of the file.
    fn read_record(&mut self) -> Result<bool, DataError> {
        self.left.set(MOST_BYTES);
        let there = self
            .reader
            .read_record(&mut self.record)
            .map_err(|error| self.explain(&error))?;
        let line = self.line();
        if line == 1
            && self
                .record
                .get(0)
                .is_some_and(|cell| cell.starts_with('\u{feff}'))
        {
            let cells: Vec<_> = self
                .record
                .iter()
                .map(|cell| cell.trim_start_matches('\u{feff}').to_owned())
                .collect();
            self.record = csv::StringRecord::from(cells);
        }
        let end = END.trim_matches('\n');
        if !there || self.record.len() == 1 && self.record.get(0) == Some(end) {
            return Ok(false);
        }
        if self
            .record
            .iter()
            .next_back()
            .is_some_and(|cell| cell.contains(end))
        {
            let problem = "a quotation mark that opens a field here is never closed; close it, or say that the file does not quote";
            let line = line + usize::from(!self.has_returns); // this record has no line end
            return Err(DataError::syntax(&self.path, line, problem.to_owned()));
        }
        Ok(true)
    }

    /// The line on which the record begins: where the reader is now, less the lines of the
    /// record. What the reader says of a record's own place counts empty lines before it as
    /// part of it.
    fn line(&self) -> usize {
        let inside: usize = self
            .record
            .iter()
            .map(|cell| cell.matches('\n').count())
            .sum();
        self.line_behind().saturating_sub(inside).max(1)
    }

    /// The line on which the record ends that was read last.
    fn line_behind(&self) -> usize {
        (self.reader.position().line() as usize).saturating_sub(usize::from(!self.has_returns))
    }

    fn explain(&self, error: &csv::Error) -> DataError {
        let line = self.line_behind();
        match error.kind() {
            csv::ErrorKind::Utf8 { err, .. } => {
                let column = self
                    .columns
                    .get(err.field())
                    .map_or(String::new(), |name| format!(", column `{name}`"));
                let problem = format!(
                    "row {}{column} is not UTF-8; write the file again in UTF-8",
                    self.rows + 1
                );
                DataError::syntax(&self.path, line, problem)
            }
            _ => DataError::syntax(&self.path, line, format!("cannot be read: {error}")),
        }
    }
}

/// Whether the first line ends in carriage return and line feed.
fn has_returns(path: &Path) -> Result<bool, DataError> {
    let mut line = Vec::new();
    let file = File::open(path).map_err(DiskError::at("read", path))?;
    BufReader::new(file.take(1 << 20))
        .read_until(b'\n', &mut line)
        .map_err(DiskError::at("read", path))?;
    Ok(line.ends_with(b"\r\n"))
}
