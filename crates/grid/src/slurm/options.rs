//! `--slurm "partition=gpu,gres=gpu:1,time=2:00:00"`: options of `sbatch`.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Cell;

/// Set by the script itself.
const OURS: [&str; 8] = [
    "array",
    "chdir",
    "error",
    "job-name",
    "open-mode",
    "output",
    "requeue",
    "signal",
];

/// How cells are submitted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlurmOptions {
    /// Options of `sbatch`; one without a value has an empty one.
    pub fields: Vec<(String, String)>,
    /// Cells that one array task makes, one after the other; at least 1.
    pub pack: usize,
    /// Elements that run at once.
    pub max_running: Option<usize>,
    /// Seconds before its time limit at which an array task is told to stop.
    pub notice: u32,
}

/// Time for a step of training, or a batch of questions, and a checkpoint.
pub const NOTICE: u32 = 120;

impl SlurmOptions {
    /// The cells of each array task.
    pub(super) fn array_tasks<'a>(&self, cells: &[&'a Cell]) -> Vec<Vec<&'a Cell>> {
        cells
            .chunks(self.pack.max(1))
            .map(<[&Cell]>::to_vec)
            .collect()
    }
}

impl FromStr for SlurmOptions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut fields: Vec<(String, String)> = Vec::new();
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            match part.split_once('=') {
                Some((key, value)) if is_key(key) => {
                    fields.push((key.to_owned(), value.to_owned()))
                }
                // `nodelist=n1,n2` is one option.
                _ => match fields.last_mut() {
                    Some((_, value)) if !value.is_empty() && !is_flag(part) => {
                        value.push(',');
                        value.push_str(part);
                    }
                    _ if is_key(part) => fields.push((part.to_owned(), String::new())),
                    _ => {
                        return Err(format!(
                            "`{part}` is no option of sbatch: write `key=value`"
                        ));
                    }
                },
            }
        }
        for (key, value) in &fields {
            if OURS.contains(&key.as_str()) {
                return Err(format!("`{key}` is set by the program"));
            }
            if value.contains(char::is_whitespace) {
                return Err(format!("`{key}`: `{value}` has a space in it"));
            }
        }
        Ok(Self {
            fields,
            pack: 1,
            max_running: None,
            notice: NOTICE,
        })
    }
}

fn is_key(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_lowercase())
        && key
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// Options that stand alone.
fn is_flag(word: &str) -> bool {
    [
        "contiguous",
        "exclusive",
        "overcommit",
        "oversubscribe",
        "spread-job",
    ]
    .contains(&word)
}
