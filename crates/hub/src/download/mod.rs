//! One file of the hub: fetched, taken up again where a transfer broke off, checked, renamed.
//!
//! A transfer goes to `<file>.part`. A part is continued only if the server promises the whole
//! file's SHA-256, so that a mixture of two versions is always seen. Never here: which files a
//! model or a data set has.

mod apart;
mod content;
mod listing;
mod request;
mod transfer;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use schema::disk::{DiskError, own_length};
use ureq::Agent;

pub use self::listing::Listing;
pub(crate) use self::request::{Content, Repository, agent, origin, without_query};
use crate::{FileRecord, HubError, Progress, Sources, hash::hash_watched, progress};

/// Failed attempts in a row, each without a new byte, after which a file is given up.
const MOST_ATTEMPTS: u32 = 5;

/// Speaks with one hub.
pub(crate) struct Client<'a> {
    agent: Agent,
    sources: &'a Sources,
    /// The server has answered: a failure from now on is worth repeating. Before, it most
    /// likely means "no network", and the next source is tried at once.
    answered: bool,
}

/// Why an attempt ended.
enum Failure {
    /// Repeating may help; after that pause, if the server named one.
    Passing {
        problem: String,
        pause: Option<Duration>,
    },
    Final(HubError),
}

impl<E: Into<HubError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Final(error.into())
    }
}

impl Failure {
    fn passing(problem: impl Into<String>) -> Self {
        Self::Passing {
            problem: problem.into(),
            pause: None,
        }
    }
}

impl<'a> Client<'a> {
    /// # Errors
    /// [`HubError::Network`] if the hub is not to be asked or its address cannot be one.
    pub(crate) fn new(sources: &'a Sources) -> Result<Self, HubError> {
        sources.check()?;
        Ok(Self {
            agent: request::agent(&sources.endpoint),
            sources,
            answered: false,
        })
    }

    /// The address of a file, for messages.
    pub(crate) fn url(&self, repository: &Repository, name: &str) -> String {
        repository.url(&self.sources.endpoint, name)
    }

    /// Fetches `name` of the repository into `dir`; `None` if the repository has no such file.
    /// The repository's commit is noted in `repository` when the server says it.
    pub(crate) fn fetch(
        &mut self,
        repository: &mut Repository,
        name: &str,
        dir: &Path,
        progress: &mut dyn Progress,
    ) -> Result<Option<FileRecord>, HubError> {
        let part = part_of(dir, name);
        let mut failures = 0;
        loop {
            let before = own_length(&part)?;
            let (problem, pause) = match self.attempt(repository, name, dir, progress) {
                Ok(record) => return Ok(record),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing { problem, pause }) => (problem, pause),
            };
            failures = if own_length(&part)? > before {
                1
            } else {
                failures + 1
            };
            if !self.answered || failures == MOST_ATTEMPTS {
                let advice = if self.answered {
                    "; run the same command again to go on"
                } else {
                    "; is this machine offline?"
                };
                return Err(HubError::Network {
                    url: self.url(repository, name),
                    problem: problem + advice,
                });
            }
            progress.note(&format!("{name}: {problem}; trying again"));
            let time = pause.unwrap_or(self.sources.pause * (1 << (failures - 1)));
            progress::pause(time, progress, &part)?;
        }
    }

    fn attempt(
        &mut self,
        repository: &mut Repository,
        name: &str,
        dir: &Path,
        progress: &mut dyn Progress,
    ) -> Result<Option<FileRecord>, Failure> {
        let (part, target) = (part_of(dir, name), dir.join(name));
        let have = own_length(&part)?;
        let url = self.url(repository, name);
        let Some(answer) = self.request(repository, &url, have, progress)? else {
            return Ok(None);
        };
        repository.note_commit(&answer);
        if let Some(sha256) = &answer.sha256
            && target.is_file()
            && hash_watched(&target, progress)? == *sha256
        {
            return Ok(Some(FileRecord {
                name: name.to_owned(),
                size: size_of(&target)?,
                sha256: sha256.clone(),
            }));
        }
        let sha256 = transfer::receive(answer, name, &part, have, progress)?;
        content::check(&url, name, &part)?;
        let size = own_length(&part)?;
        fs::rename(&part, &target).map_err(DiskError::at("rename", &part))?;
        Ok(Some(FileRecord {
            name: name.to_owned(),
            size,
            sha256,
        }))
    }
}

fn part_of(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.part"))
}

/// 0 for a file that is not there.
fn size_of(path: &Path) -> Result<u64, HubError> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(e) => Err(DiskError::at("read", path)(e).into()),
    }
}
