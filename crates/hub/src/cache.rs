//! The folder of fetched models and data sets, and its contents.
//!
//! `<root>/hub/<org>--<name>/<revision>/` holds a hub folder,
//! `<root>/packages/<name>-<version>/` a package's file,
//! `<root>/datasets/<org>--<name>/<revision>/` those files of a data set that were asked for. A
//! `source.json` in it is written last: where it is missing, the download has not ended. Never
//! here: fetching.

use std::{
    env, fmt,
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use etcetera::BaseStrategy;
use schema::disk::{DiskError, FETCH_AGAIN, open_own, remove_leftovers_below, write_whole};
use serde::{Deserialize, Serialize};

use crate::{HubError, HubId, Progress, catalogue::Package, hash_file, progress::pause};

const SOURCE: &str = "source.json";
const LOCK: &str = ".lock";
/// Between two tries of a lock that another process holds.
const PAUSE: Duration = Duration::from_millis(100);
/// A file of so many bytes is hashed in a moment, whenever its model is looked up.
const MOST_HASHED: u64 = 32 << 20;

/// The folder of fetched models.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

/// Where a cached model or data set came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "source", rename_all = "snake_case")]
pub enum Origin {
    /// A repository of the hub.
    Hub {
        /// `org/name`.
        id: String,
        /// The revision asked for.
        revision: String,
        /// The commit that it was, if the server said so.
        commit: Option<String>,
    },
    /// A data set of the hub.
    Dataset {
        /// `org/name`.
        id: String,
        /// The revision asked for.
        revision: String,
        /// The commit that it was.
        commit: String,
    },
    /// A Python package.
    Package {
        /// Name on the index.
        package: String,
        /// Version.
        version: String,
        /// The file inside the wheel.
        member: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hub {
                id,
                revision,
                commit,
            } => write!(f, "hub:{id}@{}", commit.as_ref().unwrap_or(revision)),
            Self::Dataset { id, commit, .. } => write!(f, "hub:datasets/{id}@{commit}"),
            Self::Package {
                package, version, ..
            } => write!(f, "package:{package}=={version}"),
        }
    }
}

/// One file of a cached model or data set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Name in the folder.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256, lower-case hexadecimal.
    pub sha256: String,
}

/// The content of `source.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SourceFile {
    #[serde(flatten)]
    pub(crate) origin: Origin,
    pub(crate) files: Vec<FileRecord>,
}

/// One model or data set in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// Its folder.
    pub dir: PathBuf,
    /// Where it came from; `None` if its download has not ended or a file of it is gone since.
    pub origin: Option<Origin>,
    /// Bytes of the folder's files, unfinished ones included.
    pub bytes: u64,
}

impl Cache {
    /// The cache of this user: `LINGUALIGN_CACHE`, or `lingualign` in the platform's cache
    /// folder.
    ///
    /// # Errors
    /// [`HubError::NoCacheFolder`] if the variable is not set and there is no home folder.
    pub fn from_env() -> Result<Self, HubError> {
        if let Some(root) = env::var_os("LINGUALIGN_CACHE").filter(|root| !root.is_empty()) {
            return Ok(Self::at(root));
        }
        let platform = etcetera::base_strategy::choose_native_strategy()
            .map_err(|_| HubError::NoCacheFolder)?;
        Ok(Self::at(platform.cache_dir().join("lingualign")))
    }

    /// The cache at `root`, which need not exist yet.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Its folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Its contents, finished or not, in the order of folders.
    ///
    /// # Errors
    /// [`HubError::Disk`] if a folder cannot be listed; [`HubError::Unusable`] for a damaged
    /// `source.json`.
    pub fn list(&self) -> Result<Vec<Cached>, HubError> {
        let mut dirs = folders_in(&self.root.join("packages"))?;
        for kind in ["datasets", "hub"] {
            for repository in folders_in(&self.root.join(kind))? {
                dirs.extend(folders_in(&repository)?);
            }
        }
        dirs.sort();
        let mut found = dirs
            .into_iter()
            .map(describe)
            .collect::<Result<Vec<_>, _>>()?;
        found.retain(|cached| cached.origin.is_some() || cached.bytes > 0); // a first request that failed leaves no file
        Ok(found)
    }

    pub(crate) fn hub_dir(&self, id: &HubId) -> PathBuf {
        self.repository_dir("hub", id)
    }

    pub(crate) fn dataset_dir(&self, id: &HubId) -> PathBuf {
        self.repository_dir("datasets", id)
    }

    fn repository_dir(&self, kind: &str, id: &HubId) -> PathBuf {
        // No part of an id contains `--` or `%`, so different ids have different folders.
        self.root
            .join(kind)
            .join(id.id.replace('/', "--"))
            .join(id.revision.replace('/', "%2F"))
    }

    pub(crate) fn package_dir(&self, package: &Package) -> PathBuf {
        self.root
            .join("packages")
            .join(format!("{}-{}", package.name, package.version))
    }
}

fn describe(dir: PathBuf) -> Result<Cached, HubError> {
    let bytes = size_of(&dir)?;
    let origin = read_complete(&dir)?.map(|source| source.origin);
    Ok(Cached { dir, origin, bytes })
}

/// Bytes of the files below a folder.
fn size_of(dir: &Path) -> Result<u64, HubError> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir).map_err(DiskError::at("list", dir))? {
        let entry = entry.map_err(DiskError::at("list", dir))?;
        let metadata = entry.metadata().map_err(DiskError::at("list", dir))?;
        bytes += if metadata.is_dir() {
            size_of(&entry.path())?
        } else {
            metadata.len()
        };
    }
    Ok(bytes)
}

fn folders_in(dir: &Path) -> Result<Vec<PathBuf>, HubError> {
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let mut folders = Vec::new();
    for entry in fs::read_dir(dir).map_err(DiskError::at("list", dir))? {
        let path = entry.map_err(DiskError::at("list", dir))?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    Ok(folders)
}

/// What `source.json` of the folder says; `None` if the download has not ended.
pub(crate) fn read_source(dir: &Path) -> Result<Option<SourceFile>, HubError> {
    let path = dir.join(SOURCE);
    if !path.exists() {
        return Ok(None);
    }
    let bytes = fs::read(&path).map_err(DiskError::at("read", &path))?;
    let source = serde_json::from_slice(&bytes).map_err(|e| HubError::Unusable {
        path: path.clone(),
        problem: format!("is damaged ({e}); {FETCH_AGAIN}"),
    })?;
    Ok(Some(source))
}

/// As [`read_source`], and `None` too if a file of it is gone, has another size, or is one whose
/// hash is soon taken and has another.
pub(crate) fn read_complete(dir: &Path) -> Result<Option<SourceFile>, HubError> {
    let Some(source) = read_source(dir)? else {
        return Ok(None);
    };
    for file in &source.files {
        if !is_as_recorded(dir, file)? {
            return Ok(None);
        }
    }
    Ok(Some(source))
}

/// Whether a file has its size, and its hash unless it holds weights: those are for
/// `model verify`.
fn is_as_recorded(dir: &Path, file: &FileRecord) -> Result<bool, HubError> {
    let path = dir.join(&file.name);
    if !fs::metadata(&path).is_ok_and(|found| found.len() == file.size) {
        return Ok(false);
    }
    let is_soon_read = file.size <= MOST_HASHED;
    Ok(!is_soon_read || hash_file(&path)? == file.sha256)
}

/// Whether a `source.json` is there, sound or not.
pub(crate) fn is_recorded(dir: &Path) -> bool {
    dir.join(SOURCE).exists()
}

/// Declares the folder unfinished, so that its files are fetched again; returns the record, to be
/// put back if that fails.
pub(crate) fn take_source(dir: &Path) -> Result<Option<Vec<u8>>, HubError> {
    let path = dir.join(SOURCE);
    if !path.exists() {
        return Ok(None);
    }
    let record = fs::read(&path).map_err(DiskError::at("read", &path))?;
    fs::remove_file(&path).map_err(DiskError::at("remove", &path))?;
    Ok(Some(record))
}

/// Puts a record back that was taken, if the files are still those of the record.
pub(crate) fn put_back_source(dir: &Path, record: Option<Vec<u8>>) -> Result<(), HubError> {
    let Some(record) = record else { return Ok(()) };
    let path = dir.join(SOURCE);
    write_whole(&path, &record)?;
    if !matches!(read_complete(dir), Ok(Some(_))) {
        fs::remove_file(&path).map_err(DiskError::at("remove", &path))?;
    }
    Ok(())
}

/// Declares the folder complete.
pub(crate) fn write_source(dir: &Path, source: &SourceFile) -> Result<(), HubError> {
    let path = dir.join(SOURCE);
    let text = serde_json::to_string_pretty(source).map_err(|e| HubError::Unusable {
        path: path.clone(),
        problem: format!("cannot be written as JSON: {e}"),
    })?;
    Ok(write_whole(&path, (text + "\n").as_bytes())?)
}

/// Waits for the lock until the user wants to stop.
fn wait(file: &File, dir: &Path, progress: &dyn Progress) -> Result<io::Result<()>, HubError> {
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Ok(())),
            Err(TryLockError::Error(e)) => return Ok(Err(e)),
            Err(TryLockError::WouldBlock) => pause(PAUSE, progress, dir)?,
        }
    }
}

/// Creates the folder and keeps other processes from downloading into it until the returned
/// file is dropped.
pub(crate) fn lock(dir: &Path, progress: &mut dyn Progress) -> Result<File, HubError> {
    fs::create_dir_all(dir).map_err(DiskError::at("create", dir))?;
    let path = dir.join(LOCK);
    let file = open_own(&path, File::options().read(true).write(true))?;
    let locked = match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::Error(e)) => Err(e),
        Err(TryLockError::WouldBlock) => {
            progress.note(&format!(
                "waiting for another process that downloads into {}",
                dir.display()
            ));
            wait(&file, dir, progress)?
        }
    };
    match locked {
        // Some network file systems have no locks; two downloads at once are then the user's to
        // avoid.
        Err(e) if e.kind() == io::ErrorKind::Unsupported => {
            progress.note(&format!("{}: cannot be locked", dir.display()))
        }
        Err(e) => return Err(DiskError::at("lock", &path)(e).into()),
        Ok(()) => {}
    }
    remove_leftovers_below(dir);
    Ok(file)
}
