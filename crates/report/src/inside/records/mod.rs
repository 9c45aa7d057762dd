//! Reading `inside/` of a run folder: each file streamed, checked line by line and condensed to
//! what is shown.
//!
//! Never here: what the numbers mean; repairing a record.

mod file;
mod geometry;
mod intervention;
mod lens;
mod neurons;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use rayon::prelude::*;
use schema::{
    Language,
    inside::{
        InterventionRecord, LensKind, NeuronsRecord, Pooling, SilencingRecord, TunedLensRecord,
    },
};

use file::Content;
pub(crate) use file::Kind;
pub(crate) use geometry::{ByPair, Components, Two};
pub(crate) use lens::{LensCurves, LensItem};

use crate::{
    error::ReportError,
    run_records::{list, name_of},
};

/// By task, then by model (`base` or an adapter's name).
pub(crate) type InsideRecords = BTreeMap<String, BTreeMap<String, ModelRecords>>;

/// What was found inside one model with the prompts of one task.
#[derive(Clone, Debug, Default)]
pub(crate) struct ModelRecords {
    pub lens: BTreeMap<Language, BTreeMap<LensKind, LensCurves>>,
    /// By layer.
    pub tuned_lens: Vec<TunedLensRecord>,
    pub maps: BTreeMap<Pooling, Components>,
    pub pairs: BTreeMap<Pooling, ByPair<schema::inside::PairRecord>>,
    pub changes: BTreeMap<Pooling, ByPair<schema::inside::ChangeRecord>>,
    pub neurons: Option<NeuronsRecord>,
    pub silencing: Vec<SilencingRecord>,
    pub interventions: Vec<InterventionRecord>,
    /// L.
    pub layers: usize,
    /// A file that tells L.
    pub source: PathBuf,
}

/// Reads every file that is not `stale`.
pub(crate) fn read(root: &Path, stale: &BTreeSet<PathBuf>) -> Result<InsideRecords, ReportError> {
    let mut files = Vec::new();
    for folder in list(root)?.into_iter().filter(|path| path.is_dir()) {
        for path in list(&folder)?
            .into_iter()
            .filter(|path| path.is_file() && !stale.contains(path))
        {
            if let Some((task, kind)) = Kind::of_file(&path)? {
                files.push((name_of(&folder), task, kind, path));
            }
        }
    }
    // collected in the order of the files, so that the first broken one is named whatever
    // thread met it
    let contents: Vec<Result<Content, ReportError>> = files
        .par_iter()
        .map(|(_, _, kind, path)| kind.read(path))
        .collect();
    let mut records = InsideRecords::new();
    let mut depths: BTreeMap<(String, String), Vec<(Depth, PathBuf)>> = BTreeMap::new();
    for ((model, task, kind, path), content) in files.into_iter().zip(contents) {
        let content = content?;
        if let Some(depth) = content.depth() {
            depths
                .entry((task.clone(), model.clone()))
                .or_default()
                .push((depth, path));
        } else {
            continue; // a file without a record
        }
        records
            .entry(task)
            .or_default()
            .entry(model)
            .or_default()
            .add(kind, content);
    }
    for ((task, model), depths) in depths {
        let (layers, source) = agree(&depths)?;
        if let Some(of) = records
            .get_mut(&task)
            .and_then(|models| models.get_mut(&model))
        {
            of.layers = layers;
            of.source = source;
        }
    }
    Ok(records)
}

/// What a file says of the number of layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// There are so many.
    Exactly(usize),
    /// There are at least so many: a layer may be missing where a measure is not defined.
    AtLeast(usize),
}

impl Depth {
    fn number(self) -> usize {
        match self {
            Self::Exactly(number) | Self::AtLeast(number) => number,
        }
    }
}

/// L, and the file that tells it.
fn agree(depths: &[(Depth, PathBuf)]) -> Result<(usize, PathBuf), ReportError> {
    let exact = depths
        .iter()
        .find(|(depth, _)| matches!(depth, Depth::Exactly(_)));
    let deepest = depths.iter().max_by_key(|(depth, _)| depth.number());
    let Some((chosen, source)) = exact.or(deepest) else {
        return Ok((0, PathBuf::new()));
    };
    let layers = chosen.number();
    let contradicts = |depth: Depth| match depth {
        Depth::Exactly(number) => number != layers,
        Depth::AtLeast(number) => number > layers,
    };
    match depths.iter().find(|(depth, _)| contradicts(*depth)) {
        None => Ok((layers, source.clone())),
        Some((depth, other)) => Err(ReportError::NotComparable {
            a: source.clone(),
            b: other.clone(),
            difference: format!("one has {layers} layers and the other {}", depth.number()),
        }),
    }
}

impl ModelRecords {
    fn add(&mut self, kind: Kind, content: Content) {
        match (kind, content) {
            (Kind::Lens(language), Content::Lens(curves)) => {
                self.lens.insert(language, curves);
            }
            (Kind::Pca(pooling), Content::Pca(components)) => {
                self.maps.insert(pooling, components);
            }
            (Kind::Pairs(pooling), Content::Pairs(pairs)) => {
                self.pairs.insert(pooling, pairs);
            }
            (Kind::Changes(pooling), Content::Changes(changes)) => {
                self.changes.insert(pooling, changes);
            }
            (_, Content::TunedLens(records)) => self.tuned_lens = records,
            (_, Content::Neurons(record)) => self.neurons = Some(*record),
            (_, Content::Silencing(records)) => self.silencing = records,
            (_, Content::Interventions(records)) => self.interventions = records,
            _ => {} // a kind is read into its own content
        }
    }

    /// Kinds and their languages or poolings, in words, to compare two models by.
    pub(crate) fn inventory(&self) -> BTreeSet<String> {
        let mut found: BTreeSet<String> = self
            .lens
            .keys()
            .map(|language| format!("lens in {language}"))
            .collect();
        found.extend(
            self.maps
                .keys()
                .map(|pooling| format!("components with pooling {pooling}")),
        );
        found.extend(
            self.pairs
                .keys()
                .map(|pooling| format!("measures of pairs with pooling {pooling}")),
        );
        let kinds = [
            ("tuned lens", !self.tuned_lens.is_empty()),
            ("neurons", self.neurons.is_some()),
            ("silencing", !self.silencing.is_empty()),
            ("patching", !self.interventions.is_empty()),
        ];
        found.extend(
            kinds
                .into_iter()
                .filter(|(_, is_there)| *is_there)
                .map(|(kind, _)| kind.to_owned()),
        );
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_agree_on_the_number_of_layers() {
        let depths = |all: &[Depth]| {
            all.iter()
                .enumerate()
                .map(|(n, d)| (*d, format!("f{n}").into()))
                .collect::<Vec<_>>()
        };
        let agreed = |all: &[Depth]| {
            agree(&depths(all))
                .map(|(layers, _)| layers)
                .map_err(|error| error.to_string())
        };
        assert_eq!(agreed(&[Depth::AtLeast(29), Depth::Exactly(30)]), Ok(30));
        assert_eq!(agreed(&[Depth::AtLeast(29), Depth::AtLeast(30)]), Ok(30));
        let error = "f0 and f1 cannot be compared: one has 30 layers and the other 31; evaluate both in the same way";
        assert_eq!(
            agreed(&[Depth::Exactly(30), Depth::AtLeast(31)]),
            Err(error.to_owned())
        );
        assert!(agreed(&[Depth::Exactly(30), Depth::Exactly(29)]).is_err());
    }
}
