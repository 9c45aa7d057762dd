//! Two runs of one recipe held against each other, file by file: the same bytes, other numbers, other answers. What says
//! who computed something, where and how fast is left out. Never here: what a difference means.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs,
    path::Path,
};

use run::FinishedRun;
use safetensors::{Dtype, SafeTensors};
use schema::disk::DiskError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{ArchiveError, Result};

/// Keys of records that name a thing by where it is, or say how long something took.
const ASIDE: [&str; 4] = ["model", "adapter", "few_shot", "seconds"];
/// Keys of a record that are what the model says.
const ANSWERS: [&str; 4] = ["chosen", "correct", "said", "answer"];

/// How like its original something is, from best to worst.
#[derive(Clone, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "likeness")]
pub enum Likeness {
    /// Nothing differs.
    Same,
    /// Numbers differ.
    Numbers {
        /// The largest distance of two.
        largest: f64,
    },
    /// A file that was not packed has other bytes: other numbers, how far away nobody knows.
    Bytes {
        /// The file.
        what: String,
    },
    /// The model answers otherwise.
    Answers {
        /// Lines with another answer.
        differ: usize,
        /// All lines.
        of: usize,
        /// The largest distance of two numbers.
        largest: f64,
    },
    /// Something else differs.
    Other {
        /// In words.
        what: String,
    },
}

/// A stage of the original and what came out of it here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageDifference {
    /// The stage, as in the manifest.
    pub stage: String,
    /// That of its file that is least like its original.
    #[serde(flatten)]
    pub likeness: Likeness,
}

/// Every stage of the original, in the order of their names.
pub(crate) fn compare_runs(
    original: (&FinishedRun, &Path),
    left_out: &BTreeMap<String, String>,
    again: (&FinishedRun, &Path),
) -> Result<Vec<StageDifference>> {
    let nothing = BTreeMap::new();
    let stages = original.0.stages.iter().map(|(stage, files)| {
        let others = again.0.stages.get(stage).unwrap_or(&nothing);
        let mut worst = Likeness::Same;
        for (file, sha256) in files {
            let likeness = match others.get(file) {
                Some(other) if other == sha256 => Likeness::Same,
                Some(_) if left_out.contains_key(file) => Likeness::Bytes { what: file.clone() },
                Some(_) => compare_files(file, original.1, again.1)?,
                None => Likeness::Other {
                    what: format!("{file} was not made"),
                },
            };
            if likeness > worst {
                worst = likeness;
            }
        }
        Ok(StageDifference {
            stage: stage.clone(),
            likeness: worst,
        })
    });
    stages.collect()
}

/// A file whose bytes differ.
fn compare_files(file: &str, original: &Path, again: &Path) -> Result<Likeness> {
    // Beside answers: what computed them, and their hash.
    if file.ends_with(".meta.json") {
        return Ok(Likeness::Same);
    }
    let (original, again) = (original.join(file), again.join(file));
    let read = |path: &Path| fs::read(path).map_err(DiskError::at("read", path));
    match Path::new(file).extension().and_then(OsStr::to_str) {
        Some("safetensors") => compare_tensors(file, &read(&original)?, &read(&again)?),
        Some("json" | "jsonl") => {
            let (a, b) = (read_values(&original)?, read_values(&again)?);
            Ok(compare_values(file, &a, &b))
        }
        _ => Ok(other(file, "has other bytes")),
    }
}

fn read_values(path: &Path) -> Result<Vec<Value>> {
    let bytes = fs::read(path).map_err(DiskError::at("read", path))?;
    let values: serde_json::Result<Vec<Value>> = serde_json::Deserializer::from_slice(&bytes)
        .into_iter()
        .collect();
    values.map_err(ArchiveError::damaged(path))
}

fn other(file: &str, what: &str) -> Likeness {
    Likeness::Other {
        what: format!("{file} {what}"),
    }
}

/// What differs between two lists of records.
#[derive(Default)]
struct Tally {
    largest: f64,
    answers: bool,
    /// Where something else differs.
    other: Option<String>,
}

fn compare_values(file: &str, a: &[Value], b: &[Value]) -> Likeness {
    if a.len() != b.len() {
        return other(file, &format!("has {} records, not {}", b.len(), a.len()));
    }
    let (mut largest, mut differ) = (0.0_f64, 0);
    for (at, (a, b)) in a.iter().zip(b).enumerate() {
        let mut tally = Tally::default();
        tally.walk("", a, b);
        if let Some(key) = tally.other {
            return other(file, &format!("differs at `{key}` of record {}", at + 1));
        }
        differ += usize::from(tally.answers);
        largest = largest.max(tally.largest);
    }
    let of = a.len();
    match (differ, largest) {
        (0, 0.0) => Likeness::Same,
        (0, largest) => Likeness::Numbers { largest },
        _ => Likeness::Answers {
            differ,
            of,
            largest,
        },
    }
}

impl Tally {
    fn walk(&mut self, key: &str, a: &Value, b: &Value) {
        match (a, b) {
            (Value::Object(a), Value::Object(b)) => {
                let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
                for key in keys
                    .into_iter()
                    .filter(|key| !ASIDE.contains(&key.as_str()))
                {
                    let at = |map: &serde_json::Map<String, Value>| {
                        map.get(key).cloned().unwrap_or_default()
                    };
                    self.walk(key, &at(a), &at(b));
                }
            }
            (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
                a.iter().zip(b).for_each(|(a, b)| self.walk(key, a, b));
            }
            (a, b) if a == b => {}
            _ if ANSWERS.contains(&key) => self.answers = true,
            (Value::Number(a), Value::Number(b)) => {
                let distance = a.as_f64().zip(b.as_f64()).map(|(a, b)| (a - b).abs());
                self.largest = self.largest.max(distance.unwrap_or(f64::INFINITY));
            }
            _ => drop(self.other.get_or_insert_with(|| key.to_owned())),
        }
    }
}

fn compare_tensors(file: &str, a: &[u8], b: &[u8]) -> Result<Likeness> {
    let read =
        |bytes| SafeTensors::deserialize(bytes).map_err(ArchiveError::damaged(Path::new(file)));
    let (a, b) = (read(a)?, read(b)?);
    if a.names().len() != b.names().len() {
        return Ok(other(file, "has other tensors"));
    }
    let mut largest = 0.0_f64;
    for (name, a) in a.iter() {
        let Ok(b) = b.tensor(name) else {
            return Ok(other(file, &format!("has no `{name}`")));
        };
        if a.shape() != b.shape() || a.dtype() != b.dtype() {
            return Ok(other(
                file,
                &format!("has another shape or type of `{name}`"),
            ));
        }
        if a.data() == b.data() {
            continue;
        }
        if a.dtype() != Dtype::F32 {
            return Ok(other(file, &format!("has other bytes in `{name}`")));
        }
        largest = largest.max(largest_distance(a.data(), b.data()));
    }
    Ok(match largest {
        0.0 => Likeness::Same,
        largest => Likeness::Numbers { largest },
    })
}

/// Of two slices of f32 values.
fn largest_distance(a: &[u8], b: &[u8]) -> f64 {
    let values = |bytes: &[u8]| -> Vec<f64> {
        let numbers = bytes.as_chunks::<4>().0.iter();
        numbers.map(|&n| f64::from(f32::from_le_bytes(n))).collect()
    };
    let pairs = values(a).into_iter().zip(values(b));
    pairs.fold(0.0, |largest, (a, b)| {
        let distance = (a - b).abs();
        // Beside a number, none is as far as can be.
        if distance.is_nan() {
            f64::INFINITY
        } else {
            largest.max(distance)
        }
    })
}

#[cfg(test)]
mod tests;
