//! A JSON list of objects, cut into its objects as it is read, so that only one is in memory.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    sync::Arc,
};

use schema::disk::DiskError;

use super::{MOST_BYTES, TableRow, json_object, too_long};
use crate::DataError;

/// A file that is one JSON list.
pub(super) struct JsonListFile {
    path: PathBuf,
    reader: BufReader<File>,
    object: Vec<u8>,
    columns: Arc<[String]>,
    line: usize,
    rows: usize,
    bytes: u64,
    is_closed: bool,
}

/// Where in an object the reading is.
#[derive(Default)]
struct Nesting {
    depth: usize,
    in_text: bool,
    is_escaped: bool,
}

impl Nesting {
    /// Takes one byte more; true when it closes the object.
    fn closes(&mut self, byte: u8) -> bool {
        if self.in_text {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => self.in_text = false,
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.in_text = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.depth == 0
    }
}

impl JsonListFile {
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        let reader = BufReader::new(File::open(path).map_err(DiskError::at("read", path))?);
        let (path, columns) = (path.to_owned(), Arc::from([]));
        let mut list = Self {
            path,
            reader,
            object: Vec::new(),
            columns,
            line: 1,
            rows: 0,
            bytes: 0,
            is_closed: false,
        };
        list.skip_mark()?;
        match list.next_visible()? {
            Some(b'[') => Ok(list),
            Some(b'{') => Err(list.refuse(
                "begins with an object, not a list; if it has one object per line, read it as jsonl",
            )),
            _ => Err(list.refuse("is not a JSON list of objects; it must begin with `[`")),
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn next_row(&mut self) -> Result<Option<TableRow>, DataError> {
        if self.is_closed {
            return Ok(None);
        }
        let first = match (self.next_visible()?, self.rows) {
            (Some(b','), rows) if rows > 0 => self.next_visible()?,
            (Some(b']'), _) => return self.close(),
            (Some(byte), 0) => Some(byte),
            (Some(_), _) => return Err(self.refuse("there is no comma between two objects")),
            (None, _) => None,
        };
        self.rows += 1;
        let line = self.line;
        match first {
            Some(b'{') => self.read_object(line)?,
            Some(_) => return Err(self.refuse(&format!("row {} is not an object", self.rows))),
            None => return Err(self.refuse("the file ends before the list does; it was cut off")),
        }
        match json_object::parse(&self.object, self.rows, line, &mut self.columns) {
            Ok(row) => Ok(Some(row)),
            Err(error) => {
                let at = line + error.line().max(1) - 1;
                Err(DataError::syntax(
                    &self.path,
                    at,
                    format!(
                        "row {} is not valid JSON: {}",
                        self.rows,
                        json_object::explain(&error)
                    ),
                ))
            }
        }
    }

    fn close(&mut self) -> Result<Option<TableRow>, DataError> {
        self.is_closed = true;
        match self.next_visible()? {
            None => Ok(None),
            Some(_) => {
                Err(self.refuse("there is something behind the end of the list; take it out"))
            }
        }
    }

    /// Reads on to the end of the object that has begun.
    fn read_object(&mut self, line: usize) -> Result<(), DataError> {
        self.object.clear();
        self.object.push(b'{');
        let mut nesting = Nesting {
            depth: 1,
            ..Nesting::default()
        };
        loop {
            let buffer = self
                .reader
                .fill_buf()
                .map_err(DiskError::at("read", &self.path))?;
            if buffer.is_empty() {
                let problem = format!(
                    "row {} is not closed before the file ends; it was cut off",
                    self.rows
                );
                return Err(DataError::syntax(&self.path, line, problem));
            }
            let end = buffer.iter().position(|&byte| nesting.closes(byte));
            let taken = end.map_or(buffer.len(), |end| end + 1);
            self.object.extend_from_slice(&buffer[..taken]);
            self.line += buffer[..taken]
                .iter()
                .filter(|&&byte| byte == b'\n')
                .count();
            self.bytes += taken as u64;
            self.reader.consume(taken);
            if end.is_some() {
                return Ok(());
            }
            if self.object.len() as u64 > MOST_BYTES {
                return Err(DataError::syntax(&self.path, line, too_long()));
            }
        }
    }

    /// Takes the next byte that is not white space; none at the end of the file.
    fn next_visible(&mut self) -> Result<Option<u8>, DataError> {
        loop {
            let buffer = self
                .reader
                .fill_buf()
                .map_err(DiskError::at("read", &self.path))?;
            let Some(&byte) = buffer.first() else {
                return Ok(None);
            };
            self.reader.consume(1);
            self.bytes += 1;
            match byte {
                b'\n' => self.line += 1,
                b' ' | b'\t' | b'\r' => {}
                _ => return Ok(Some(byte)),
            }
        }
    }

    /// Passes over a byte order mark.
    fn skip_mark(&mut self) -> Result<(), DataError> {
        let mark = "\u{feff}".as_bytes();
        if self
            .reader
            .fill_buf()
            .map_err(DiskError::at("read", &self.path))?
            .starts_with(mark)
        {
            self.reader.consume(mark.len());
            self.bytes += mark.len() as u64;
        }
        Ok(())
    }

    fn refuse(&self, problem: &str) -> DataError {
        DataError::syntax(&self.path, self.line, problem.to_owned())
    }
}
