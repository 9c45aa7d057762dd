//! Interventions against transformers and against one run each; laws of those that must change
//! nothing.

use std::collections::BTreeMap;

use candle_core::Tensor;
use model::{Decoder, Look, Rows, Seen};
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

fn effects(plan: &InterventionPlan<'_>, model: &Decoder) -> Effects {
    plan.run(model, &mut |_| Ok(())).expect("runs")
}

#[test]
fn effects_equal_transformers() {
    let (golden, model) = (golden(), tiny());
    let prompts = golden_prompts(&golden);
    let donors: Vec<usize> = read(&golden["donors"]);
    with_plan(&model, &prompts, Language::Zh, donors.clone(), |plan| {
        let effects = effects(plan, &model);
        let golds = prompts[&Language::Zh].prompts.golds();
        for (kind, name) in ["patch-parallel", "patch-other", "patch-same", "steer"]
            .into_iter()
            .enumerate()
        {
            assert_eq!(
                serde_json::to_value(plan.kinds[kind]).expect("a word"),
                name
            );
            let expected: Vec<Vec<Vec<f64>>> = read(&golden["patched"][name]);
            assert_eq!(expected.len(), LAYERS);
            for (layer, expected) in expected.iter().enumerate() {
                let label = |at: usize| {
                    golds[if name.ends_with("other") || name.ends_with("same") {
                        donors[at]
                    } else {
                        at
                    }]
                };
                let found: Vec<f64> = (0..6)
                    .map(|at| effects.get(kind, layer, at).after)
                    .collect();
                let wanted: Vec<f64> = (0..6).map(|at| expected[at][label(at)]).collect();
                assert_near(&found, &wanted, &format!("{name} after layer {layer}"));
            }
        }
    });
}

/// The answer of a run of its own of the whole prompt, with one row replaced after one layer.
fn run_alone(
    plan: &InterventionPlan<'_>,
    model: &Decoder,
    at: usize,
    patched: usize,
    vector: &[f32],
) -> ModelAnswer {
    let ids = plan.asked.prompts.ids(plan.own.places[at]);
    let last = ids.len() - 1;
    let patch = &mut |seen: Seen<'_>| {
        if number(seen.layer) != patched {
            return Ok(None);
        }
        let mut rows = seen.residual.to_vec2::<f32>()?;
        rows[last] = vector.to_vec();
        Ok(Some(Tensor::new(rows, seen.residual.device())?))
    };
    let hidden = model
        .walk_through(
            &ids,
            &Rows::new([ids.len()], 0),
            None,
            Look::Residual,
            patch,
        )
        .expect("walks");
    let hidden = hidden.narrow(0, last, 1).expect("a row");
    plan.asked
        .answers(model, &hidden, |_| String::new())
        .expect("answers")
        .remove(0)
}

/// One pass for everything gives the bits of a run for each: with exemplars, without, and with
/// a question of one token.
#[test]
fn one_pass_is_as_many_runs() {
    let model = tiny();
    let with_prefix = golden_prompts(&golden());
    let mut bare = with_prefix.clone();
    let zh = &with_prefix[&Language::Zh];
    let mut suffixes: Vec<Vec<u32>> = (0..6).map(|at| zh.prompts.suffix(at).to_vec()).collect();
    suffixes[2].truncate(1);
    let (items, golds) = (zh.prompts.items().to_vec(), zh.prompts.golds().to_vec());
    let one_token = |prefix: Vec<u32>| {
        let prompts = Prompts::assemble(
            prefix,
            suffixes.clone(),
            vec![0..1; 6],
            items.clone(),
            golds.clone(),
        );
        Own {
            prompts,
            label_sets: zh.label_sets.clone(),
        }
    };
    bare.insert(Language::Zh, one_token(Vec::new()));
    let mut short = with_prefix.clone();
    short.insert(Language::Zh, one_token(vec![7, 8, 9]));
    for prompts in [with_prefix, bare, short] {
        with_plan(
            &model,
            &prompts,
            Language::Zh,
            vec![1, 0, 0, 2, 3, 4],
            |plan| {
                let (effects, differences) = (effects(plan, &model), plan.differences());
                for (kind, &name) in plan.kinds.iter().enumerate() {
                    for layer in 0..LAYERS {
                        for at in 0..6 {
                            let vector = plan.vector(&differences, name, at, layer);
                            let alone = run_alone(plan, &model, at, layer, &vector);
                            let is_others = matches!(
                                name,
                                InterventionKind::PatchOther | InterventionKind::PatchSame
                            );
                            let label =
                                plan.own.golds[if is_others { plan.donors[at] } else { at }];
                            let found = effects.get(kind, layer, at);
                            assert_eq!(
                                found.after.to_bits(),
                                alone.shares[label].to_bits(),
                                "{name:?} {layer} {at}"
                            );
                            assert_eq!(found.chosen_after, alone.chosen == label);
                            let before =
                                run_alone(plan, &model, at, layer, plan.own.state(at, layer));
                            assert_eq!(
                                found.before.to_bits(),
                                before.shares[label].to_bits(),
                                "what was there put back"
                            );
                            assert_eq!(found.chosen_before, before.chosen == label);
                        }
                    }
                }
            },
        );
    }
}

#[test]
fn a_language_that_is_english_is_not_changed_by_it() {
    let model = tiny();
    let mut prompts = golden_prompts(&golden());
    prompts.insert(Language::Fr, prompts[&ENGLISH].clone());
    let records = intervene(&model, &ask_all(&prompts), HOW, &mut |_, _| true).expect("intervenes");
    let of = |language, kind| -> Vec<&InterventionRecord> {
        records
            .iter()
            .filter(|record| record.language == language && record.kind == kind)
            .collect()
    };
    for kind in [
        InterventionKind::PatchParallel,
        InterventionKind::Steer,
        InterventionKind::SteerRandom,
    ] {
        let found = of(Language::Fr, kind);
        assert_eq!(
            found.iter().map(|record| record.layer).collect::<Vec<_>>(),
            [0, 1, 2, 3]
        );
        for record in found {
            let change = [record.low, record.high];
            assert_eq!(
                (record.after.to_bits(), change),
                (record.before.to_bits(), [0.0; 2]),
                "{kind:?} {}",
                record.layer
            );
            assert_eq!(record.chosen_after, record.chosen_before);
        }
        assert!(
            of(Language::De, kind)
                .iter()
                .all(|record| record.after != record.before),
            "another language is"
        );
    }
    // English items patched into French are those of the same language.
    for (other, same) in of(Language::Fr, InterventionKind::PatchOther)
        .iter()
        .zip(of(Language::Fr, InterventionKind::PatchSame))
    {
        assert_eq!(other.after.to_bits(), same.after.to_bits());
    }
    assert_eq!(
        records
            .iter()
            .filter(|record| record.language == ENGLISH)
            .count(),
        LAYERS,
        "English: one kind"
    );
}

/// After the last layer nothing but head and labels is left: the answer is that of the run
/// patched in.
#[test]
fn at_the_last_layer_the_answer_is_the_others() {
    let model = tiny();
    let mut prompts = golden_prompts(&golden());
    let sets = prompts[&ENGLISH].label_sets.clone();
    prompts.get_mut(&Language::De).expect("there").label_sets = sets;
    with_plan(
        &model,
        &prompts,
        Language::De,
        vec![1, 0, 0, 2, 3, 4],
        |plan| {
            let effects = effects(plan, &model);
            let answers = prompts[&ENGLISH]
                .asked()
                .ask(ENGLISH, &model, 6, &mut |_| Ok(()))
                .expect("asks");
            for at in 0..6 {
                let [parallel, other] = [0, 1].map(|kind| effects.get(kind, LAYERS - 1, at));
                let gold = plan.own.golds[at];
                assert_eq!(parallel.after.to_bits(), answers[at].shares[gold].to_bits());
                assert_eq!(parallel.chosen_after, answers[at].chosen == gold);
                let donor = plan.donors[at];
                assert_eq!(
                    other.after.to_bits(),
                    answers[donor].shares[plan.english.golds[donor]].to_bits()
                );
            }
        },
    );
}

#[test]
fn a_control_is_as_long_as_what_it_stands_for_and_points_elsewhere() {
    let model = tiny();
    let prompts = golden_prompts(&golden());
    let mut of_de = Vec::new();
    for language in [Language::De, Language::Zh] {
        with_plan(&model, &prompts, language, vec![0; 6], |plan| {
            let differences = plan.differences();
            let unit = |vector: Vec<f64>| -> Vec<f64> {
                let length = norm(&vector);
                vector.iter().map(|value| value / length).collect()
            };
            let cosine = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let mut units = Vec::new();
            for layer in 0..LAYERS {
                for at in 0..6 {
                    let (steering, control) = (
                        plan.steering(&differences, at, layer),
                        plan.control(&differences, at, layer),
                    );
                    let (long, other) = (norm(&steering), norm(&control));
                    assert!(
                        long > 0.0 && (long - other).abs() < 1e-12 * long,
                        "{long} {other}"
                    );
                    assert_eq!(bits(&control), bits(&plan.control(&differences, at, layer)));
                    let control = unit(control);
                    // 48 values: a cosine of 0.65 is 4.5 standard deviations away from 0.
                    assert!(cosine(&unit(steering), &control).abs() < 0.65);
                    assert!(
                        units
                            .iter()
                            .all(|earlier: &Vec<f64>| cosine(earlier, &control).abs() < 0.65)
                    );
                    let of_others: Vec<f64> = (0..48)
                        .map(|e| {
                            let others = (0..6).filter(|other| *other != at);
                            let gap = |other: usize| {
                                plan.english.state(other, layer)[e]
                                    - plan.own.state(other, layer)[e]
                            };
                            others.map(|other| f64::from(gap(other))).sum::<f64>() / 5.0
                        })
                        .collect();
                    let steering = plan.steering(&differences, at, layer);
                    assert!(
                        steering
                            .iter()
                            .zip(&of_others)
                            .all(|(a, b)| (a - b).abs() < 1e-6),
                        "without its own"
                    );
                    units.push(control);
                }
            }
            if of_de.is_empty() {
                of_de = units;
            } else {
                let same = of_de
                    .iter()
                    .zip(&units)
                    .all(|(de, zh)| cosine(de, zh) > 1.0 - 1e-9);
                assert!(same, "one direction in every language");
            }
        });
    }
}

#[test]
fn batches_change_nothing() {
    let (golden, model) = (golden(), tiny());
    with_plan(
        &model,
        &golden_prompts(&golden),
        Language::Zh,
        vec![1, 0, 0, 2, 3, 4],
        |plan| {
            let all = |effects: &Effects| -> Vec<Effect> {
                let places = (0..5).flat_map(|kind| {
                    (0..LAYERS).flat_map(move |layer| (0..6).map(move |at| (kind, layer, at)))
                });
                places
                    .map(|(kind, layer, at)| effects.get(kind, layer, at))
                    .collect()
            };
            let expected = all(&effects(plan, &model));
            for (tokens_per_batch, batches) in [(1, 6), (70, 3)] {
                plan.tokens_per_batch = tokens_per_batch;
                let mut heard = Vec::new();
                let found = plan.run(&model, &mut |done| {
                    heard.push(done);
                    Ok(())
                });
                assert_eq!(
                    all(&found.expect("runs")),
                    expected,
                    "{tokens_per_batch} tokens at once"
                );
                assert_eq!((heard.len(), heard.last()), (batches, Some(&6)));
            }
        },
    );
}

#[test]
fn donors_answer_otherwise_and_are_drawn_by_the_seed() {
    let mut prompts = golden_prompts(&golden());
    let choose = |prompts: &BTreeMap<Language, Own>, language: Language, seed| {
        let all = ask_all(prompts);
        donors::choose(language, &all[&language], &all[&ENGLISH], &ITEMS, seed)
    };
    let golds = prompts[&ENGLISH].prompts.golds().to_vec();
    let drawn: Vec<Vec<usize>> = (0..20)
        .map(|seed| choose(&prompts, Language::De, seed).expect("draws"))
        .collect();
    for donors in &drawn {
        assert!(
            donors
                .iter()
                .enumerate()
                .all(|(at, &donor)| golds[donor] != golds[at]),
            "{donors:?}"
        );
    }
    for at in 0..6 {
        let mut met: Vec<usize> = drawn.iter().map(|donors| donors[at]).collect();
        met.sort_unstable();
        met.dedup();
        assert_eq!(
            met.len(),
            4,
            "every item with another answer is drawn for item {at}"
        );
    }
    assert!(
        drawn.iter().any(|donors| donors[0] != donors[4]),
        "items with the same answer draw each for itself"
    );
    assert_eq!(choose(&prompts, Language::Zh, 5).expect("draws"), drawn[5]);
    let with_golds = |own: &Own, golds: [usize; 6]| {
        let old = &own.prompts;
        let suffixes = (0..6).map(|at| old.suffix(at).to_vec()).collect();
        let questions = (0..6).map(|at| old.question(at)).collect();
        let prompts = Prompts::assemble(
            old.prefix().to_vec(),
            suffixes,
            questions,
            ITEMS.to_vec(),
            golds.into(),
        );
        Own {
            prompts,
            ..own.clone()
        }
    };
    let alike = with_golds(&prompts[&Language::De], [1; 6]);
    prompts.insert(Language::De, alike);
    let message = choose(&prompts, Language::De, 1)
        .expect_err("refused")
        .to_string();
    assert_eq!(
        message,
        "item 10 in de: no other question has another answer; raise `analyse.patched_items`"
    );
    // Label 1 in German, but in English the item itself and two others have 0, and all differ
    // in German.
    let mixed = with_golds(&prompts[&Language::De], [1, 0, 0, 2, 2, 1]);
    prompts.insert(Language::De, mixed);
    let golds_de = prompts[&Language::De].prompts.golds().to_vec();
    for seed in 0..20 {
        let donors = choose(&prompts, Language::De, seed).expect("draws");
        let differs = |(at, &donor): (usize, &usize)| {
            golds_de[donor] != golds_de[at] && golds[donor] != golds_de[at]
        };
        assert!(donors.iter().enumerate().all(differs), "{donors:?}");
    }
}

#[test]
fn means_by_hand() {
    let effect = |before, after, chosen_before, chosen_after| Effect {
        before,
        after,
        chosen_before,
        chosen_after,
    };
    let kinds = [InterventionKind::Steer, InterventionKind::PatchSame];
    let mut effects = Effects::new(&kinds, 2, 2);
    effects.set(1, 0, 0, effect(0.25, 0.5, false, true));
    effects.set(1, 0, 1, effect(0.5, 0.25, true, true));
    let records = effects.records(Language::Sw, &ItemBootstrap::new(2, 1000, 1));
    let keys: Vec<_> = records
        .iter()
        .map(|record| (record.kind, record.layer))
        .collect();
    assert_eq!(
        keys,
        [(kinds[0], 0), (kinds[0], 1), (kinds[1], 0), (kinds[1], 1)]
    );
    let expected = InterventionRecord {
        language: Language::Sw,
        kind: InterventionKind::PatchSame,
        layer: 0,
        items: 2,
        before: 0.375,
        after: 0.375,
        low: -0.25,
        high: 0.25,
        chosen_before: 0.5,
        chosen_after: 1.0,
    };
    assert_eq!(records[2], expected);
}

/// These items alone, in this order.
fn pick(own: &Own, items: &[usize]) -> Own {
    let old = &own.prompts;
    let place = |item: &usize| {
        old.items()
            .iter()
            .position(|other| other == item)
            .expect("there")
    };
    let places: Vec<usize> = items.iter().map(place).collect();
    let prompts = Prompts::assemble(
        old.prefix().to_vec(),
        places.iter().map(|&at| old.suffix(at).to_vec()).collect(),
        places.iter().map(|&at| old.question(at)).collect(),
        items.to_vec(),
        places.iter().map(|&at| old.golds()[at]).collect(),
    );
    Own {
        prompts,
        ..own.clone()
    }
}

#[test]
fn the_items_are_those_that_all_have_and_threads_change_nothing() {
    let model = tiny();
    let mut prompts = golden_prompts(&golden());
    // German lacks item 11 and has the others in another order.
    let fewer = pick(&prompts[&Language::De], &[14, 10, 12, 15, 13]);
    let run = |prompts: &BTreeMap<Language, Own>, how| {
        let mut heard = Vec::new();
        let records = intervene(&model, &ask_all(prompts), how, &mut |done, total| {
            heard.push((done, total));
            true
        });
        (records.expect("intervenes"), heard)
    };
    prompts.insert(Language::De, fewer);
    let how = Patching { items: 4, ..HOW };
    let (records, heard) = run(&prompts, how);
    assert!(records.iter().all(|record| record.items == 4));
    assert_eq!(heard.last(), Some(&(12, 12)));
    assert_eq!(records.len(), LAYERS * (1 + 5 + 5));
    // The same as with items 10, 12, 13 and 14 alone.
    prompts
        .values_mut()
        .for_each(|own| *own = pick(own, &[10, 12, 13, 14]));
    let alone = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .expect("a pool");
    assert_eq!(alone.install(|| run(&prompts, HOW)).0, records);
}

#[test]
fn what_cannot_be_patched_is_refused() {
    let model = tiny();
    let prompts = golden_prompts(&golden());
    let refused = |model: &Decoder, prompts: &BTreeMap<Language, Own>, how: Patching| {
        intervene(model, &ask_all(prompts), how, &mut |_, _| true)
            .expect_err("refused")
            .to_string()
    };
    let without = |language: Language| {
        prompts
            .clone()
            .into_iter()
            .filter(|(other, _)| *other != language)
            .collect()
    };
    assert_eq!(
        refused(&model, &without(ENGLISH), HOW),
        "patching: English is not among the languages; add `en` to `analyse.languages`"
    );
    assert_eq!(
        refused(&model, &prompts, Patching { items: 1, ..HOW }),
        "1 questions to patch: two or more are needed that all languages have; raise `analyse.patched_items` or \
         `analyse.limit`"
    );
    assert!(
        refused(
            &model,
            &prompts,
            Patching {
                resamples: 0,
                ..HOW
            }
        )
        .starts_with("resamples: an interval needs")
    );
    let mut more = prompts.clone();
    more.get_mut(&Language::De)
        .expect("there")
        .label_sets
        .push(vec![1]);
    assert_eq!(
        refused(&model, &more, HOW),
        "labels in de: not as many as in English"
    );
    let broken = tiny_with("model.layers.1.mlp.down_proj.weight", |values| {
        values[5] = f32::NAN
    });
    let message = refused(&broken, &prompts, HOW);
    assert!(
        message.starts_with("the state of item 1")
            && message.contains("in en after layer 2 is not finite"),
        "{message}"
    );
    let stopped = intervene(&model, &ask_all(&prompts), HOW, &mut |done, _| done == 0);
    let message = stopped.expect_err("stopped").to_string();
    assert_eq!(
        message,
        "interrupted after 0 of 18 questions; run the same command again to resume"
    );
}
