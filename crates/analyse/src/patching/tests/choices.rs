//! Which items are patched and by which donors, means over them, and requests that are refused.

use super::*;

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
