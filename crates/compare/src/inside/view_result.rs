//! The numbers of what is inside for `results.json`: curves and means, records as they are
//! where they are few.
//!
//! Never here: points of figures; every pair at every layer, which stand in the records.

use std::collections::BTreeMap;

use schema::{
    Language,
    inside::{
        InterventionRecord, LayerNeurons, LensKind, Measure, NeuronOverlap, Pooling,
        SilencingRecord, TunedLensRecord,
    },
};
use serde::Serialize;

use super::{
    geometry::ByPair,
    lens::LensCurves,
    means::mean_pair_change,
    view::{ModelView, ViewState},
};
use crate::stats::{Estimate, mean};

/// One look.
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
    pub fn new(look: &'a ModelView) -> Self {
        Self {
            task: look.task,
            title: &look.title,
            layers: look.layers,
            states: look
                .states
                .iter()
                .map(|state| (state.name, ViewStateResult::new(state)))
                .collect(),
            changes: changes(look),
        }
    }
}

fn key(measure: Measure, pooling: Pooling) -> String {
    format!("{measure}.{pooling}")
}

fn changes(look: &ModelView) -> BTreeMap<String, BTreeMap<usize, Estimate>> {
    let Some([_, after]) = look.both() else {
        return BTreeMap::new();
    };
    let of = |(pooling, table): (&Pooling, &ByPair<schema::inside::ChangeRecord>)| {
        let by_layer = |measure: Measure| {
            let layers = table.by_layer(measure).map(|(layer, _)| layer);
            layers
                .filter_map(|layer| {
                    Some((layer, mean_pair_change(look, *pooling, measure, layer)?))
                })
                .collect()
        };
        table
            .measures()
            .into_iter()
            .map(|measure| (key(measure, *pooling), by_layer(measure)))
            .collect::<Vec<_>>()
    };
    after.changes.iter().flat_map(of).collect()
}

impl<'a> ViewStateResult<'a> {
    fn new(state: &ViewState<'a>) -> Self {
        let records = state.records;
        let mut pairs = BTreeMap::new();
        for (pooling, table) in &records.pairs {
            for measure in table.measures() {
                let of = |all: &BTreeMap<_, schema::inside::PairRecord>| {
                    let nulls: Vec<f64> = all.values().filter_map(|record| record.null).collect();
                    let null = (!nulls.is_empty()).then(|| mean(nulls));
                    MeanOfPairs {
                        value: mean(all.values().map(|record| record.value)),
                        null,
                        pairs: all.len(),
                    }
                };
                let by_layer = table
                    .by_layer(measure)
                    .map(|(layer, all)| (layer, of(all)))
                    .collect();
                pairs.insert(key(measure, *pooling), by_layer);
            }
        }
        let mut explained: BTreeMap<String, BTreeMap<usize, [f64; 2]>> = BTreeMap::new();
        for (pooling, components) in &records.maps {
            for layout in &components.layers {
                let kind = if layout.centred { "centred" } else { "joint" };
                explained
                    .entry(format!("{kind}.{pooling}"))
                    .or_default()
                    .insert(layout.layer, layout.explained);
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
