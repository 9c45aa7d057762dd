//! Neurons in place of a language's: as many of each block, drawn by lot from those that no
//! language has. Never here: a model.

use std::collections::BTreeSet;

use rand::seq::index;
use schema::{Language, inside::NeuronsRecord};

use crate::{
    error::AnalyseError,
    random::{Purpose, generator},
};

/// The control of `language`'s neurons, in their order. The same for the same neurons and seed.
///
/// # Errors
/// A block has too few neurons that no language has.
pub(super) fn draw(
    found: &NeuronsRecord,
    language: Language,
    seed: u64,
) -> Result<Vec<(usize, u32)>, AnalyseError> {
    let taken: BTreeSet<(usize, u32)> = found.selected.values().flatten().copied().collect();
    let own = found.selected.get(&language).map_or(&[][..], Vec::as_slice);
    let mut generator = generator(seed, Purpose::Control, language.stream());
    let mut drawn = Vec::with_capacity(own.len());
    for block in &found.layers {
        let wanted = own
            .iter()
            .filter(|(layer, _)| *layer == block.layer)
            .count();
        let free: Vec<u32> = (0..block.neurons as u32)
            .filter(|&index| !taken.contains(&(block.layer, index)))
            .collect();
        if free.len() < wanted {
            let what = format!("the control of {language} in block {}", block.layer);
            let problem = format!(
                "{wanted} neurons are the language's, but only {} belong to no language; lower `analyse.neuron_share`",
                free.len()
            );
            return Err(AnalyseError::unusable(what, problem));
        }
        let mut chosen = index::sample(&mut generator, free.len(), wanted).into_vec();
        chosen.sort_unstable();
        drawn.extend(chosen.into_iter().map(|at| (block.layer, free[at])));
    }
    Ok(drawn)
}
