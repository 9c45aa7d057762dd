//! Rows of two files that belong together, by an id or by their position.
//!
//! By position nothing is kept. By id, rows of the English file are kept until their partner
//! comes, and all ids with the number of their row, so that a repeated id is seen.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use data::{
    DataError,
    table::{TableReader, TableRow},
};

use super::Join;

/// The column that names an item in most files.
pub(super) const ID: &str = "id";

/// The English file while rows of the other are put to it.
pub(super) struct Partners {
    table: TableReader,
    join: Join,
    /// English rows that were read before their partner.
    waiting: HashMap<String, TableRow>,
    /// Ids of each file so far, with their rows.
    english_ids: HashMap<String, usize>,
    ids: HashMap<String, usize>,
    rows: usize,
}

impl Partners {
    pub(super) fn new(table: TableReader, join: &Join) -> Self {
        let (waiting, english_ids, ids) = Default::default();
        Self {
            table,
            join: join.clone(),
            waiting,
            english_ids,
            ids,
            rows: 0,
        }
    }

    /// The English file.
    pub(super) fn path(&self) -> &Path {
        &self.table.path
    }

    /// Bytes of the English file.
    pub(super) fn size(&self) -> u64 {
        self.table.size
    }

    /// Bytes of it that were read.
    pub(super) fn done(&self) -> u64 {
        self.table.done()
    }

    /// The English row that belongs to `row` of `path`.
    pub(super) fn find(&mut self, row: &TableRow, path: &Path) -> Result<TableRow, DataError> {
        self.rows += 1;
        let partner = match self.join.key.clone() {
            None => self.table.next_row()?.ok_or_else(|| {
                let english = self.table.path.display();
                row.fail(
                    path,
                    None,
                    format!("has no partner: {english} has only {} rows", self.rows - 1),
                )
            })?,
            Some(key) => self.find_by(&key, row, path)?,
        };
        for column in &self.join.same {
            let (here, there) = (
                row.word(path, column)?,
                partner.word(&self.table.path, column)?,
            );
            if here != there {
                let place = format!("{} row {}", self.table.path.display(), partner.number);
                let problem =
                    format!("is `{here}`, but `{there}` in {place}, which should be the same item");
                return Err(row.fail(path, Some(column), problem));
            }
        }
        self.compare_ids(row, &partner, path)?;
        Ok(partner)
    }

    /// Rows that are put together by their position should not have different ids.
    fn compare_ids(
        &self,
        row: &TableRow,
        partner: &TableRow,
        path: &Path,
    ) -> Result<(), DataError> {
        if self.join.key.is_some() || self.join.by_position {
            return Ok(());
        }
        let has_id = |row: &TableRow| {
            let id = row.get(ID);
            id.is_some_and(|id| id.is_string() || id.is_number())
        };
        if !has_id(row) || !has_id(partner) {
            return Ok(());
        }
        let (here, there) = (row.word(path, ID)?, partner.word(&self.table.path, ID)?);
        if here == there {
            return Ok(());
        }
        let problem = format!(
            "is `{here}`, but `{there}` in the row at the same place of {}: the files are not in the same order. Join them \
             with --key {ID}; where the ids are each file's own, say --by-position",
            self.table.path.display()
        );
        Err(row.fail(path, Some(ID), problem))
    }

    fn find_by(&mut self, key: &str, row: &TableRow, path: &Path) -> Result<TableRow, DataError> {
        let id = row.word(path, key)?;
        note_id(&mut self.ids, &id, row, path, key)?;
        while !self.waiting.contains_key(&id) {
            let Some(english) = self.table.next_row()? else {
                break;
            };
            let other = english.word(&self.table.path, key)?;
            note_id(
                &mut self.english_ids,
                &other,
                &english,
                &self.table.path,
                key,
            )?;
            self.waiting.insert(other, english);
        }
        self.waiting.remove(&id).ok_or_else(|| {
            row.fail(
                path,
                Some(key),
                format!("`{id}` is not in {}", self.table.path.display()),
            )
        })
    }

    /// # Errors
    /// The English file has rows that the other has not; `path` is the other's last.
    pub(super) fn finish(&mut self, path: &Path) -> Result<(), DataError> {
        let english: PathBuf = self.table.path.clone();
        let first = self
            .waiting
            .drain()
            .map(|(_, row)| row)
            .min_by_key(|row| row.number);
        let left = match first {
            Some(row) => Some(row),
            None => self.table.next_row()?,
        };
        let Some(row) = left else { return Ok(()) };
        let problem = match &self.join.key {
            Some(key) => format!(
                "`{}` is not in {}",
                row.word(&english, key)?,
                path.display()
            ),
            None => format!(
                "has no partner: {} has only {} rows",
                path.display(),
                self.rows
            ),
        };
        Err(row.fail(&english, self.join.key.as_deref(), problem))
    }
}

fn note_id(
    ids: &mut HashMap<String, usize>,
    id: &str,
    row: &TableRow,
    path: &Path,
    key: &str,
) -> Result<(), DataError> {
    match ids.insert(id.to_owned(), row.number) {
        Some(before) => Err(row.fail(
            path,
            Some(key),
            format!("`{id}` is in row {before} already"),
        )),
        None => Ok(()),
    }
}
