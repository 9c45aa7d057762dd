//! The captured states of several languages, joined by the items that all of them have.
//!
//! Never here: reading a file of states (`capture`), what is measured of them (`geometry`).

use std::collections::BTreeMap;

use schema::{Language, inside::Pooling};

use crate::{
    capture::StateFile,
    error::AnalyseError,
    geometry::{LayerSpace, LayerStates},
};

/// The states of one model in several languages.
pub struct JoinedStates {
    states: BTreeMap<Language, StateFile>,
    items: Vec<usize>,
    layers: usize,
    width: usize,
}

impl JoinedStates {
    /// Joins them; layers and width are those of the first language.
    ///
    /// # Errors
    /// [`AnalyseError::Unusable`] if there is no language.
    pub fn new(states: BTreeMap<Language, StateFile>) -> Result<Self, AnalyseError> {
        let Some(first) = states.values().next() else {
            return Err(AnalyseError::Unusable {
                what: "analysis".to_owned(),
                problem: "no language to look at".to_owned(),
            });
        };
        let items: Vec<usize> = first
            .items
            .iter()
            .filter(|item| states.values().all(|other| other.items.contains(item)))
            .copied()
            .collect();
        let (layers, width) = (first.layers(), first.width());
        Ok(Self {
            items,
            layers,
            width,
            states,
        })
    }

    /// The items that every language has, as numbers in the test files.
    pub fn items(&self) -> &[usize] {
        &self.items
    }

    /// Layers, the embedding among them.
    pub fn layers(&self) -> usize {
        self.layers
    }

    /// The states of one layer, of the items that all have.
    ///
    /// # Errors
    /// The file lacks the pooling or the layer, or the states make no space.
    pub fn space(&self, pooling: Pooling, layer: usize) -> Result<LayerSpace, AnalyseError> {
        let mut read = Vec::with_capacity(self.states.len());
        for (&language, states) in &self.states {
            let all = states.layer(pooling, layer)?;
            let rows = self.rows_of_items(states);
            let tokens: Vec<usize> = rows.iter().map(|&row| states.tokens[row]).collect();
            let values: Vec<f32> = rows
                .iter()
                .flat_map(|row| &all[row * self.width..(row + 1) * self.width])
                .copied()
                .collect();
            read.push((language, tokens, values));
        }
        let rows: Vec<LayerStates<'_>> = read
            .iter()
            .map(|(language, tokens, values)| LayerStates {
                language: *language,
                items: &self.items,
                tokens,
                values,
            })
            .collect();
        LayerSpace::prepare(layer, self.width, &rows)
    }

    /// Where the joined items are among those of one language.
    fn rows_of_items(&self, states: &StateFile) -> Vec<usize> {
        self.items
            .iter()
            .filter_map(|item| states.items.iter().position(|other| other == item))
            .collect()
    }
}
