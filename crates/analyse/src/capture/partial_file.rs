//! A safetensors file that is filled in any order of its rows, in `<file>.partial`, and gets its
//! name when it is complete. `<file>.progress` records from what it is made and which rows are on
//! disk; it is only appended to, after these are. Never here: what is in the file.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use schema::{
    disk::{DiskError, open_own, whole_lines},
    record::partial_path,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{file_layout::FileLayout, state_file::LONGEST_HEADER};
use crate::error::AnalyseError;

/// One line of the progress: `begun`, or `done` with `sums`.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProgressLine {
    /// SHA-256 of what the file is made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    begun: Option<String>,
    /// Rows that are on disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    done: Option<Vec<usize>>,
    /// Of each of them the beginning of a SHA-256. Rows of a program that did not write it are
    /// made again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sums: Vec<String>,
}

/// Between two looks at whether to stop.
const LOOK: Duration = Duration::from_millis(500);

/// The unfinished file. While it is open no other process can open it.
pub(super) struct PartialFile {
    plan: FileLayout,
    path: PathBuf,
    partial: PathBuf,
    file: File,
    progress: PathBuf,
    log: File,
    done: Vec<bool>,
    done_count: usize,
    /// Of rows that an earlier process wrote.
    sums: BTreeMap<usize, String>,
}

impl PartialFile {
    /// Opens what an earlier capture left for `path`, or starts over where it was made from
    /// something else: where `hash` is another, or the file is not what the progress says.
    ///
    /// # Errors
    /// The files cannot be read or written, are another process's, or hold a whole line that no
    /// capture wrote.
    pub(super) fn open(path: &Path, plan: FileLayout, hash: &str) -> Result<Self, AnalyseError> {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(DiskError::at("create", folder))?;
        let (partial, progress) = (partial_path(path), progress_path(path));
        let mut log = open_locked(&progress)?;
        let file = open(&partial)?;
        let mut text = Vec::new();
        log.read_to_end(&mut text)
            .map_err(DiskError::at("read", &progress))?;
        let done = read_progress(&progress, &text, plan.rows, hash)?;
        let path = path.to_owned();
        let mut store = Self {
            done: vec![false; plan.rows],
            done_count: 0,
            sums: BTreeMap::new(),
            plan,
            path,
            partial,
            file,
            progress,
            log,
        };
        match done {
            Some(sums) if store.holds(sums.keys().max())? => {
                sums.keys().for_each(|&row| store.count(&[row]));
                store.sums = sums;
                // A line without an end was being written when the program died.
                store.cut_log(whole_lines(&text) as u64)?;
            }
            _ => store.begin(hash)?,
        }
        Ok(store)
    }

    /// Whether the file begins as it must and is long enough to hold these rows.
    fn holds(&mut self, last: Option<&usize>) -> Result<bool, AnalyseError> {
        let length = self
            .file
            .metadata()
            .map_err(DiskError::at("read", &self.partial))?
            .len();
        let last = last.map_or(0, |&row| self.plan.end_of(row));
        if length < last.max(self.plan.head.len() as u64) {
            return Ok(false);
        }
        let mut head = vec![0; self.plan.head.len()];
        let read = self
            .file
            .seek(SeekFrom::Start(0))
            .and_then(|_| self.file.read_exact(&mut head));
        read.map_err(DiskError::at("read", &self.partial))?;
        Ok(head == self.plan.head)
    }

    fn begin(&mut self, hash: &str) -> Result<(), AnalyseError> {
        self.cut_log(0)?;
        let emptied = self
            .file
            .set_len(0)
            .and_then(|()| self.file.seek(SeekFrom::Start(0)));
        let written = emptied
            .and_then(|_| self.file.write_all(&self.plan.head))
            .and_then(|()| self.file.sync_data());
        written.map_err(|e| self.refuse(e))?;
        self.append(&ProgressLine {
            begun: Some(hash.to_owned()),
            ..ProgressLine::default()
        })
    }

    /// Takes rows of an earlier process that are no longer as it wrote them for not done; returns
    /// how many. Ends early where `go_on` is false.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn drop_damaged(
        &mut self,
        go_on: &mut dyn FnMut(usize) -> bool,
    ) -> Result<usize, AnalyseError> {
        let (mut dropped, mut looked) = (0, Instant::now());
        for (row, sum) in std::mem::take(&mut self.sums) {
            if self.sum_of(row)? != sum {
                self.done[row] = false;
                self.done_count -= 1;
                dropped += 1;
            }
            if looked.elapsed() > LOOK {
                looked = Instant::now();
                if !go_on(self.done_count) {
                    break;
                }
            }
        }
        Ok(dropped)
    }

    /// The checksum of a row as it is on disk.
    fn sum_of(&mut self, row: usize) -> Result<String, AnalyseError> {
        let mut hash = Sha256::new();
        let mut bytes = Vec::new();
        for place in &self.plan.places {
            bytes.resize(place.row * size_of::<f32>(), 0);
            let at = SeekFrom::Start(place.start + (row * bytes.len()) as u64);
            let read = self
                .file
                .seek(at)
                .and_then(|_| self.file.read_exact(&mut bytes));
            read.map_err(DiskError::at("read", &self.partial))?;
            hash.update(&bytes);
        }
        Ok(shorten(hash))
    }

    fn cut_log(&mut self, length: u64) -> Result<(), AnalyseError> {
        let cut = self
            .log
            .set_len(length)
            .and_then(|()| self.log.seek(SeekFrom::End(0)));
        Ok(cut
            .map(|_| ())
            .map_err(DiskError::at("write", &self.progress))?)
    }

    fn append(&mut self, entry: &ProgressLine) -> Result<(), AnalyseError> {
        let line = serde_json::to_string(entry)
            .map_err(|e| DiskError::at("write", &self.progress)(e.into()))?;
        self.log
            .write_all(format!("{line}\n").as_bytes())
            .map_err(|e| self.refuse(e))
    }

    /// The error of a write; with advice if the disk is full.
    fn refuse(&self, source: io::Error) -> AnalyseError {
        let full = [
            ErrorKind::StorageFull,
            ErrorKind::QuotaExceeded,
            ErrorKind::FileTooLarge,
        ];
        if !full.contains(&source.kind()) {
            return DiskError::at("write", &self.partial)(source).into();
        }
        let (done, rows) = (self.done_count(), self.plan.rows);
        let problem = format!(
            "the disk is full ({source}); {done} of {rows} are kept: free some disk space and run the same command again"
        );
        AnalyseError::file(&self.partial, problem)
    }

    /// The file while it is not finished.
    pub(super) fn partial(&self) -> &Path {
        &self.partial
    }

    /// Whether a row is on disk.
    pub(super) fn is_done(&self, row: usize) -> bool {
        self.done[row]
    }

    /// How many rows are on disk.
    pub(super) fn done_count(&self) -> usize {
        self.done_count
    }

    fn count(&mut self, rows: &[usize]) {
        for &row in rows {
            self.done_count += usize::from(!self.done[row]);
            self.done[row] = true;
        }
    }

    /// Writes the rows `rows` of every tensor, whose values are in the order of the layout, each
    /// (rows, ...); they count as done once all are on disk.
    pub(super) fn write(
        &mut self,
        rows: &[usize],
        tensors: &[Vec<f32>],
    ) -> Result<(), AnalyseError> {
        let mut bytes = Vec::new();
        let mut hashes = vec![Sha256::new(); rows.len()];
        for (tensor, values) in tensors.iter().enumerate() {
            let (start, size) = (self.plan.places[tensor].start, self.plan.places[tensor].row);
            let parts = rows.iter().zip(values.chunks_exact(size));
            for ((&row, values), hash) in parts.zip(&mut hashes) {
                bytes.resize(size_of_val(values), 0);
                let places = bytes.as_chunks_mut().0.iter_mut();
                places
                    .zip(values)
                    .for_each(|(place, value)| *place = value.to_le_bytes());
                hash.update(&bytes);
                let at = SeekFrom::Start(start + (row * bytes.len()) as u64);
                self.file
                    .seek(at)
                    .and_then(|_| self.file.write_all(&bytes))
                    .map_err(|e| self.refuse(e))?;
            }
        }
        self.file.sync_data().map_err(|e| self.refuse(e))?;
        self.append(&ProgressLine {
            done: Some(rows.to_vec()),
            sums: hashes.into_iter().map(shorten).collect(),
            ..ProgressLine::default()
        })?;
        self.count(rows);
        Ok(())
    }

    /// Gives the whole file its name and removes the progress, which is locked until it is
    /// gone.
    pub(super) fn finish(self) -> Result<(), AnalyseError> {
        self.file
            .sync_all()
            .map_err(DiskError::at("write", &self.partial))?;
        drop(self.file);
        fs::rename(&self.partial, &self.path).map_err(DiskError::at("rename", &self.partial))?;
        Ok(fs::remove_file(&self.progress).map_err(DiskError::at("remove", &self.progress))?)
    }
}

/// The files beside `file` while it is not finished.
pub fn unfinished(file: &Path) -> [PathBuf; 2] {
    [partial_path(file), progress_path(file)]
}

/// Whether the files beside `file` are what a capture that was stopped left.
pub fn is_unfinished(file: &Path) -> bool {
    let [partial, progress] = unfinished(file);
    let mut start = Vec::new();
    if let Ok(file) = File::open(&progress)
        && file.take(9).read_to_end(&mut start).is_err()
    {
        return false;
    }
    // A capture may be stopped between the first lines of the two, and its progress removed to
    // start over.
    let is_empty = fs::metadata(&partial).map_or(true, |found| found.len() == 0);
    start == b"{\"begun\":" || start.is_empty() && (is_empty || is_capture(&partial))
}

/// Whether a file is a capture's, whole or not: its safetensors header names what computed it.
pub fn is_capture(file: &Path) -> bool {
    read_about(file).is_some_and(|header| {
        let about = &header["__metadata__"];
        ["program", "numerics", "model_fingerprint"]
            .iter()
            .all(|key| about[*key].is_string())
    })
}

fn read_about(file: &Path) -> Option<serde_json::Value> {
    let mut opened = File::open(file).ok()?;
    let mut size = [0; 8];
    opened.read_exact(&mut size).ok()?;
    let size = u64::from_le_bytes(size);
    let mut text = Vec::new();
    (size <= LONGEST_HEADER).then_some(())?;
    opened.take(size).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// The file that records the progress of `file`.
fn progress_path(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".progress");
    name.into()
}

fn open(path: &Path) -> Result<File, AnalyseError> {
    Ok(open_own(path, OpenOptions::new().read(true).write(true))?)
}

fn open_locked(path: &Path) -> Result<File, AnalyseError> {
    loop {
        let file = open(path)?;
        lock(&file, path)?;
        // Another process may have come to its end and removed the file before it was locked
        // here.
        if path.exists() {
            return Ok(file);
        }
    }
}

fn lock(file: &File, path: &Path) -> Result<(), AnalyseError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            let problem = "another process is writing this file; wait for it, or name another";
            Err(AnalyseError::file(path, problem))
        }
        // Some network file systems have no locks; two captures at once are then the user's to
        // avoid.
        Err(TryLockError::Error(e)) if e.kind() == ErrorKind::Unsupported => Ok(()),
        Err(TryLockError::Error(e)) => Err(DiskError::at("lock", path)(e).into()),
    }
}

/// The first half of a hash, in hexadecimal digits.
fn shorten(hash: Sha256) -> String {
    let hash = hash.finalize();
    hash[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The rows that are done of what has this `hash`, with their checksums; `None` where nothing of
/// it was begun.
fn read_progress(
    path: &Path,
    text: &[u8],
    rows: usize,
    hash: &str,
) -> Result<Option<BTreeMap<usize, String>>, AnalyseError> {
    let mut known = None;
    let lines = text
        .split_inclusive(|&byte| byte == b'\n')
        .filter(|line| line.ends_with(b"\n"));
    for (line, content) in (1..).zip(lines) {
        let entry: ProgressLine =
            serde_json::from_slice(content).map_err(|e| bad_progress(path, line, e.to_string()))?;
        match (entry.begun, entry.done, &mut known) {
            (Some(begun), None, None) if begun != hash => return Ok(None),
            (Some(_), None, None) => known = Some(BTreeMap::new()),
            (None, Some(done), Some(known)) if done.iter().all(|&row| row < rows) => {
                known.extend(done.into_iter().zip(entry.sums));
            }
            _ => {
                let problem = "not what a capture writes here".to_owned();
                return Err(bad_progress(path, line, problem));
            }
        }
    }
    Ok(known)
}

fn bad_progress(path: &Path, line: usize, problem: String) -> AnalyseError {
    AnalyseError::file(
        path,
        format!("line {line}: {problem}; remove the file to start over"),
    )
}
