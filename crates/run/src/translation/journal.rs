//! The lines of an unfinished translation, appended batch by batch to `<file>.partial`: a hash of
//! what they are made from, then an answer a line, each with a checksum behind it. A last line
//! without an end was being written when the program died, and is dropped.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

use eval::checked_lines::{self, CheckedLine};
use schema::disk::{open_own, whole_lines};
use serde::{Deserialize, Serialize};

use crate::{
    continuation::Continuation,
    error::{At, Result, bail},
};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum JournalLine {
    Inputs(String),
    Answer {
        item: usize,
        text: String,
        ended: bool,
    },
}

/// The unfinished part of one file of translations.
pub struct TranslationJournal {
    path: PathBuf,
    file: File,
    known: BTreeMap<usize, Continuation>,
}

impl TranslationJournal {
    /// Opens the file at `path`, or creates it; what was made from other inputs is dropped.
    ///
    /// # Errors
    /// The file cannot be read or written, or holds a line that no translation wrote.
    pub(super) fn open(path: &Path, inputs: &str) -> Result<Self> {
        let path = path.to_owned();
        if let Some(folder) = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            fs::create_dir_all(folder).at_path("create", folder)?;
        }
        let file = open_own(&path, OpenOptions::new().append(true).read(true))?;
        let bytes = fs::read(&path).at_path("read", &path)?;
        let whole = whole_lines(&bytes);
        let known = read(&path, &bytes[..whole], inputs)?;
        let mut journal = Self {
            path,
            file,
            known: known.unwrap_or_default(),
        };
        if journal.known.is_empty() {
            journal.cut(0)?;
            journal.write(&[JournalLine::Inputs(inputs.to_owned())])?;
        } else {
            journal.cut(whole as u64)?;
        }
        Ok(journal)
    }

    /// What is answered, by item.
    pub(super) fn known(&self) -> &BTreeMap<usize, Continuation> {
        &self.known
    }

    /// Adds answers.
    pub(super) fn append(&mut self, answers: Vec<(usize, Continuation)>) -> Result<()> {
        let lines: Vec<JournalLine> = answers
            .iter()
            .map(|(item, said)| JournalLine::Answer {
                item: *item,
                text: said.text.clone(),
                ended: said.ended,
            })
            .collect();
        self.write(&lines)?;
        self.known.extend(answers);
        Ok(())
    }

    /// Removes the file, once the records are where they belong.
    ///
    /// # Errors
    /// The system does not remove it.
    pub fn remove(self) -> Result<()> {
        drop(self.file);
        fs::remove_file(&self.path).at_path("remove", &self.path)
    }

    fn cut(&self, length: u64) -> Result<()> {
        self.file.set_len(length).at_path("write", &self.path)
    }

    fn write(&mut self, lines: &[JournalLine]) -> Result<()> {
        checked_lines::encode(lines)
            .and_then(|bytes| self.file.write_all(&bytes))
            .at_path("write", &self.path)
    }
}

/// The answers in the file; `None` if they were made from other inputs.
fn read(path: &Path, bytes: &[u8], inputs: &str) -> Result<Option<BTreeMap<usize, Continuation>>> {
    let mut known = BTreeMap::new();
    for (at, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let place = || format!("{}, line {}", path.display(), at + 1);
        let line = CheckedLine::split(line);
        if line.is_sound != Some(true) {
            bail!(
                "{}: its checksum is another: a byte of it has changed; remove the file to translate anew",
                place()
            );
        }
        match serde_json::from_slice(line.json).at(place)? {
            JournalLine::Inputs(made_from) if at == 0 && made_from == inputs => {}
            JournalLine::Inputs(_) if at == 0 => return Ok(None),
            JournalLine::Answer { item, text, ended } if at > 0 => {
                known.insert(item, Continuation { text, ended });
            }
            _ => bail!(
                "{}: no translation wrote it; remove the file to translate anew",
                place()
            ),
        }
    }
    Ok(Some(known))
}
