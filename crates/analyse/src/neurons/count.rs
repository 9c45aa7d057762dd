//! Counting on how many question tokens each neuron is active. Never here: comparing languages.

use data::forest;
use model::{Decoder, Layer, LayerView, ModelError, WalkDetail, with_values};
use rayon::prelude::*;

use crate::{
    capture::{BatchRows, OnProgress, Prompts, TOKENS_PER_BATCH},
    error::AnalyseError,
};

/// Neurons of a block that one task counts.
const NEURONS_AT_ONCE: usize = 256;

/// On how many tokens of one language each neuron is active.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Tokens that were looked at: those of the questions, in every prompt that has them.
    pub tokens: u64,
    /// F, the neurons of a block.
    pub width: usize,
    /// Tokens on which each is active: (L, F), row-major.
    pub active: Vec<u64>,
}

/// Counts over the question tokens of `prompts`: what all prompts have in common, exemplars
/// above all, would outweigh them. What all begin with is run once, and nothing after the
/// question. Memory does not grow with the prompts.
///
/// # Errors
/// No prompts; a gate that is not finite; `watch` said no.
pub fn count(
    model: &Decoder,
    prompts: &Prompts,
    watch: &mut OnProgress<'_>,
) -> Result<Counts, AnalyseError> {
    count_in_batches(model, prompts, TOKENS_PER_BATCH, watch)
}

/// As [`count`], with at most `tokens_per_batch` tokens after the prefix at once.
pub(super) fn count_in_batches(
    model: &Decoder,
    prompts: &Prompts,
    tokens_per_batch: usize,
    watch: &mut OnProgress<'_>,
) -> Result<Counts, AnalyseError> {
    if prompts.is_empty() {
        return Err(AnalyseError::Empty(
            "the test set whose neurons are counted".to_owned(),
        ));
    }
    let config = model.config();
    let (layers, width) = (config.num_hidden_layers, config.intermediate_size);
    let mut counts = Counts {
        tokens: 0,
        width,
        active: vec![0; layers * width],
    };
    let prefix = prompts.prefix();
    let cache = if prefix.is_empty() {
        None
    } else {
        Some(model.prefill(prefix, None)?.0)
    };
    let lists: Vec<&[u32]> = (0..prompts.len())
        .map(|at| &prompts.suffix(at)[..prompts.question(at).end])
        .collect();
    let mut done = 0;
    for batch in forest::batches(&lists, |_| 0, tokens_per_batch) {
        let chosen: Vec<&[u32]> = batch.iter().map(|&at| lists[at]).collect();
        let layout = BatchRows::new(&chosen, prefix.len())?;
        let weights = weigh(&layout, &batch, prompts);
        counts.tokens += weights.iter().map(|&weight| u64::from(weight)).sum::<u64>();
        let look = &mut |seen: LayerView<'_>| counts.add(&seen, &weights).map(|()| None);
        model.walk_through(
            &layout.input_ids,
            &layout.rows,
            cache.as_ref(),
            WalkDetail::Neurons,
            look,
        )?;
        done += batch.len();
        if !watch(done, prompts.len()) && done < prompts.len() {
            // Nothing of it is kept.
            return Err(AnalyseError::Stopped {
                done: 0,
                total: prompts.len(),
                unit: "prompts",
            });
        }
    }
    Ok(counts)
}

/// In how many prompts of the batch each row is a token of the question.
fn weigh(layout: &BatchRows, batch: &[usize], prompts: &Prompts) -> Vec<u32> {
    let mut weights = vec![0; layout.rows.len()];
    for (place, &at) in batch.iter().enumerate() {
        let question = prompts.question(at);
        let rows = layout.path(place).into_iter().flatten();
        rows.skip(question.start)
            .take(question.len())
            .for_each(|row| weights[row] += 1);
    }
    weights
}

impl Counts {
    /// Adds the rows of a block, each as often as it weighs.
    fn add(&mut self, seen: &LayerView<'_>, weights: &[u32]) -> model::Result<()> {
        let (Layer::After(layer), Some((gate, _))) = (seen.layer, seen.mlp) else {
            return Ok(());
        };
        with_values(gate, |gate| self.add_block(layer, gate, weights))?
    }

    /// As [`Counts::add`], of the gates (N, F) of the block `layer`.
    fn add_block(&mut self, layer: usize, gate: &[f32], weights: &[u32]) -> model::Result<()> {
        if gate
            .par_chunks(self.width)
            .any(|row| row.iter().any(|value| !value.is_finite()))
        {
            return Err(ModelError::NotFinite(format!("a gate of block {layer}")));
        }
        let block = &mut self.active[(layer - 1) * self.width..layer * self.width];
        block
            .par_chunks_mut(NEURONS_AT_ONCE)
            .enumerate()
            .for_each(|(chunk, counts)| {
                let first = chunk * NEURONS_AT_ONCE;
                for (row, &weight) in gate
                    .chunks_exact(self.width)
                    .zip(weights)
                    .filter(|(_, weight)| **weight > 0)
                {
                    let gates = &row[first..first + counts.len()];
                    counts.iter_mut().zip(gates).for_each(|(count, &gate)| {
                        *count += u64::from(weight) * u64::from(gate > 0.0)
                    });
                }
            });
        Ok(())
    }
}
