//! The program, model, adapter and machine behind the numbers, as records name them.

use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// The model behind the numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ModelFacts {
    /// As named in records.
    pub name: String,
    /// Where it was fetched from.
    pub revision: Option<String>,
    /// Hash of its files.
    pub fingerprint: String,
}

/// The machine behind the numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct MachineFacts {
    /// `cpu`, `cuda`, ...
    pub device: String,
    /// What the processor calls itself; `None` where the system does not report it.
    #[serde(default)]
    pub cpu: Option<String>,
    /// Instruction set of the CPU's products.
    pub instruction_set: String,
    /// Worker threads.
    pub threads: usize,
    /// Largest resident memory of the program so far, bytes; `None` where the system does not
    /// report it.
    pub peak_memory_bytes: Option<u64>,
}

/// When and by which command the stages were made. Moments are of UTC, as RFC 3339 writes them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct MakingFacts {
    /// When the first stage was begun.
    pub started: Option<String>,
    /// When the last one was finished.
    pub finished: Option<String>,
    /// Of the process that finished it.
    pub command: Option<String>,
}

impl MakingFacts {
    /// Of a stage that took so many seconds and is finished now.
    pub(crate) fn note(&mut self, seconds: f64, is_first: bool) {
        let now = Utc::now();
        if is_first && self.started.is_none() {
            let took = TimeDelta::milliseconds((1000.0 * seconds) as i64);
            self.started = Some(moment(now - took));
        }
        self.finished = Some(moment(now));
        self.command = Some(command(std::env::args()));
    }
}

fn moment(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A command as a shell takes it; the program without its folder.
fn command(arguments: impl Iterator<Item = String>) -> String {
    let words = arguments.enumerate().map(|(place, word)| match place {
        0 => Path::new(&word)
            .file_name()
            .map_or(word.clone(), |name| name.to_string_lossy().into_owned()),
        _ => quote(&word),
    });
    words.collect::<Vec<String>>().join(" ")
}

fn quote(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./=:,@+%".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// Name and version of this program.
pub fn program() -> &'static str {
    concat!("lingualign ", env!("CARGO_PKG_VERSION"))
}

/// The adapter without the folders before it.
pub(crate) fn name_of_adapter(adapter: &str) -> &str {
    adapter.rsplit(['/', '\\']).next().unwrap_or(adapter)
}

/// What the hub calls a model of the catalogue; any other name as it is.
pub(crate) fn hub_name(model: &str) -> String {
    hub::catalogue::entry(model)
        .map_or(model, |entry| entry.hub_id)
        .to_owned()
}

/// The two files of a PEFT folder.
pub(crate) fn adapter_files(folder: &Path) -> [PathBuf; 2] {
    [
        folder.join(model::adapter::peft::WEIGHTS),
        folder.join(model::adapter::peft::CONFIG),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_given_to_a_shell() {
        let words = [
            "/opt/bin/lingualign",
            "run",
            "my recipe.toml",
            "--set",
            "seeds=[1]",
            "it's",
        ];
        let said = command(words.into_iter().map(str::to_owned));
        assert_eq!(
            said,
            r"lingualign run 'my recipe.toml' --set 'seeds=[1]' 'it'\''s'"
        );
    }

    #[test]
    fn the_first_stage_tells_when_a_run_began() {
        let mut facts = MakingFacts::default();
        facts.note(3600.0, true);
        let started = facts.started.clone().expect("a moment");
        assert!(Some(&started) < facts.finished.as_ref(), "{facts:?}");
        facts.note(7200.0, true);
        assert_eq!(facts.started, Some(started));
        let mut of_old = MakingFacts::default();
        of_old.note(1.0, false);
        assert_eq!(of_old.started, None, "earlier stages have no moment");
    }
}
