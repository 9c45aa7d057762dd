//! The measurements of an unfinished evaluation, written batch by batch to `<file>.partial`, so
//! that a killed evaluation resumes in the middle of a language. Lines are only appended, each with
//! a checksum behind its JSON; a line without an end was being written when the program died and
//! is dropped. Never here: the records themselves, which are made when a language is complete.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions, TryLockError},
    io::{ErrorKind, Read, Write},
    path::{Path, PathBuf},
};

use schema::{
    Provenance,
    disk::{DiskError, open_own, whole_lines},
    record::partial_path,
    scores::Measures,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    checked_lines::{self, CheckedLine},
    error::EvalError,
};

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum JournalEntry {
    /// The following lines belong to these answers.
    Begun(Box<Provenance>),
    /// The measures of a question, by its index in the file.
    Measured(usize, Measures),
    /// The free answer to a question.
    Said(usize, String),
}

/// The measurements of one language so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct MeasuredSoFar {
    pub(crate) measures: BTreeMap<usize, Measures>,
    pub(crate) said: BTreeMap<usize, String>,
    /// The line that the measures of each question are from; none for those that are new.
    lines: BTreeMap<usize, usize>,
}

impl MeasuredSoFar {
    fn extend(&mut self, other: &Self) {
        self.measures.extend(other.measures.clone());
        self.said.extend(other.said.clone());
        self.lines.extend(&other.lines);
    }
}

/// The unfinished part of one file of answers. While it is open no other process can open it.
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Each beginning and its measurements, in the order of the file.
    sections: Vec<(Provenance, MeasuredSoFar)>,
}

impl Journal {
    /// Opens the unfinished part of `answers`, or creates it.
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
        let file = open_own(&path, OpenOptions::new().append(true).read(true))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(EvalError::Busy(path)),
            // Some network file systems have no locks; two evaluations at once are then the
            // user's to avoid.
            Err(TryLockError::Error(e)) if e.kind() == ErrorKind::Unsupported => {}
            Err(TryLockError::Error(e)) => return Err(DiskError::at("lock", &path)(e).into()),
        }
        let bytes = fs::read(&path).map_err(DiskError::at("read", &path))?;
        let whole = whole_lines(&bytes);
        let sections = read(&path, &bytes[..whole])?;
        // Only a line that this program was writing is cut off.
        if whole < bytes.len() && !is_cut_entry(&bytes[whole..]) {
            return Err(EvalError::Damaged {
                path,
                line: 1 + bytes[..whole].iter().filter(|&&byte| byte == b'\n').count(),
                problem: "no evaluation wrote it".to_owned(),
            });
        }
        if whole < bytes.len() {
            file.set_len(whole as u64)
                .map_err(DiskError::at("write", &path))?;
        }
        Ok(Self {
            path,
            file,
            sections,
        })
    }

    /// Begins the answers of one language. Returns the measurements that are there already; where
    /// there are only some that were made from other inputs, also the keys in which those differ.
    pub(crate) fn begin(
        &mut self,
        provenance: &Provenance,
    ) -> Result<(MeasuredSoFar, Vec<String>), EvalError> {
        let mut found = MeasuredSoFar::default();
        for (_, section) in self
            .sections
            .iter()
            .filter(|(begun, _)| begun == provenance)
        {
            found.extend(section);
        }
        let known = self.sections.iter().any(|(begun, _)| begun == provenance);
        let other = self
            .sections
            .iter()
            .rev()
            .find(|(begun, _)| !known && have_same_questions(begun, provenance));
        let differing =
            other.map_or(Ok(Vec::new()), |(other, _)| differences(other, provenance))?;
        self.sections
            .push((provenance.clone(), MeasuredSoFar::default()));
        self.append(&[JournalEntry::Begun(Box::new(provenance.clone()))])?;
        Ok((found, differing))
    }

    /// Fails at the first line of `found` that cannot be of the questions that are asked now.
    /// `problem` says what is wrong with the measures of a question.
    pub(crate) fn check(
        &self,
        found: &MeasuredSoFar,
        problem: impl Fn(usize, &Measures) -> Option<String>,
    ) -> Result<(), EvalError> {
        for (&question, measures) in &found.measures {
            if let Some(problem) = problem(question, measures) {
                return Err(EvalError::Damaged {
                    path: self.path.clone(),
                    line: found.lines.get(&question).copied().unwrap_or(0),
                    problem,
                });
            }
        }
        Ok(())
    }

    /// Adds to the language that was begun last.
    pub(crate) fn append(&mut self, entries: &[JournalEntry]) -> Result<(), EvalError> {
        checked_lines::encode(entries)
            .and_then(|lines| self.file.write_all(&lines))
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

/// Whether a file may be the unfinished part of an evaluation: it begins as one.
pub fn is_journal(file: &Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(file).and_then(|file| file.take(16).read_to_end(&mut start));
    read.is_ok() && is_cut_entry(&start)
}

fn read(path: &Path, bytes: &[u8]) -> Result<Vec<(Provenance, MeasuredSoFar)>, EvalError> {
    let mut sections: Vec<(Provenance, MeasuredSoFar)> = Vec::new();
    for (at, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let damaged = |problem: String| EvalError::Damaged {
            path: path.to_owned(),
            line: at + 1,
            problem,
        };
        let line = CheckedLine::split(line);
        // A line of a program that wrote no checksum is taken as it is.
        if line.is_sound == Some(false) {
            let problem = "its checksum is another: a byte of it has changed";
            return Err(damaged(problem.to_owned()));
        }
        let entry: JournalEntry =
            serde_json::from_slice(line.json).map_err(|e| damaged(e.to_string()))?;
        match (entry, sections.last_mut()) {
            (JournalEntry::Begun(provenance), _) => {
                sections.push((*provenance, MeasuredSoFar::default()))
            }
            (JournalEntry::Measured(question, measures), Some((_, found))) => {
                found.lines.insert(question, at + 1);
                drop(found.measures.insert(question, measures))
            }
            (JournalEntry::Said(question, said), Some((_, found))) => {
                drop(found.said.insert(question, said))
            }
            (_, None) => return Err(damaged("an answer before any `begun`".to_owned())),
        }
    }
    Ok(sections)
}

/// Whether this may be the beginning of an entry's line.
fn is_cut_entry(rest: &[u8]) -> bool {
    let starts: [&[u8]; 3] = [b"{\"begun\":", b"{\"measured\":", b"{\"said\":"];
    starts
        .iter()
        .any(|start| rest.starts_with(start) || start.starts_with(rest))
}

/// Whether both are answers to the same questions by the same adapter.
fn have_same_questions(a: &Provenance, b: &Provenance) -> bool {
    let of = |one: &Provenance| (one.asking.labels, one.asking.prompt, one.language);
    (&a.adapter, &a.task, of(a)) == (&b.adapter, &b.task, of(b))
}

/// The keys in which two provenances differ.
fn differences(a: &Provenance, b: &Provenance) -> Result<Vec<String>, EvalError> {
    let (Value::Object(a), Value::Object(b)) = (to_json(a)?, to_json(b)?) else {
        return Ok(Vec::new());
    };
    Ok(a.into_iter()
        .filter(|(key, value)| b.get(key) != Some(value))
        .map(|(key, _)| key)
        .collect())
}

fn to_json(provenance: &Provenance) -> Result<Value, EvalError> {
    serde_json::to_value(provenance).map_err(|e| EvalError::Internal(format!("provenance: {e}")))
}
