//! Which other question's run is patched in. Never here: a model.

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
    let gold = |asked: &LabelledPrompts<'_>, item: usize| {
        let place = asked
            .prompts
            .items()
            .iter()
            .position(|other| *other == item);
        place.map(|place| asked.prompts.golds()[place])
    };
    let golds: Vec<_> = items
        .iter()
        .map(|&item| (gold(asked, item), gold(english, item)))
        .collect();
    let draw = |(&item, &(own, _)): (&usize, &(Option<usize>, Option<usize>))| {
        let fits = |at: &usize| golds[*at].0 != own && golds[*at].1 != own;
        let others: Vec<usize> = (0..items.len()).filter(fits).collect();
        others
            .choose(&mut generator(seed, Purpose::Donor, item as u64))
            .copied()
            .ok_or_else(|| AnalyseError::Unusable {
                what: format!("item {item} in {language}"),
                problem: "no other question has another answer; raise `analyse.patched_items`"
                    .to_owned(),
            })
    };
    items.iter().zip(&golds).map(draw).collect()
}
