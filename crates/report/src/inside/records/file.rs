//! What a file of `inside/<model>/` is, by its name, and how its lines are read: one at a time,
//! so that a file may be large.
//!
//! Never here: what a kind of record must satisfy.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use schema::{
    Language,
    disk::DiskError,
    inside::{
        ChangeRecord, InterventionRecord, LensKind, NeuronsRecord, PairRecord, Pooling,
        SilencingRecord, TunedLensRecord,
    },
    task::UnknownWord,
};
use serde::de::DeserializeOwned;

use super::{ByPair, Components, Depth, LensCurves, geometry, intervention, lens, neurons};
use crate::{error::ReportError, run_records::name_of};

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Lens(Language),
    TunedLens,
    Pca(Pooling),
    Pairs(Pooling),
    Changes(Pooling),
    Neurons,
    Silencing,
    Patching,
}

/// What was read from it.
pub(crate) enum Content {
    Lens(BTreeMap<LensKind, LensCurves>),
    TunedLens(Vec<TunedLensRecord>),
    Pca(Components),
    Pairs(ByPair<PairRecord>),
    Changes(ByPair<ChangeRecord>),
    Neurons(Box<NeuronsRecord>),
    Silencing(Vec<SilencingRecord>),
    Interventions(Vec<InterventionRecord>),
}

impl Kind {
    /// Task and kind of `<kind>.<task>[.<language or pooling>].jsonl`; `None` for what is no
    /// file of records, such as the translators of a tuned lens.
    pub(crate) fn of_file(path: &Path) -> Result<Option<(String, Self)>, ReportError> {
        let name = name_of(path);
        let Some(stem) = name
            .strip_suffix(".jsonl")
            .or_else(|| name.strip_suffix(".json"))
        else {
            return Ok(None);
        };
        let fail = |problem: String| ReportError::FileName {
            path: path.to_owned(),
            problem,
        };
        let Some((word, rest)) = stem.split_once('.') else {
            return Err(fail(
                "its name has no task; records are named `<kind>.<task>.<language or pooling>.jsonl`".to_owned(),
            ));
        };
        let parts = || {
            rest.rsplit_once('.')
                .ok_or_else(|| fail(format!("`{word}` needs a task and what comes after it")))
        };
        let pooling = |text: &str| {
            text.parse::<Pooling>()
                .map_err(|error: UnknownWord| fail(error.to_string()))
        };
        let (task, kind) = match word {
            "lens" => {
                let (task, language) = parts()?;
                (
                    task,
                    Self::Lens(
                        Language::of_record(language).map_err(|error| fail(error.to_string()))?,
                    ),
                )
            }
            "pca" | "pairs" | "changes" => {
                let (task, text) = parts()?;
                let pooling = pooling(text)?;
                let kind = match word {
                    "pca" => Self::Pca(pooling),
                    "pairs" => Self::Pairs(pooling),
                    _ => Self::Changes(pooling),
                };
                (task, kind)
            }
            "tuned-lens" => (rest, Self::TunedLens),
            "neurons" => (rest, Self::Neurons),
            "silencing" => (rest, Self::Silencing),
            "patching" => (rest, Self::Patching),
            other => {
                return Err(fail(format!(
                    "`{other}` is no kind of record that this version knows"
                )));
            }
        };
        Ok(Some((task.to_owned(), kind)))
    }

    /// Reads and checks a file of this kind.
    pub(crate) fn read(self, path: &Path) -> Result<Content, ReportError> {
        Ok(match self {
            Self::Lens(language) => Content::Lens(lens::read(path, language)?),
            Self::TunedLens => Content::TunedLens(lens::read_tuned(path)?),
            Self::Pca(_) => Content::Pca(geometry::read_components(path)?),
            Self::Pairs(_) => Content::Pairs(geometry::read_pairs(path)?),
            Self::Changes(_) => Content::Changes(geometry::read_pairs(path)?),
            Self::Neurons => Content::Neurons(Box::new(neurons::read(path)?)),
            Self::Silencing => Content::Silencing(intervention::read_silencing(path)?),
            Self::Patching => Content::Interventions(intervention::read_interventions(path)?),
        })
    }
}

impl Content {
    /// What it says of the number of layers; `None` if it holds no record.
    pub(crate) fn depth(&self) -> Option<Depth> {
        match self {
            Self::Lens(curves) => {
                let depth = |of: &LensCurves| {
                    if of.kept == 0 {
                        Depth::AtLeast(0)
                    } else {
                        Depth::Exactly(of.layers)
                    }
                };
                curves
                    .values()
                    .map(depth)
                    .max_by_key(|depth| depth.number())
            }
            Self::Neurons(record) => record
                .layers
                .last()
                .map(|layer| Depth::Exactly(layer.layer)),
            Self::TunedLens(records) => records.iter().map(|r| r.layer).max().map(Depth::AtLeast),
            Self::Pca(components) => components
                .layers
                .iter()
                .map(|of| of.layer)
                .max()
                .map(Depth::AtLeast),
            Self::Pairs(pairs) => pairs.last_layer().map(Depth::AtLeast),
            Self::Changes(changes) => changes.last_layer().map(Depth::AtLeast),
            Self::Silencing(records) => (!records.is_empty()).then_some(Depth::AtLeast(0)),
            Self::Interventions(records) => {
                records.iter().map(|r| r.layer).max().map(Depth::AtLeast)
            }
        }
    }
}

/// Hands every record of a file of JSON Lines on. `take` says what is wrong with one.
pub(super) fn each_record<T: DeserializeOwned>(
    path: &Path,
    mut take: impl FnMut(T) -> Result<(), String>,
) -> Result<(), ReportError> {
    let mut reader = BufReader::with_capacity(
        1 << 17,
        File::open(path).map_err(DiskError::at("read", path))?,
    );
    let (mut bytes, mut line) = (Vec::new(), 0);
    loop {
        bytes.clear();
        if reader
            .read_until(b'\n', &mut bytes)
            .map_err(DiskError::at("read", path))?
            == 0
        {
            return Ok(());
        }
        line += 1;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let record = serde_json::from_slice(&bytes).map_err(|problem| ReportError::BadLine {
            path: path.to_owned(),
            line,
            problem,
        })?;
        take(record).map_err(|problem| ReportError::BadRecord {
            path: path.to_owned(),
            line,
            problem,
        })?;
    }
}

/// What is wrong with the first of some named numbers that is not within `low..=high`.
pub(super) fn check_within(low: f64, high: f64, numbers: &[(&str, f64)]) -> Result<(), String> {
    match numbers
        .iter()
        .find(|(_, number)| !(low..=high).contains(number))
    {
        Some((name, number)) => Err(format!(
            "`{name}` is {number}, which is not between {low} and {high}"
        )),
        None => Ok(()),
    }
}

/// What is wrong with the first of some named numbers that is not finite.
pub(super) fn check_finite(numbers: &[(&str, Option<f64>)]) -> Result<(), String> {
    match numbers
        .iter()
        .find(|(_, number)| number.is_some_and(|number| !number.is_finite()))
    {
        Some((name, number)) => Err(format!(
            "`{name}` is {}, which is no number",
            number.unwrap_or(f64::NAN)
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_kind_task_and_the_rest() {
        let of = |name: &str| Kind::of_file(Path::new(name)).map_err(|error| error.to_string());
        let some = |task: &str, kind| Ok(Some((task.to_owned(), kind)));
        assert_eq!(
            of("lens.my.topic.zh_Hant.jsonl"),
            some(
                "my.topic",
                Kind::Lens(Language::of_record("zh_Hant").expect("a code"))
            )
        );
        assert_eq!(
            of("pairs.snli.question.jsonl"),
            some("snli", Kind::Pairs(Pooling::Question))
        );
        assert_eq!(
            of("tuned-lens.emotion.jsonl"),
            some("emotion", Kind::TunedLens)
        );
        assert_eq!(of("neurons.emotion.json"), some("emotion", Kind::Neurons));
        assert_eq!(of("tuned-lens.emotion.safetensors"), Ok(None));
        let error = |name: &str| of(name).expect_err("refused");
        assert_eq!(
            error("lens.jsonl"),
            "lens.jsonl: its name has no task; records are named `<kind>.<task>.<language or pooling>.jsonl`; move the file elsewhere"
        );
        assert_eq!(
            error("lens.zh.jsonl"),
            "lens.zh.jsonl: `lens` needs a task and what comes after it; move the file elsewhere"
        );
        assert!(
            error("pca.emotion.middle.jsonl")
                .contains("unknown value `middle`; one of: all, question, weighted, last"),
            "{}",
            error("pca.emotion.middle.jsonl")
        );
        assert!(error("probe.emotion.jsonl").contains("`probe` is no kind of record"));
    }
}
