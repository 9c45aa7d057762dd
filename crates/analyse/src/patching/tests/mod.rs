//! Tests of interventions, and what they share. Never here: a test.

mod choices;
mod effects;

use std::collections::BTreeMap;

use candle_core::Tensor;
use model::{Decoder, LayerView, Rows, WalkDetail};
use schema::{
    Language,
    inside::{InterventionKind, InterventionRecord},
};

use super::{
    ENGLISH, Patching, donors,
    effect::{Effect, Effects},
    intervene,
    interventions::{InterventionPlan, norm},
    kinds_in,
    unpatched::{UnpatchedRuns, number},
};
use crate::{
    Prompts,
    bootstrap::ItemBootstrap,
    fixtures::{Own, ask_all, assert_near, bits, golden, golden_prompts, read, tiny, tiny_with},
    labelled_prompts::ModelAnswer,
};

const HOW: Patching = Patching {
    items: 6,
    resamples: 50,
    seed: 3,
};
const ITEMS: [usize; 6] = [10, 11, 12, 13, 14, 15];
const LAYERS: usize = 4;

/// Calls `check` with the plan of one language's items in `prompts`.
fn with_plan(
    model: &Decoder,
    prompts: &BTreeMap<Language, Own>,
    language: Language,
    donors: Vec<usize>,
    check: impl FnOnce(&mut InterventionPlan<'_>),
) {
    let all = ask_all(prompts);
    let run = |language: Language| {
        UnpatchedRuns::new(model, &all[&language], language, &ITEMS).expect("runs")
    };
    let (own, english) = (run(language), run(ENGLISH));
    let kinds = kinds_in(language);
    let (own, english, asked) = (&own, &english, &all[&language]);
    check(&mut InterventionPlan {
        language,
        asked,
        kinds,
        own,
        english,
        donors,
        seed: 3,
        tokens_per_batch: 2048,
    });
}

fn run_plan(plan: &InterventionPlan<'_>, model: &Decoder) -> Effects {
    plan.run(model, &mut |_| Ok(())).expect("runs")
}
