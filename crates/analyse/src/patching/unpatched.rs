//! One language's questions as they are: the residual vectors of their last tokens, and the
//! answers. Never here: changing anything.

use data::forest;
use model::{Decoder, Layer, LayerView, ModelError, WalkDetail, with_values};
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
    /// Where each item's prompt stands among the language's.
    pub(super) places: Vec<usize>,
    /// Right label of each.
    pub(super) golds: Vec<usize>,
    /// What is answered to each.
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
        let place = |item: &usize| prompts.items().iter().position(|other| other == item);
        let places: Vec<usize> = items.iter().filter_map(place).collect();
        let (layers, width) = (
            model.config().num_hidden_layers + 1,
            model.config().hidden_size,
        );
        let mut states = vec![0.0; places.len() * layers * width];
        let suffixes: Vec<&[u32]> = places.iter().map(|&place| prompts.suffix(place)).collect();
        let cache = asked.prefill(model)?;
        let mut answers = vec![None; places.len()];
        for batch in forest::batches(&suffixes, |_| 0, TOKENS_PER_BATCH) {
            let lists: Vec<&[u32]> = batch.iter().map(|&at| suffixes[at]).collect();
            let layout = BatchRows::new(&lists, prompts.prefix().len())?;
            let last_rows = layout.last_rows();
            let keep = &mut |seen: LayerView<'_>| {
                let layer = number(seen.layer);
                let rows = with_values(&model.select(seen.residual, &last_rows)?, <[f32]>::to_vec)?; // (n, E)
                for (&at, row) in batch.iter().zip(rows.chunks_exact(width)) {
                    if row.iter().any(|value| !value.is_finite()) {
                        let place = format!(
                            "the state of item {} in {language} after layer {layer}",
                            items[at]
                        );
                        return Err(ModelError::NotFinite(place));
                    }
                    states[(at * layers + layer) * width..][..width].copy_from_slice(row);
                }
                Ok(None)
            };
            let hidden = model.walk_through(
                &layout.input_ids,
                &layout.rows,
                cache.as_ref(),
                WalkDetail::Residual,
                keep,
            )?;
            let name = |row: usize| format!("item {} in {language}", items[batch[row]]);
            let found = asked.answers(model, &model.select(&hidden, &last_rows)?, name)?;
            batch
                .iter()
                .zip(found)
                .for_each(|(&at, answer)| answers[at] = Some(answer));
        }
        let golds = places.iter().map(|&place| prompts.golds()[place]).collect();
        let answers = answers.into_iter().flatten().collect();
        Ok(Self {
            items: items.to_vec(),
            places,
            golds,
            answers,
            layers,
            width,
            states,
        })
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
