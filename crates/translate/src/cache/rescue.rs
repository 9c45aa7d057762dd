//! Room on disk for answers that were paid for and that the database cannot take: a file of
//! blank lines, written before the first request and overwritten in place, so that a full disk
//! cannot refuse it. Never here: the database.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use schema::disk::{DiskError, open_own};

use super::CacheEntry;

/// The file `<cache>.rescue`; it exists while a job runs, and longer only if answers had to be
/// put there.
#[derive(Debug)]
pub(super) struct Rescue {
    path: PathBuf,
    file: Option<File>,
    holds_answers: bool,
    /// Why the database failed first.
    cause: Option<String>,
}

impl Rescue {
    pub(super) fn beside(cache: &Path) -> Self {
        let mut name = cache.as_os_str().to_owned();
        name.push(".rescue");
        Self {
            path: name.into(),
            file: None,
            holds_answers: false,
            cause: None,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Why the database failed first: this, if nothing was noted before.
    pub(super) fn note_cause(&mut self, problem: String) -> String {
        self.cause.get_or_insert(problem).clone()
    }

    /// The answers that an earlier job left; a last line that a kill cut off is ignored.
    pub(super) fn read(&self) -> Result<Vec<CacheEntry>, DiskError> {
        let bytes = match fs::read(&self.path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            bytes => bytes.map_err(DiskError::at("read", &self.path))?,
        };
        let lines = bytes
            .split(|&byte| byte == b'\n')
            .filter(|line| !line.is_empty());
        let mut entries = Vec::new();
        for line in lines {
            match serde_json::from_slice(line) {
                Ok(entry) => entries.push(entry),
                Err(problem) => {
                    tracing::warn!(%problem, "a line of the rescue file was cut off; it will be translated again");
                }
            }
        }
        Ok(entries)
    }

    /// Fills the file with `bytes` blank lines and makes sure that they are on disk.
    pub(super) fn reserve(&mut self, bytes: usize) -> Result<(), DiskError> {
        match write_blank(&self.path, bytes) {
            Ok(file) => self.file = Some(file),
            Err(problem) => {
                self.clear()?;
                return Err(DiskError::at("write", &self.path)(problem));
            }
        }
        Ok(())
    }

    /// Writes answers behind those that are there.
    pub(super) fn write(&mut self, entries: &[CacheEntry]) -> io::Result<()> {
        let mut text = Vec::new();
        for entry in entries {
            serde_json::to_writer(&mut text, entry)?;
            text.push(b'\n');
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(
                open_own(&self.path, OpenOptions::new().append(true))
                    .map_err(|problem| problem.source)?,
            ),
        };
        file.write_all(&text)?;
        file.sync_all()?;
        self.holds_answers = true;
        Ok(())
    }

    pub(super) fn release(&mut self) -> Result<(), DiskError> {
        if self.holds_answers {
            Ok(())
        } else {
            self.clear()
        }
    }

    /// Removes the file.
    pub(super) fn clear(&mut self) -> Result<(), DiskError> {
        self.file = None;
        self.holds_answers = false;
        match fs::remove_file(&self.path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                Err(DiskError::at("remove", &self.path)(e))
            }
            _ => Ok(()),
        }
    }
}

fn write_blank(path: &Path, bytes: usize) -> io::Result<File> {
    let mut file =
        open_own(path, OpenOptions::new().write(true)).map_err(|problem| problem.source)?;
    file.set_len(0)?;
    file.write_all(&vec![b'\n'; bytes])?;
    file.sync_all()?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_go_into_the_room_taken_and_a_torn_line_is_left_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut rescue = Rescue::beside(&folder.path().join("c"));
        rescue.reserve(1000).expect("room");
        let size = |rescue: &Rescue| fs::metadata(rescue.path()).expect("is there").len();
        let entry = |text: &str| CacheEntry {
            engine: "e".into(),
            text: text.into(),
            translation: text.to_uppercase(),
        };
        rescue.write(&[entry("a"), entry("b")]).expect("writes");
        rescue.write(&[entry("c")]).expect("writes");
        assert_eq!(size(&rescue), 1000, "no new room was needed");
        let texts: Vec<_> = rescue
            .read()
            .expect("reads")
            .into_iter()
            .map(|e| e.translation)
            .collect();
        assert_eq!(texts, ["A", "B", "C"]);
        let mut bytes = fs::read(rescue.path()).expect("reads");
        bytes.truncate(
            bytes
                .iter()
                .rposition(|&byte| byte == b'}')
                .expect("an object"),
        );
        fs::write(rescue.path(), bytes).expect("writes");
        assert_eq!(rescue.read().expect("reads").len(), 2);
    }
}
