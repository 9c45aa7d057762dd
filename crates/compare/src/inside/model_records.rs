//! All records of one model and task.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use schema::{
    Language,
    inside::{
        ChangeRecord, InterventionRecord, LensKind, NeuronsRecord, PairRecord, Pooling,
        SilencingRecord, TunedLensRecord,
    },
};

use super::{
    geometry::{ByPair, MapLayers},
    lens::LensCurves,
    record_file::{RecordContent, RecordFile},
};

/// By task, then by model (`base` or an adapter's name).
pub type InsideRecords = BTreeMap<String, BTreeMap<String, ModelRecords>>;

/// What was found inside one model with the prompts of one task.
#[derive(Clone, Debug, Default)]
pub struct ModelRecords {
    /// Curves of each language and lens.
    pub lens: BTreeMap<Language, BTreeMap<LensKind, LensCurves>>,
    /// The tuned lens, by layer.
    pub tuned_lens: Vec<TunedLensRecord>,
    /// Principal components by pooling.
    pub maps: BTreeMap<Pooling, MapLayers>,
    /// Measures of pairs of languages by pooling.
    pub pairs: BTreeMap<Pooling, ByPair<PairRecord>>,
    /// Their changes from the base model, by pooling.
    pub changes: BTreeMap<Pooling, ByPair<ChangeRecord>>,
    /// Neurons specific to languages.
    pub neurons: Option<NeuronsRecord>,
    /// Effects of silenced neurons.
    pub silencing: Vec<SilencingRecord>,
    /// Effects of changed residual vectors.
    pub interventions: Vec<InterventionRecord>,
    /// L.
    pub layers: usize,
    /// The file that L was read from.
    pub source: PathBuf,
}

impl ModelRecords {
    pub(crate) fn add(&mut self, kind: RecordFile, content: RecordContent) {
        match (kind, content) {
            (RecordFile::Lens(language), RecordContent::Lens(curves)) => {
                self.lens.insert(language, curves);
            }
            (RecordFile::Pca(pooling), RecordContent::Pca(components)) => {
                self.maps.insert(pooling, components);
            }
            (RecordFile::Pairs(pooling), RecordContent::Pairs(pairs)) => {
                self.pairs.insert(pooling, pairs);
            }
            (RecordFile::Changes(pooling), RecordContent::Changes(changes)) => {
                self.changes.insert(pooling, changes);
            }
            (_, RecordContent::TunedLens(records)) => self.tuned_lens = records,
            (_, RecordContent::Neurons(record)) => self.neurons = Some(*record),
            (_, RecordContent::Silencing(records)) => self.silencing = records,
            (_, RecordContent::Interventions(records)) => self.interventions = records,
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
