//! The numbers of the inside of models for `results.json`: curves and means, and all records of
//! the kinds that have few.
//!
//! Never here: points of figures; every pair at every layer, which are in the records.

use std::collections::BTreeMap;

use schema::{
    Language,
    inside::{
        InterventionRecord, LayerNeurons, LensKind, Measure, NeuronOverlap, PairRecord, Pooling,
        SilencingRecord, TunedLensRecord,
    },
};
use serde::Serialize;

use super::{
    geometry::TwoLanguages,
    lens::LensCurves,
    means::mean_pair_change,
    view::{ModelView, ViewState},
};
use crate::stats::{Estimate, mean};

/// One view: a model before and after, or one of the two alone.
#[derive(Serialize)]
pub struct ViewResult<'a> {
    task: &'a str,
    title: &'a str,
    /// L.
    layers: usize,
    states: BTreeMap<&'static str, ViewStateResult<'a>>,
    /// After less before, mean over pairs with the mean of their intervals' ends, by layer.
    changes: BTreeMap<String, BTreeMap<usize, Estimate>>,
}

/// One model.
#[derive(Serialize)]
struct ViewStateResult<'a> {
    lens: &'a BTreeMap<Language, BTreeMap<LensKind, LensCurves>>,
    tuned_lens: &'a [TunedLensRecord],
    /// Shares of the variance, by pooling and layer.
    explained: BTreeMap<String, BTreeMap<usize, [f64; 2]>>,
    /// Mean over pairs, by measure and pooling, then by layer.
    pairs: BTreeMap<String, BTreeMap<usize, MeanOfPairs>>,
    neurons: Option<NeuronsResult<'a>>,
    silencing: &'a [SilencingRecord],
    patching: &'a [InterventionRecord],
}

#[derive(Serialize)]
struct MeanOfPairs {
    value: f64,
    null: Option<f64>,
    pairs: usize,
}

#[derive(Serialize)]
struct NeuronsResult<'a> {
    layers: &'a [LayerNeurons],
    overlap: &'a [NeuronOverlap],
}

impl<'a> ViewResult<'a> {
    /// The numbers of a view.
    pub fn new(view: &'a ModelView) -> Self {
        Self {
            task: view.task,
            title: &view.title,
            layers: view.layers,
            states: view
                .states
                .iter()
                .map(|state| (state.name, ViewStateResult::new(state)))
                .collect(),
            changes: mean_changes(view),
        }
    }
}

fn key(measure: Measure, pooling: Pooling) -> String {
    format!("{measure}.{pooling}")
}

fn mean_changes(view: &ModelView) -> BTreeMap<String, BTreeMap<usize, Estimate>> {
    let Some([_, after]) = view.both() else {
        return BTreeMap::new();
    };
    let mut changes = BTreeMap::new();
    for (pooling, records) in &after.changes {
        for measure in records.measures() {
            let by_layer = records
                .by_layer(measure)
                .filter_map(|(layer, _)| {
                    Some((layer, mean_pair_change(view, *pooling, measure, layer)?))
                })
                .collect();
            changes.insert(key(measure, *pooling), by_layer);
        }
    }
    changes
}

impl MeanOfPairs {
    fn new(records: &BTreeMap<TwoLanguages, PairRecord>) -> Self {
        let nulls: Vec<f64> = records.values().filter_map(|record| record.null).collect();
        Self {
            value: mean(records.values().map(|record| record.value)),
            null: (!nulls.is_empty()).then(|| mean(nulls)),
            pairs: records.len(),
        }
    }
}

impl<'a> ViewStateResult<'a> {
    fn new(state: &ViewState<'a>) -> Self {
        let records = state.records;
        let mut pairs = BTreeMap::new();
        for (pooling, table) in &records.pairs {
            for measure in table.measures() {
                let by_layer = table
                    .by_layer(measure)
                    .map(|(layer, records)| (layer, MeanOfPairs::new(records)))
                    .collect();
                pairs.insert(key(measure, *pooling), by_layer);
            }
        }
        let mut explained: BTreeMap<String, BTreeMap<usize, [f64; 2]>> = BTreeMap::new();
        for (pooling, components) in &records.maps {
            for map in &components.layers {
                let kind = if map.centred { "centred" } else { "joint" };
                explained
                    .entry(format!("{kind}.{pooling}"))
                    .or_default()
                    .insert(map.layer, map.explained);
            }
        }
        Self {
            lens: &records.lens,
            tuned_lens: &records.tuned_lens,
            explained,
            pairs,
            neurons: records.neurons.as_ref().map(|record| NeuronsResult {
                layers: &record.layers,
                overlap: &record.overlap,
            }),
            silencing: &records.silencing,
            patching: &records.interventions,
        }
    }
}
