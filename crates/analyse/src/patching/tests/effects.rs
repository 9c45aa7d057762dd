//! Interventions against transformers and against one run each; laws of those that must change
//! nothing.

use super::*;

#[test]
fn effects_equal_transformers() {
    let (golden, model) = (golden(), tiny());
    let prompts = golden_prompts(&golden);
    let donors: Vec<usize> = read(&golden["donors"]);
    with_plan(&model, &prompts, Language::Zh, donors.clone(), |plan| {
        let effects = run_plan(plan, &model);
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
    let patch = &mut |seen: LayerView<'_>| {
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
            WalkDetail::Residual,
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
                let (effects, differences) = (run_plan(plan, &model), plan.differences());
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
            let effects = run_plan(plan, &model);
            let answers = prompts[&ENGLISH]
                .asked()
                .ask(
                    ENGLISH,
                    &model.silence(&[]).expect("all on"),
                    6,
                    &mut |_| Ok(()),
                )
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
            let expected = all(&run_plan(plan, &model));
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
