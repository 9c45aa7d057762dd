//! What the process that makes a cell says of itself, so that others can tell a slow cell from a
//! dead one. Whether a cell is done is the manifest's to say.

use std::{fs, io::ErrorKind, path::Path};

use schema::{disk::DiskError, write_whole};
use serde::{Deserialize, Serialize};

use crate::{GridError, error::Result};

/// How a cell ended, or that it has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is being made.
    Working,
    /// Every stage is made.
    Done,
    /// A stage failed.
    Failed,
    /// The user or the cluster asked to stop; it resumes.
    Interrupted,
}

/// `cells/<member>.<model>.json`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellRecord {
    /// How it ended.
    pub outcome: Outcome,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Machine.
    pub host: String,
    /// Process.
    pub pid: u32,
    /// The call that asked for it: within one, a cell that failed is not tried again.
    pub attempt: String,
    /// The cluster's name of the job, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// When it was begun: RFC 3339, UTC.
    pub started: String,
    /// What is being done: a label, how much of it, of how much.
    pub doing: (String, usize, usize),
}

impl CellRecord {
    /// Of a cell that this process begins.
    pub(crate) fn begun(attempt: &str) -> Self {
        Self {
            outcome: Outcome::Working,
            error: None,
            host: host(),
            pid: std::process::id(),
            attempt: attempt.to_owned(),
            job: job(),
            started: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            doing: (String::new(), 0, 0),
        }
    }

    /// Reads a record; `None` if there is none.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(problem) if problem.kind() == ErrorKind::NotFound => return Ok(None),
            Err(problem) => return Err(DiskError::at("read", path)(problem).into()),
        };
        let record = serde_json::from_str(&text).map_err(|problem| GridError::Damaged {
            path: path.to_owned(),
            problem,
        })?;
        Ok(Some(record))
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::json!(self);
        Ok(write_whole(path, format!("{text:#}\n").as_bytes())?)
    }
}

/// The machine's name.
pub(crate) fn host() -> String {
    #[cfg(unix)]
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    #[cfg(not(unix))]
    let name = std::env::var("COMPUTERNAME").unwrap_or_default();
    name
}

/// Slurm's name of an array task: `123_4`.
fn job() -> Option<String> {
    let read = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    match (read("SLURM_ARRAY_JOB_ID"), read("SLURM_ARRAY_TASK_ID")) {
        (Some(job), Some(array_task)) => Some(format!("{job}_{array_task}")),
        _ => read("SLURM_JOB_ID"),
    }
}
