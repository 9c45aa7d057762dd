//! Residual rows of chosen prompts at every layer: the question's tokens and those after it, where
//! answers are read. Exemplars stay out, as they are the same in every prompt.
//! Never here: what is learnt from the rows.

use std::collections::BTreeMap;

use candle_core::Tensor;
use model::Decoder;

use crate::{
    capture::{BatchRows, Prompts},
    error::AnalyseError,
};

/// Rows of the model run at once.
const TOKENS_PER_BATCH: usize = 2048;

/// A prompt: which of the lists of prompts, and which of that list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PromptIndex {
    pub(super) list: usize,
    pub(super) prompt: usize,
}

/// The rows of some prompts.
pub(super) struct TokenStates {
    /// For each layer from 0 to L: (N, E).
    pub(super) layers: Vec<Tensor>,
    /// For each row, which of the prompts it is of: (N).
    pub(super) owners: Vec<usize>,
}

impl TokenStates {
    /// Rows `index` of every layer, in their order.
    pub(super) fn select(
        &self,
        model: &Decoder,
        index: &[u32],
    ) -> Result<Vec<Tensor>, AnalyseError> {
        Ok(self
            .layers
            .iter()
            .map(|layer| model.select(layer, index))
            .collect::<model::Result<_>>()?)
    }
}

/// Rows that [`walk`] gives for a prompt.
pub(super) fn rows_of(prompts: &[Prompts], at: PromptIndex) -> usize {
    let list = &prompts[at.list];
    list.suffix(at.prompt).len() - list.question(at.prompt).start
}

/// Runs the prompts `chosen`, those of a list together after their prefix, which is run once.
/// In memory: the rows that are kept, (L + 1, N, E), and of one list at a time what its prefix
/// needs.
pub(super) fn walk(
    model: &Decoder,
    prompts: &[Prompts],
    chosen: &[PromptIndex],
) -> Result<TokenStates, AnalyseError> {
    let mut of_list: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (owner, at) in chosen.iter().enumerate() {
        of_list.entry(at.list).or_default().push(owner);
    }
    let mut kept = KeptRows {
        layers: vec![Vec::new(); model.config().num_hidden_layers + 1],
        owners: Vec::new(),
    };
    for (list, owners) in of_list {
        kept.walk_list(model, &prompts[list], chosen, &owners)?;
    }
    let layers = kept
        .layers
        .into_iter()
        .map(|parts| Tensor::cat(&parts, 0))
        .collect::<Result<_, _>>()?;
    Ok(TokenStates {
        layers,
        owners: kept.owners,
    })
}

/// Rows that were run, batch by batch.
struct KeptRows {
    /// For each layer the rows of each batch.
    layers: Vec<Vec<Tensor>>,
    owners: Vec<usize>,
}

impl KeptRows {
    /// Runs those of the prompts `chosen` whose indices are `owners`, all of `list`.
    fn walk_list(
        &mut self,
        model: &Decoder,
        list: &Prompts,
        chosen: &[PromptIndex],
        owners: &[usize],
    ) -> Result<(), AnalyseError> {
        let prefix = list.prefix();
        let cache = if prefix.is_empty() {
            None
        } else {
            Some(model.prefill(prefix, None)?.0)
        };
        let suffixes: Vec<&[u32]> = owners
            .iter()
            .map(|&owner| list.suffix(chosen[owner].prompt))
            .collect();
        for batch in data::forest::batches(&suffixes, |_| 0, TOKENS_PER_BATCH) {
            let lists: Vec<&[u32]> = batch.iter().map(|&at| suffixes[at]).collect();
            let rows = BatchRows::new(&lists, prefix.len())?;
            let mut index: Vec<u32> = Vec::new();
            for (place, &at) in batch.iter().enumerate() {
                let start = list.question(chosen[owners[at]].prompt).start;
                let path = rows.path(place).into_iter().flatten();
                index.extend(path.skip(start).map(|row| row as u32));
                let count = self.owners.len() + suffixes[at].len() - start;
                self.owners.resize(count, owners[at]);
            }
            let mut layers = self.layers.iter_mut();
            model.walk(
                &rows.input_ids,
                &rows.rows,
                cache.as_ref(),
                &mut |_, residual| {
                    if let Some(layer) = layers.next() {
                        layer.push(model.select(residual, &index)?);
                    }
                    Ok(())
                },
            )?;
        }
        Ok(())
    }
}
