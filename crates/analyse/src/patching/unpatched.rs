//! One language's questions as they are: the residual vectors of their last tokens, and the
//! answers. Never here: changing anything.

use data::forest;
use model::{Decoder, KvCache, Layer, LayerView, ModelError, WalkDetail, with_values};
use schema::Language;

use crate::{
    capture::{BatchRows, TOKENS_PER_BATCH},
    error::AnalyseError,
    labelled_prompts::{LabelledPrompts, ModelAnswer},
};

/// The runs of some questions.
pub(super) struct UnpatchedRuns {
    /// Numbers of the items.
    pub(super) items: Vec<usize>,
    /// Position of each item's prompt among the language's.
    pub(super) places: Vec<usize>,
    /// Right label of each.
    pub(super) golds: Vec<usize>,
    /// The answer to each.
    pub(super) answers: Vec<ModelAnswer>,
    /// L + 1.
    pub(super) layers: usize,
    /// E.
    pub(super) width: usize,
    /// (items, L + 1, E).
    states: Vec<f32>,
}

impl UnpatchedRuns {
    /// Runs the prompts of `items`, which the language has.
    pub(super) fn new(
        model: &Decoder,
        asked: &LabelledPrompts<'_>,
        language: Language,
        items: &[usize],
    ) -> Result<Self, AnalyseError> {
        let prompts = asked.prompts;
        let places: Vec<usize> = items
            .iter()
            .filter_map(|item| prompts.items().iter().position(|other| other == item))
            .collect();
        let config = model.config();
        let (layers, width) = (config.num_hidden_layers + 1, config.hidden_size);
        let mut runs = Self {
            items: items.to_vec(),
            golds: places.iter().map(|&at| prompts.golds()[at]).collect(),
            answers: Vec::new(),
            layers,
            width,
            states: vec![0.0; places.len() * layers * width],
            places,
        };
        let suffixes: Vec<&[u32]> = runs.places.iter().map(|&at| prompts.suffix(at)).collect();
        let cache = asked.prefill(model)?;
        let mut answers = vec![None; suffixes.len()];
        for batch in forest::batches(&suffixes, |_| 0, TOKENS_PER_BATCH) {
            let lists: Vec<&[u32]> = batch.iter().map(|&at| suffixes[at]).collect();
            let rows = BatchRows::new(&lists, prompts.prefix().len())?;
            let found = runs.run_batch(model, asked, language, cache.as_ref(), &batch, &rows)?;
            for (&at, answer) in batch.iter().zip(found) {
                answers[at] = Some(answer);
            }
        }
        runs.answers = answers.into_iter().flatten().collect();
        Ok(runs)
    }

    /// Keeps the states of the questions of `batch`, laid out as `rows`, and returns the answers.
    fn run_batch(
        &mut self,
        model: &Decoder,
        asked: &LabelledPrompts<'_>,
        language: Language,
        cache: Option<&KvCache>,
        batch: &[usize],
        rows: &BatchRows,
    ) -> Result<Vec<ModelAnswer>, AnalyseError> {
        let last_rows = rows.last_rows();
        let hidden = model.walk_through(
            &rows.input_ids,
            &rows.rows,
            cache,
            WalkDetail::Residual,
            &mut |seen: LayerView<'_>| {
                let last = model.select(seen.residual, &last_rows)?; // (n, E)
                let last = with_values(&last, <[f32]>::to_vec)?;
                self.keep(language, number(seen.layer), batch, &last)?;
                Ok(None)
            },
        )?;
        asked.answers(model, &model.select(&hidden, &last_rows)?, |row| {
            format!("item {} in {language}", self.items[batch[row]])
        })
    }

    /// Keeps the vectors (n, E) of the questions of `batch` after a layer.
    fn keep(
        &mut self,
        language: Language,
        layer: usize,
        batch: &[usize],
        values: &[f32],
    ) -> model::Result<()> {
        for (&at, row) in batch.iter().zip(values.chunks_exact(self.width)) {
            if row.iter().any(|value| !value.is_finite()) {
                let item = self.items[at];
                let place = format!("the state of item {item} in {language} after layer {layer}");
                return Err(ModelError::NotFinite(place));
            }
            let start = (at * self.layers + layer) * self.width;
            self.states[start..start + self.width].copy_from_slice(row);
        }
        Ok(())
    }

    /// The last token's vector (E) of the question at `at`.
    pub(super) fn state(&self, at: usize, layer: usize) -> &[f32] {
        &self.states[(at * self.layers + layer) * self.width..][..self.width]
    }
}

/// 0 is the embedding's output.
pub(super) fn number(layer: Layer) -> usize {
    match layer {
        Layer::Embedding => 0,
        Layer::After(layer) => layer,
    }
}
