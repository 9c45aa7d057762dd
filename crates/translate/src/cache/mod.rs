//! Translated lines in an embedded database (redb), so that no job pays for one twice.
//!
//! An answer is on disk when [`TranslationCache::put`] returns. What the database cannot take,
//! because the disk is full, goes into a rescue file, whose room is taken before anything is paid
//! for. Never here: keys, requests.

mod rescue;

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
};

use redb::{Database, DatabaseError, ReadableDatabase, TableDefinition, TableError};
use schema::disk::DiskError;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use self::rescue::Rescue;
use crate::TranslateError;

/// SHA-256 of engine and line -> the entry as JSON.
const LINES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("lines.1");
/// The database keeps what it read in memory up to this many bytes.
const MEMORY: usize = 32 << 20;

/// The answered lines of all jobs.
#[derive(Debug)]
pub struct TranslationCache {
    path: PathBuf,
    database: Database,
    rescue: Mutex<Rescue>,
}

/// One answered line.
#[derive(Serialize, Deserialize)]
struct CacheEntry {
    engine: String,
    text: String,
    translation: String,
}

impl TranslationCache {
    /// Opens the cache at `path`, or makes an empty one; takes over what an earlier job had to
    /// put into the rescue file.
    ///
    /// # Errors
    /// Another process has it open; the file is no such cache, or cannot be read or written.
    pub fn open(path: &Path) -> Result<Self, TranslateError> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(DiskError::at("create", folder))?;
        }
        let database = Database::builder().set_cache_size(MEMORY).create(path).map_err(|problem| {
            let problem = match problem {
                DatabaseError::DatabaseAlreadyOpen => {
                    "another process is using it; wait until it has ended, or name another file with --cache".to_owned()
                }
                other => format!("{other}; move the file away, or name another one with --cache"),
            };
            TranslateError::Cache { path: path.to_owned(), problem }
        })?;
        let cache = Self {
            path: path.to_owned(),
            database,
            rescue: Mutex::new(Rescue::beside(path)),
        };
        cache.take_over_rescued()?;
        Ok(cache)
    }

    /// The answers of `engine` that are there, in the order of `lines`.
    ///
    /// # Errors
    /// The file cannot be read, or an entry in it is damaged.
    pub fn get<S: AsRef<str>>(
        &self,
        engine: &str,
        lines: &[S],
    ) -> Result<Vec<Option<String>>, TranslateError> {
        let transaction = self.database.begin_read().map_err(|e| self.broken(&e))?;
        let table = match transaction.open_table(LINES) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(vec![None; lines.len()]),
            table => table.map_err(|e| self.broken(&e))?,
        };
        let mut answers = Vec::with_capacity(lines.len());
        for line in lines.iter().map(AsRef::as_ref) {
            let found = table
                .get(key(engine, line).as_slice())
                .map_err(|e| self.broken(&e))?;
            let Some(found) = found else {
                answers.push(None);
                continue;
            };
            let entry: CacheEntry =
                serde_json::from_slice(found.value()).map_err(|e| self.broken(&e))?;
            if entry.text != line || entry.engine != engine {
                return Err(self.broken(&"an entry is in the place of another"));
            }
            answers.push(Some(entry.translation));
        }
        Ok(answers)
    }

    /// Keeps answered lines and their translations; they are on disk when this returns.
    ///
    /// # Errors
    /// [`TranslateError::Unwritten`] if the database could not take them; they are then in the
    /// rescue file, and the cache should not be written to again.
    pub fn put(&self, engine: &str, answered: &[(&str, &str)]) -> Result<(), TranslateError> {
        let entries: Vec<CacheEntry> = answered
            .iter()
            .map(|&(text, translation)| CacheEntry {
                engine: engine.to_owned(),
                text: text.to_owned(),
                translation: translation.to_owned(),
            })
            .collect();
        // One writer at a time, as in the database itself: after a failure all others fail too,
        // and the first says why.
        let mut rescue = self.lock_rescue();
        let Err(problem) = self.commit(&entries) else {
            return Ok(());
        };
        let cause = rescue.note_cause(innermost_cause(&*problem));
        let (kept, lost) = match rescue.write(&entries) {
            Ok(()) => (entries.len(), 0),
            Err(problem) => {
                tracing::error!(%problem, "the rescue file could not take the answers either");
                (0, entries.len())
            }
        };
        let (path, rescue) = (self.path.clone(), rescue.path().to_owned());
        Err(TranslateError::Unwritten {
            path,
            problem: cause,
            kept,
            lost,
            rescue,
        })
    }

    /// Takes `bytes` of disk for answers that the database may not be able to take; to be
    /// called before anything is paid.
    ///
    /// # Errors
    /// There is no room even for that.
    pub fn reserve(&self, bytes: usize) -> Result<(), TranslateError> {
        Ok(self.lock_rescue().reserve(bytes)?)
    }

    /// Gives back what [`TranslationCache::reserve`] took, unless something had to be put there.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn release(&self) -> Result<(), TranslateError> {
        Ok(self.lock_rescue().release()?)
    }

    fn take_over_rescued(&self) -> Result<(), TranslateError> {
        let mut rescue = self.lock_rescue();
        let entries = rescue.read()?;
        if !entries.is_empty() {
            self.commit(&entries)
                .map_err(|problem| TranslateError::Cache {
                    path: self.path.clone(),
                    problem: format!(
                        "{}; {} translated lines are still in {}: free some disk space first",
                        innermost_cause(&*problem),
                        entries.len(),
                        rescue.path().display()
                    ),
                })?;
            tracing::info!(
                lines = entries.len(),
                "answered lines taken over from the rescue file"
            );
        }
        Ok(rescue.clear()?)
    }

    fn commit(&self, entries: &[CacheEntry]) -> Result<(), Box<dyn Error>> {
        let transaction = self.database.begin_write()?;
        {
            let mut table = transaction.open_table(LINES)?;
            for entry in entries {
                let value = serde_json::to_vec(entry)?;
                table.insert(key(&entry.engine, &entry.text).as_slice(), value.as_slice())?;
            }
        }
        // Durable at once: redb's default is to sync before a commit returns.
        transaction.commit()?;
        Ok(())
    }

    fn lock_rescue(&self) -> std::sync::MutexGuard<'_, Rescue> {
        self.rescue
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn broken(&self, problem: &dyn std::fmt::Display) -> TranslateError {
        let problem = format!("{problem}; move the file away, or name another one with --cache");
        TranslateError::Cache {
            path: self.path.clone(),
            problem,
        }
    }
}

/// Engine and line apart, by the length of the first, so that no two pairs are the same bytes.
fn key(engine: &str, line: &str) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update((engine.len() as u64).to_le_bytes());
    hasher.update(engine);
    hasher.update(line);
    hasher.finalize().into()
}

/// The innermost cause, which is the operating system's.
fn innermost_cause(problem: &(dyn Error + 'static)) -> String {
    let mut innermost = problem;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(cache: &TranslationCache, engine: &str, lines: &[&str]) -> Vec<Option<String>> {
        cache.get(engine, lines).expect("reads")
    }

    #[test]
    fn answers_are_kept_by_engine_and_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("new/lines.redb");
        let cache = TranslationCache::open(&path).expect("opens");
        assert_eq!(texts(&cache, "a", &["x"]), [None]);
        cache
            .put("a", &[("x", "X"), ("y\n", "Y\n")])
            .expect("writes");
        cache.put("ax", &[("", "nothing")]).expect("writes");
        cache.put("b", &[("x", "another X")]).expect("writes");
        drop(cache);
        let cache = TranslationCache::open(&path).expect("opens again");
        let found = texts(&cache, "a", &["y\n", "z", "x", ""]);
        assert_eq!(
            found,
            [Some("Y\n".to_owned()), None, Some("X".to_owned()), None]
        );
        assert_eq!(texts(&cache, "ax", &[""]), [Some("nothing".to_owned())]);
        assert_eq!(
            texts(&cache, "b", &["x", "y\n"]),
            [Some("another X".to_owned()), None]
        );
    }

    #[test]
    fn a_cache_in_use_and_a_file_that_is_none_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lines.redb");
        let cache = TranslationCache::open(&path).expect("opens");
        let error = TranslationCache::open(&path)
            .expect_err("is open")
            .to_string();
        assert!(
            error.contains("lines.redb: another process is using it; wait until it has ended"),
            "{error}"
        );
        drop(cache);
        fs::write(&path, "not a database, and longer than its magic number").expect("writes");
        let error = TranslationCache::open(&path)
            .expect_err("is none")
            .to_string();
        assert!(
            error.contains("lines.redb: ") && error.contains("move the file away"),
            "{error}"
        );
    }

    #[test]
    fn rescued_answers_are_taken_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lines.redb");
        let cache = TranslationCache::open(&path).expect("opens");
        cache.reserve(4096).expect("room");
        let entry = CacheEntry {
            engine: "a".into(),
            text: "x".into(),
            translation: "X".into(),
        };
        cache.lock_rescue().write(&[entry]).expect("writes");
        cache.release().expect("keeps what is there");
        drop(cache);
        let cache = TranslationCache::open(&path).expect("opens again");
        assert_eq!(texts(&cache, "a", &["x"]), [Some("X".to_owned())]);
        assert_eq!(
            fs::read_dir(folder.path()).expect("lists").count(),
            1,
            "the rescue file is gone"
        );
    }
}
