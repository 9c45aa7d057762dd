//! The change of an answer when the residual vector of the question's last token is replaced after
//! one layer: that of another run (activation patching; between languages arXiv
//! 2411.08745), or itself moved towards English (arXiv 2402.10588 and 2505.13141 on the English
//! space; steering by a difference of means). Never here: figures.
//!
//! 2411.08745 patches a word in the middle of a prompt, and keeps patching at all later layers;
//! here it is the last token, whose vector after one layer decides all that follows, so that
//! one layer is patched at a time.
//!
//! A question's tokens before the last are run once for all that is tried on it: each layer
//! with each kind is a row of one token that continues them, in one pass over (L + 1) x kinds
//! such rows.

mod donors;
mod effect;
mod interventions;
#[cfg(test)]
mod tests;
mod unpatched;

use std::collections::BTreeMap;

use model::Decoder;
use schema::{
    Language,
    inside::{InterventionKind, InterventionRecord},
};

use crate::{
    bootstrap::ItemBootstrap,
    capture::{OnProgress, TOKENS_PER_BATCH},
    error::AnalyseError,
    labelled_prompts::{LabelledPrompts, report_answered},
};
use interventions::InterventionPlan;
use unpatched::UnpatchedRuns;

/// The language whose runs are patched in, and towards which is steered.
const ENGLISH: Language = Language::En;

/// How interventions are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patching {
    /// Questions of each language: the first that all languages have.
    pub items: usize,
    /// Draws of every bootstrap.
    pub resamples: usize,
    /// Decides the draws, which item is patched in, and the random directions.
    pub seed: u64,
}

/// Every kind of intervention after every layer from 0 to L in every language of `asked`, by
/// language, kind and layer. English, which must be among them, has
/// [`InterventionKind::PatchSame`] alone: of the others it is the source. `watch` counts
/// questions.
///
/// # Errors
/// No English; fewer than two questions that all languages have; no other answer among them; a
/// state or a score that is not finite; `watch` said no.
pub fn intervene(
    model: &Decoder,
    asked: &BTreeMap<Language, LabelledPrompts<'_>>,
    patching: Patching,
    watch: &mut OnProgress<'_>,
) -> Result<Vec<InterventionRecord>, AnalyseError> {
    let items = check(model, asked, patching)?;
    let resampling = ItemBootstrap::new(items.len(), patching.resamples, patching.seed);
    let english = &asked[&ENGLISH];
    let english_runs = UnpatchedRuns::new(model, english, ENGLISH, &items)?;
    let total = items.len() * asked.len();
    let mut records = Vec::new();
    for (at, (&language, asked)) in asked.iter().enumerate() {
        let mut answered = |count| report_answered(watch, at * items.len() + count, total);
        answered(0)?;
        let own_runs = if language == ENGLISH {
            None
        } else {
            Some(UnpatchedRuns::new(model, asked, language, &items)?)
        };
        let plan = InterventionPlan {
            language,
            asked,
            kinds: kinds_in(language),
            own: own_runs.as_ref().unwrap_or(&english_runs),
            english: &english_runs,
            donors: donors::choose(language, asked, english, &items, patching.seed)?,
            seed: patching.seed,
            tokens_per_batch: TOKENS_PER_BATCH,
        };
        let effects = plan.run(model, &mut answered)?;
        records.extend(effects.records(language, &resampling));
    }
    Ok(records)
}

fn kinds_in(language: Language) -> &'static [InterventionKind] {
    use InterventionKind::{PatchOther, PatchParallel, PatchSame, Steer, SteerRandom};
    match language {
        ENGLISH => &[PatchSame],
        _ => &[PatchParallel, PatchOther, PatchSame, Steer, SteerRandom],
    }
}

/// Numbers of the items that are asked, once everything fits.
fn check(
    model: &Decoder,
    asked: &BTreeMap<Language, LabelledPrompts<'_>>,
    patching: Patching,
) -> Result<Vec<usize>, AnalyseError> {
    let Some(english) = asked.get(&ENGLISH) else {
        return Err(AnalyseError::unusable(
            "patching",
            "English is not among the languages; add `en` to `analyse.languages`",
        ));
    };
    if patching.resamples == 0 {
        return Err(AnalyseError::unusable(
            "resamples",
            "an interval needs at least one; set `analyse.resamples`",
        ));
    }
    for (&language, one) in asked {
        one.check(language, model)?;
        if one.label_sets.len() != english.label_sets.len() {
            return Err(AnalyseError::unusable(
                format!("labels in {language}"),
                "not as many as in English",
            ));
        }
    }
    let items: Vec<usize> = english
        .prompts
        .items()
        .iter()
        .filter(|item| asked.values().all(|one| one.prompts.items().contains(item)))
        .take(patching.items)
        .copied()
        .collect();
    if items.len() < 2 {
        return Err(AnalyseError::unusable(
            format!("{} questions to patch", items.len()),
            "two or more are needed that all languages have; raise `analyse.patched_items` or \
             `analyse.limit`",
        ));
    }
    Ok(items)
}
