//! The kinds of file in `inside/<model>/`: which one a file is, by its name, and what it holds.
//!
//! Never here: what a kind of record must satisfy.

use std::{collections::BTreeMap, path::Path};

use schema::{
    Language,
    inside::{
        ChangeRecord, InterventionRecord, LensKind, NeuronsRecord, PairRecord, Pooling,
        SilencingRecord, TunedLensRecord,
    },
    task::UnknownWord,
};

use super::{
    depth::Depth,
    geometry::{self, ByPair, MapLayers},
    intervention,
    lens::{self, LensCurves},
    neurons,
};
use crate::{error::CompareError, folder::name_of};

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordFile {
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
pub(crate) enum RecordContent {
    Lens(BTreeMap<LensKind, LensCurves>),
    TunedLens(Vec<TunedLensRecord>),
    Pca(MapLayers),
    Pairs(ByPair<PairRecord>),
    Changes(ByPair<ChangeRecord>),
    Neurons(Box<NeuronsRecord>),
    Silencing(Vec<SilencingRecord>),
    Interventions(Vec<InterventionRecord>),
}

impl RecordFile {
    /// Task and kind of `<kind>.<task>[.<language or pooling>].jsonl`; `None` for what is no
    /// file of records, such as the translators of a tuned lens.
    pub(crate) fn of_file(path: &Path) -> Result<Option<(String, Self)>, CompareError> {
        let name = name_of(path);
        let Some(stem) = name
            .strip_suffix(".jsonl")
            .or_else(|| name.strip_suffix(".json"))
        else {
            return Ok(None);
        };
        let fail = |problem: String| CompareError::FileName {
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
    pub(crate) fn read(self, path: &Path) -> Result<RecordContent, CompareError> {
        Ok(match self {
            Self::Lens(language) => RecordContent::Lens(lens::read(path, language)?),
            Self::TunedLens => RecordContent::TunedLens(lens::read_tuned(path)?),
            Self::Pca(_) => RecordContent::Pca(geometry::read_components(path)?),
            Self::Pairs(_) => RecordContent::Pairs(geometry::read_pairs(path)?),
            Self::Changes(_) => RecordContent::Changes(geometry::read_pairs(path)?),
            Self::Neurons => RecordContent::Neurons(Box::new(neurons::read(path)?)),
            Self::Silencing => RecordContent::Silencing(intervention::read_silencing(path)?),
            Self::Patching => RecordContent::Interventions(intervention::read_interventions(path)?),
        })
    }
}

impl RecordContent {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_kind_task_and_the_rest() {
        let of =
            |name: &str| RecordFile::of_file(Path::new(name)).map_err(|error| error.to_string());
        let some = |task: &str, kind| Ok(Some((task.to_owned(), kind)));
        assert_eq!(
            of("lens.my.topic.zh_Hant.jsonl"),
            some(
                "my.topic",
                RecordFile::Lens(Language::of_record("zh_Hant").expect("a code"))
            )
        );
        assert_eq!(
            of("pairs.snli.question.jsonl"),
            some("snli", RecordFile::Pairs(Pooling::Question))
        );
        assert_eq!(
            of("tuned-lens.emotion.jsonl"),
            some("emotion", RecordFile::TunedLens)
        );
        assert_eq!(
            of("neurons.emotion.json"),
            some("emotion", RecordFile::Neurons)
        );
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
