//! What an evaluation has measured so far, on disk batch by batch in `<file>.partial`, so that
//! a killed one goes on in the middle of a language. Lines are only appended; one without an
//! end was being written when the program died and is dropped. Never here: the records
//! themselves, which are made when a language is complete.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions, TryLockError},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use schema::{Provenance, disk::DiskError, record::partial_path, scores::Measures};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::EvalError;

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Entry {
    /// What follows belongs to these answers.
    Begun(Box<Provenance>),
    /// What was measured of a question, by its index among all of the file.
    Measured(usize, Measures),
    /// What was said freely to a question.
    Said(usize, String),
}

/// What is known of one language.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Found {
    pub(crate) measures: BTreeMap<usize, Measures>,
    pub(crate) said: BTreeMap<usize, String>,
}

/// The unfinished part of one file of answers. While it is open no other process can open it.
pub struct Journal {
    path: PathBuf,
    file: File,
    /// What was begun and what followed, in the order of the file.
    sections: Vec<(Provenance, Found)>,
}

impl Journal {
    /// Opens what an earlier evaluation left for `answers`, or begins.
    ///
    /// # Errors
    /// The file cannot be read or written, is another process's, or holds a whole line that no
    /// evaluation wrote.
    pub fn open(answers: &Path) -> Result<Self, EvalError> {
        let path = partial_path(answers);
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(DiskError::at("create", folder))?;
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .read(true)
            .open(&path);
        let file = file.map_err(DiskError::at("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(EvalError::Busy(path)),
            // Some network file systems have no locks; two evaluations at once are then the
            // user's to avoid.
            Err(TryLockError::Error(e)) if e.kind() == ErrorKind::Unsupported => {}
            Err(TryLockError::Error(e)) => return Err(DiskError::at("lock", &path)(e).into()),
        }
        let bytes = fs::read(&path).map_err(DiskError::at("read", &path))?;
        let whole = bytes
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |end| end + 1);
        if whole < bytes.len() {
            file.set_len(whole as u64)
                .map_err(DiskError::at("write", &path))?;
        }
        let sections = read(&path, &bytes[..whole])?;
        Ok(Self {
            path,
            file,
            sections,
        })
    }

    /// Begins the answers of one language. Returns what is there of them, and where only
    /// answers of other inputs to the same questions are there, in what these differ.
    pub(crate) fn begin(
        &mut self,
        provenance: &Provenance,
    ) -> Result<(Found, Vec<String>), EvalError> {
        let mut found = Found::default();
        for (_, section) in self
            .sections
            .iter()
            .filter(|(begun, _)| begun == provenance)
        {
            found.measures.extend(section.measures.clone());
            found.said.extend(section.said.clone());
        }
        let known = self.sections.iter().any(|(begun, _)| begun == provenance);
        let same_questions = |other: &Provenance| {
            let key = |p: &Provenance| {
                (
                    p.adapter.clone(),
                    p.task.clone(),
                    p.asking.labels,
                    p.language,
                )
            };
            key(other) == key(provenance)
        };
        let other = self
            .sections
            .iter()
            .rev()
            .find(|(begun, _)| !known && same_questions(begun));
        let differing =
            other.map_or(Ok(Vec::new()), |(other, _)| differences(other, provenance))?;
        self.sections.push((provenance.clone(), Found::default()));
        self.append(&[Entry::Begun(Box::new(provenance.clone()))])?;
        Ok((found, differing))
    }

    /// Adds to the language that was begun last.
    pub(crate) fn append(&mut self, entries: &[Entry]) -> Result<(), EvalError> {
        let mut lines = Vec::new();
        let write = |lines: &mut Vec<u8>| -> std::io::Result<()> {
            for entry in entries {
                serde_json::to_writer(&mut *lines, entry)?;
                lines.push(b'\n');
            }
            Ok(())
        };
        write(&mut lines)
            .and_then(|()| self.file.write_all(&lines))
            .map_err(DiskError::at("write", &self.path))?;
        Ok(())
    }

    /// Removes the file, once the answers are where they belong.
    ///
    /// # Errors
    /// The system does not remove it.
    pub fn remove(self) -> Result<(), EvalError> {
        drop(self.file);
        Ok(fs::remove_file(&self.path).map_err(DiskError::at("remove", &self.path))?)
    }
}

fn read(path: &Path, bytes: &[u8]) -> Result<Vec<(Provenance, Found)>, EvalError> {
    let mut sections: Vec<(Provenance, Found)> = Vec::new();
    for (at, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let damaged = |problem: String| EvalError::Damaged {
            path: path.to_owned(),
            line: at + 1,
            problem,
        };
        let entry: Entry = serde_json::from_slice(line).map_err(|e| damaged(e.to_string()))?;
        match (entry, sections.last_mut()) {
            (Entry::Begun(provenance), _) => sections.push((*provenance, Found::default())),
            (Entry::Measured(question, measures), Some((_, found))) => {
                drop(found.measures.insert(question, measures))
            }
            (Entry::Said(question, said), Some((_, found))) => {
                drop(found.said.insert(question, said))
            }
            (_, None) => return Err(damaged("an answer before any `begun`".to_owned())),
        }
    }
    Ok(sections)
}

/// The keys in which two provenances differ.
fn differences(a: &Provenance, b: &Provenance) -> Result<Vec<String>, EvalError> {
    let value = |p: &Provenance| {
        serde_json::to_value(p).map_err(|e| EvalError::Internal(format!("provenance: {e}")))
    };
    let (Value::Object(a), Value::Object(b)) = (value(a)?, value(b)?) else {
        return Ok(Vec::new());
    };
    Ok(a.into_iter()
        .filter(|(key, value)| b.get(key) != Some(value))
        .map(|(key, _)| key)
        .collect())
}
