//! Components and measures of pairs: checked, with no more points than a figure can show.
//!
//! Never here: drawing; choosing layers.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use schema::{
    Language,
    inside::{ChangeRecord, Measure, PairRecord, PcaRecord},
};
use serde::de::DeserializeOwned;

use crate::{
    error::CompareError,
    record_lines::{check_finite, check_within, each_record},
};

/// Points of all languages together that a panel shows: more only darken it.
const POINTS: usize = 600;

/// The components of a pooling.
#[derive(Clone, Debug, Default)]
pub struct MapLayers {
    /// The items that were fitted, in every layer the same.
    pub items: Vec<usize>,
    /// Each layer that was fitted.
    pub layers: Vec<LayerMap>,
}

/// Two components of one layer.
#[derive(Clone, Debug)]
pub struct LayerMap {
    /// The layer; 0 is the embedding.
    pub layer: usize,
    /// Whether each language's own mean was taken out.
    pub centred: bool,
    /// Share of the variance that each component explains.
    pub explained: [f64; 2],
    /// Coordinates of every n-th item.
    pub points: BTreeMap<Language, Vec<[f32; 2]>>,
}

impl MapLayers {
    /// The map of a layer; `None` if it was not fitted.
    pub fn layer(&self, layer: usize, centred: bool) -> Option<&LayerMap> {
        self.layers
            .iter()
            .find(|of| of.layer == layer && of.centred == centred)
    }
}

/// Reads `pca.<task>.<pooling>.jsonl`.
pub(super) fn read_components(path: &Path) -> Result<MapLayers, CompareError> {
    let mut components = MapLayers::default();
    let mut languages: Vec<Language> = Vec::new();
    each_record(path, |_, record: PcaRecord| {
        check_components(&record)?;
        let of: Vec<Language> = record.points.keys().copied().collect();
        if components.layers.is_empty() {
            components.items.clone_from(&record.items);
            languages = of;
        } else if components.items != record.items || languages != of {
            return Err(format!(
                "layer {} has other items or languages than the first line",
                record.layer
            ));
        }
        if components.layer(record.layer, record.centred).is_some() {
            return Err(format!(
                "layer {}, centred {}: duplicate record",
                record.layer, record.centred
            ));
        }
        components.layers.push(thin(record));
        Ok(())
    })?;
    Ok(components)
}

fn check_components(record: &PcaRecord) -> Result<(), String> {
    let [first, second] = record.explained;
    check_within(
        0.0,
        1.0 + 1e-9,
        &[("explained", first), ("explained", second)],
    )?;
    for (language, points) in &record.points {
        if points.len() != record.items.len() {
            return Err(format!(
                "{} points in `{language}` for {} items",
                points.len(),
                record.items.len()
            ));
        }
        if let Some(place) = points
            .iter()
            .position(|point| point.iter().any(|value| !value.is_finite()))
        {
            return Err(format!(
                "item {} in `{language}` has a point that is not a number",
                record.items[place]
            ));
        }
    }
    Ok(())
}

/// Keeps every n-th item, the same in every language.
fn thin(record: PcaRecord) -> LayerMap {
    let all = record.items.len() * record.points.len();
    let stride = all.div_ceil(POINTS).max(1);
    let points = record
        .points
        .into_iter()
        .map(|(language, points)| (language, points.into_iter().step_by(stride).collect()))
        .collect();
    LayerMap {
        layer: record.layer,
        centred: record.centred,
        explained: record.explained,
        points,
    }
}

/// Two languages, in the order of the paper's tables.
pub type TwoLanguages = (Language, Language);

/// Records of pairs of languages, by measure and layer.
#[derive(Clone, Debug)]
pub struct ByPair<R>(BTreeMap<(Measure, usize), BTreeMap<TwoLanguages, R>>);

impl<R> ByPair<R> {
    /// The pairs at a layer.
    pub fn at(&self, measure: Measure, layer: usize) -> Option<&BTreeMap<TwoLanguages, R>> {
        self.0.get(&(measure, layer))
    }

    /// Layers that have a measure, with its pairs.
    pub fn by_layer(
        &self,
        measure: Measure,
    ) -> impl Iterator<Item = (usize, &BTreeMap<TwoLanguages, R>)> {
        self.0
            .range((measure, 0)..=(measure, usize::MAX))
            .map(|((_, layer), pairs)| (*layer, pairs))
    }

    /// The measures that have a record.
    pub fn measures(&self) -> Vec<Measure> {
        Measure::ALL
            .into_iter()
            .filter(|measure| self.by_layer(*measure).next().is_some())
            .collect()
    }

    /// Every language of any pair.
    pub fn languages(&self) -> Vec<Language> {
        let all: BTreeSet<Language> = self
            .0
            .values()
            .flat_map(|pairs| pairs.keys())
            .flat_map(|(a, b)| [*a, *b])
            .collect();
        all.into_iter().collect()
    }

    pub(crate) fn last_layer(&self) -> Option<usize> {
        self.0.keys().map(|(_, layer)| *layer).max()
    }
}

/// A record of two languages.
pub(super) trait OfPair: DeserializeOwned {
    fn key(&self) -> (Measure, usize, TwoLanguages);
    fn numbers(&self) -> Vec<(&'static str, Option<f64>)>;
}

impl OfPair for PairRecord {
    fn key(&self) -> (Measure, usize, TwoLanguages) {
        (self.measure, self.layer, (self.a, self.b))
    }

    fn numbers(&self) -> Vec<(&'static str, Option<f64>)> {
        vec![
            ("value", Some(self.value)),
            ("low", self.low),
            ("high", self.high),
            ("null", self.null),
            ("p", self.p),
        ]
    }
}

impl OfPair for ChangeRecord {
    fn key(&self) -> (Measure, usize, TwoLanguages) {
        (self.measure, self.layer, (self.a, self.b))
    }

    fn numbers(&self) -> Vec<(&'static str, Option<f64>)> {
        let of = [
            ("before", self.before),
            ("after", self.after),
            ("low", self.low),
            ("high", self.high),
        ];
        of.map(|(name, number)| (name, Some(number))).into()
    }
}

/// Reads `pairs.<task>.<pooling>.jsonl` or `changes...`.
pub(super) fn read_pairs<R: OfPair>(path: &Path) -> Result<ByPair<R>, CompareError> {
    let mut pairs: ByPair<R> = ByPair(BTreeMap::new());
    each_record(path, |_, record: R| {
        let (measure, layer, (a, b)) = record.key();
        add_pair(&mut pairs, record)
            .map_err(|problem| format!("{measure} of {a} and {b} at layer {layer}: {problem}"))
    })?;
    Ok(pairs)
}

/// Adds a record, or says what is wrong with it.
fn add_pair<R: OfPair>(pairs: &mut ByPair<R>, record: R) -> Result<(), String> {
    let (measure, layer, (a, b)) = record.key();
    if a >= b {
        return Err("the languages are not in the order of the tables".to_owned());
    }
    check_finite(&record.numbers())?;
    let at_layer = pairs.0.entry((measure, layer)).or_default();
    match at_layer.insert((a, b), record) {
        Some(_) => Err("duplicate record".to_owned()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_thinned_alike_in_every_language() {
        let of = |start: usize| {
            (0..500)
                .map(|item| [(start + item) as f32, 0.0])
                .collect::<Vec<_>>()
        };
        let record = PcaRecord {
            layer: 3,
            centred: false,
            explained: [0.5, 0.1],
            items: (0..500).collect(),
            points: BTreeMap::from([(Language::En, of(0)), (Language::De, of(1000))]),
        };
        let thinned = thin(record);
        let firsts: Vec<[f32; 2]> = thinned.points.values().map(|points| points[1]).collect();
        assert_eq!(firsts, [[2.0, 0.0], [1002.0, 0.0]]);
        assert_eq!(thinned.points[&Language::En].len(), 250);
    }
}
