//! JSON Lines: one object per line; empty lines are passed over.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use schema::disk::DiskError;

use super::{MOST_BYTES, TableRow, json_object, too_long};
use crate::DataError;

/// A file of JSON Lines.
pub(super) struct JsonLinesFile {
    path: PathBuf,
    reader: BufReader<File>,
    buffer: Vec<u8>,
    columns: Arc<[String]>,
    line: usize,
    rows: usize,
    bytes: u64,
}

impl JsonLinesFile {
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        let file = File::open(path).map_err(DiskError::at("read", path))?;
        let reader = BufReader::new(file);
        let columns = Arc::from([]);
        Ok(Self {
            path: path.to_owned(),
            reader,
            buffer: Vec::new(),
            columns,
            line: 0,
            rows: 0,
            bytes: 0,
        })
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn next_row(&mut self) -> Result<Option<TableRow>, DataError> {
        loop {
            self.buffer.clear();
            let read = (&mut self.reader)
                .take(MOST_BYTES)
                .read_until(b'\n', &mut self.buffer)
                .map_err(DiskError::at("read", &self.path))?;
            if read == 0 {
                return Ok(None);
            }
            self.bytes += read as u64;
            self.line += 1;
            if read as u64 == MOST_BYTES && !self.buffer.ends_with(b"\n") {
                return Err(DataError::syntax(&self.path, self.line, too_long()));
            }
            let text = self
                .buffer
                .strip_prefix("\u{feff}".as_bytes())
                .unwrap_or(&self.buffer)
                .trim_ascii();
            if text.is_empty() {
                continue;
            }
            self.rows += 1;
            return match json_object::parse(text, self.rows, self.line, &mut self.columns) {
                Ok(row) => Ok(Some(row)),
                Err(error) => Err(self.refuse(&error)),
            };
        }
    }

    fn refuse(&self, error: &serde_json::Error) -> DataError {
        let list = self.rows == 1 && self.buffer.trim_ascii().starts_with(b"[");
        let said = if list {
            format!("{error}; if the file is one list, read it as json")
        } else {
            json_object::explain(error)
        };
        let problem = format!("row {} is not a JSON object on one line: {said}", self.rows);
        DataError::syntax(&self.path, self.line, problem)
    }
}
