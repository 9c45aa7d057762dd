//! The choice of the question whose run is patched in. Never here: a model.

use rand::seq::IndexedRandom;
use schema::Language;

use crate::{
    error::AnalyseError,
    labelled_prompts::LabelledPrompts,
    random::{Purpose, generator},
};

/// For each item the place in `items` of another one, drawn from those whose right label is
/// another than the item's, in the language as in English. Languages with the same labels draw
/// the same.
///
/// # Errors
/// An item without such another.
pub(super) fn choose(
    language: Language,
    asked: &LabelledPrompts<'_>,
    english: &LabelledPrompts<'_>,
    items: &[usize],
    seed: u64,
) -> Result<Vec<usize>, AnalyseError> {
    let own: Vec<Option<usize>> = items.iter().map(|item| gold(asked, *item)).collect();
    let english: Vec<Option<usize>> = items.iter().map(|item| gold(english, *item)).collect();
    let mut donors = Vec::with_capacity(items.len());
    for (&item, gold) in items.iter().zip(&own) {
        let others: Vec<usize> = (0..items.len())
            .filter(|&at| own[at] != *gold && english[at] != *gold)
            .collect();
        let Some(&donor) = others.choose(&mut generator(seed, Purpose::Donor, item as u64)) else {
            return Err(AnalyseError::unusable(
                format!("item {item} in {language}"),
                "no other question has another answer; raise `analyse.patched_items`",
            ));
        };
        donors.push(donor);
    }
    Ok(donors)
}

/// The right label of an item.
fn gold(asked: &LabelledPrompts<'_>, item: usize) -> Option<usize> {
    let at = asked
        .prompts
        .items()
        .iter()
        .position(|other| *other == item)?;
    Some(asked.prompts.golds()[at])
}
