//! Neurons that are off against transformers and edited weights; controls; what is put back.

use std::collections::BTreeMap;

use model::SilencedDecoder;
use schema::{
    Language,
    inside::{LayerNeurons, NeuronsRecord, SilencedKind, SilencingRecord},
};

use super::{SilencedSet, Silencing, UnsilencedAnswers, compare, control, silence};
use crate::{
    bootstrap::ItemBootstrap,
    fixtures::{Own, ask_all, assert_near, bits, golden, golden_prompts, read, tiny, tiny_with},
    labelled_prompts::ModelAnswer,
};

const HOW: Silencing = Silencing {
    items: 5,
    resamples: 50,
    seed: 1,
};

/// Of the tiny model, with these neurons selected.
fn found(selected: &[(Language, &[(usize, u32)])]) -> NeuronsRecord {
    let layer = |layer| LayerNeurons {
        layer,
        neurons: 80,
        selected: BTreeMap::new(),
        specific: 0,
        related: 0,
        general: 0,
        inactive: 80,
        mean_entropy: 0.0,
    };
    NeuronsRecord {
        tokens: BTreeMap::new(),
        share: 0.1,
        threshold: 0.5,
        layers: (1..=3).map(layer).collect(),
        overlap: Vec::new(),
        selected: selected
            .iter()
            .map(|(language, own)| (*language, own.to_vec()))
            .collect(),
    }
}

/// Shares of every label of every question.
fn shares(model: &SilencedDecoder<'_>, language: Language, own: &Own) -> Vec<f64> {
    let answers = own
        .asked()
        .ask(language, model, own.prompts.len(), &mut |_| Ok(()))
        .expect("asks");
    answers
        .iter()
        .flat_map(|answer| answer.shares.clone())
        .collect()
}

#[test]
fn answers_with_neurons_off_equal_transformers() {
    let (golden, model) = (golden(), tiny());
    let prompts = golden_prompts(&golden);
    let silenced = model
        .silence(&read::<Vec<(usize, u32)>>(&golden["selected"]["de"]))
        .expect("silences");
    for (&language, own) in &prompts {
        let expected: Vec<Vec<f64>> = read(&golden["silenced"][language.to_string()]);
        assert_near(
            &shares(&silenced, language, own),
            &expected.concat(),
            &language.to_string(),
        );
    }
}

#[test]
fn a_block_without_neurons_is_one_whose_down_projection_is_zero() {
    let prompts = golden_prompts(&golden());
    let model = tiny();
    let zeroed = tiny_with("model.layers.1.mlp.down_proj.weight", |values| {
        values.fill(0.0)
    });
    let block: Vec<(usize, u32)> = (0..80).map(|index| (2, index)).collect();
    let silenced = model.silence(&block).expect("silences");
    let whole = model.silence(&[]).expect("all on");
    let zeroed = zeroed.silence(&[]).expect("all on");
    for (&language, own) in &prompts {
        let off = bits(&shares(&silenced, language, own));
        assert_eq!(off, bits(&shares(&zeroed, language, own)), "{language}");
        assert_ne!(off, bits(&shares(&whole, language, own)), "{language}");
    }
}

/// What the records of a language's neurons say must be what a model with just these off
/// answers.
#[test]
fn every_language_is_asked_with_every_set_off() {
    let golden = golden();
    let prompts = golden_prompts(&golden);
    let (de, zh): (Vec<(usize, u32)>, Vec<_>) = (
        read(&golden["selected"]["de"]),
        read(&golden["selected"]["zh"]),
    );
    let found = found(&[(Language::De, &de), (Language::Zh, &zh)]);
    let model = tiny();
    let mut heard = Vec::new();
    let records = silence(
        &model,
        &found,
        &ask_all(&prompts),
        HOW,
        &mut |done, total| {
            heard.push((done, total));
            true
        },
    )
    .expect("silences");
    let keys: Vec<_> = records
        .iter()
        .map(|record| (record.silenced, record.kind, record.asked))
        .collect();
    let sets = found.selected.keys().flat_map(|&language| {
        [
            (language, SilencedKind::Language),
            (language, SilencedKind::Random),
        ]
    });
    let expected: Vec<_> = sets
        .flat_map(|(l, kind)| prompts.keys().map(move |&asked| (l, kind, asked)))
        .collect();
    assert_eq!(keys, expected);
    assert_eq!(
        heard.last(),
        Some(&(75, 75)),
        "five sets of neurons, three languages, five questions"
    );
    let other = tiny();
    for record in &records {
        let own = &prompts[&record.asked];
        let ask = |model: &SilencedDecoder<'_>| {
            own.asked()
                .ask(record.asked, model, 5, &mut |_| Ok(()))
                .expect("asks")
        };
        let before = ask(&other.silence(&[]).expect("all on"));
        let off = match record.kind {
            SilencedKind::Language => found.selected[&record.silenced].clone(),
            SilencedKind::Random => control::draw(&found, record.silenced, 1).expect("draws"),
        };
        let after = ask(&other.silence(&off).expect("silences"));
        let mean = |value: &dyn Fn(usize) -> f64| (0..5).map(value).sum::<f64>() / 5.0;
        let golds = own.prompts.golds();
        let right = |answers: &[ModelAnswer]| {
            mean(&|at| f64::from(u8::from(answers[at].chosen == golds[at])))
        };
        assert_eq!((record.items, record.neurons), (5, off.len()));
        assert_eq!(
            (record.accuracy_before, record.accuracy_after),
            (right(&before), right(&after))
        );
        let gold_change = mean(&|at| after[at].shares[golds[at]] - before[at].shares[golds[at]]);
        assert_eq!(record.gold_change.to_bits(), gold_change.to_bits());
        assert_ne!(gold_change, 0.0, "the neurons say something");
        assert_eq!(
            record.changed_answers,
            mean(&|at| f64::from(u8::from(before[at].chosen != after[at].chosen)))
        );
    }
    assert!(
        records.iter().any(|record| record.changed_answers > 0.0),
        "some answer changes"
    );
}

#[test]
fn silencing_twice_is_the_same_and_nothing_off_changes_nothing() {
    let prompts = golden_prompts(&golden());
    let model = tiny();
    let all = ask_all(&prompts);
    let none = silence(
        &model,
        &found(&[(Language::De, &[])]),
        &all,
        HOW,
        &mut |done, total| {
            assert!(done <= 15 && total == 15, "nothing is run twice");
            true
        },
    );
    for record in none.expect("nothing to silence") {
        let changes = [
            record.gold_change,
            record.low,
            record.high,
            record.changed_answers,
        ];
        assert_eq!(
            (record.neurons, changes, record.accuracy_before),
            (0, [0.0; 4], record.accuracy_after)
        );
    }
    let some = found(&[(Language::De, &[(1, 3), (2, 7), (3, 40)])]);
    let records = silence(&model, &some, &all, HOW, &mut |_, _| true).expect("silences");
    let again = silence(&model, &some, &all, HOW, &mut |_, _| true).expect("silences");
    assert_eq!(records, again);
    let mut calls = 0;
    let stopped = silence(&model, &some, &all, HOW, &mut |done, _| {
        calls += 1;
        done <= 15
    });
    let message = stopped.expect_err("stopped").to_string();
    assert_eq!(
        message,
        "interrupted after 0 of 45 questions; run the same command again to resume"
    );
    assert!(calls > 1);
    let broken = tiny_with("model.layers.2.mlp.down_proj.weight", |values| {
        values[0] = f32::NAN
    });
    let message = silence(&broken, &some, &all, HOW, &mut |_, _| true)
        .expect_err("refused")
        .to_string();
    assert!(
        message.starts_with("the score of a label of item 1")
            && message.contains(" in en is not finite"),
        "{message}"
    );
}

#[test]
fn a_control_is_as_many_of_each_block_and_nobodys() {
    let de: Vec<(usize, u32)> = (0..30)
        .map(|at| (1, at))
        .chain((10..15).map(|at| (3, at)))
        .collect();
    let zh: Vec<(usize, u32)> = (20..49).map(|at| (1, at)).chain([(2, 1)]).collect();
    let record = found(&[(Language::De, &de), (Language::Zh, &zh)]);
    let draw = |language, seed| control::draw(&record, language, seed).expect("draws");
    for language in [Language::De, Language::Zh] {
        let drawn = draw(language, 7);
        let by_block = |neurons: &[(usize, u32)]| {
            [1, 2, 3].map(|block| neurons.iter().filter(|n| n.0 == block).count())
        };
        assert_eq!(by_block(&drawn), by_block(&record.selected[&language]));
        assert!(drawn.is_sorted_by(|a, b| a < b), "no neuron twice");
        assert!(
            drawn
                .iter()
                .all(|neuron| !de.contains(neuron) && !zh.contains(neuron))
        );
    }
    assert_eq!(draw(Language::De, 7), draw(Language::De, 7));
    assert_ne!(draw(Language::De, 7), draw(Language::De, 8));
    let in_block = |drawn: Vec<(usize, u32)>| {
        drawn
            .into_iter()
            .filter(|neuron| neuron.0 == 1)
            .take(29)
            .collect::<Vec<_>>()
    };
    assert_ne!(
        in_block(draw(Language::De, 7)),
        in_block(draw(Language::Zh, 7))
    );
    assert_eq!(
        control::draw(&record, Language::Fr, 7).expect("draws"),
        [],
        "of no neurons"
    );
    let many: Vec<(usize, u32)> = (0..41).map(|at| (2, at)).collect();
    let message = control::draw(&found(&[(Language::De, &many)]), Language::De, 7)
        .expect_err("refused")
        .to_string();
    assert_eq!(
        message,
        "the control of de in block 2: 41 neurons are the language's, but only 39 belong to no language; lower \
         `analyse.neuron_share`"
    );
}

#[test]
fn records_by_hand() {
    let answer = |chosen: usize, gold: f64| ModelAnswer {
        shares: vec![gold, 1.0 - gold],
        chosen,
    };
    let whole = UnsilencedAnswers {
        answers: vec![
            answer(0, 0.75),
            answer(0, 0.5),
            answer(1, 0.25),
            answer(1, 0.5),
        ],
        resampling: ItemBootstrap::new(4, 2000, 1),
    };
    let after = [
        answer(1, 0.25),
        answer(1, 0.25),
        answer(1, 0.25),
        answer(0, 0.75),
    ];
    let off = SilencedSet {
        language: Language::De,
        kind: SilencedKind::Random,
        neurons: vec![(1, 2), (1, 3)],
    };
    let record = compare(&off, Language::Fr, &[0, 0, 0, 0], &whole, &after);
    let expected = SilencingRecord {
        silenced: Language::De,
        kind: SilencedKind::Random,
        neurons: 2,
        asked: Language::Fr,
        items: 4,
        accuracy_before: 0.5,
        accuracy_after: 0.25,
        // Changes of -1, -1, 0, 1: four items allow means from -1 to 1.
        low: -1.0,
        high: 1.0,
        gold_change: -0.125,
        changed_answers: 0.75,
    };
    assert_eq!(record, expected);
}

#[test]
fn what_cannot_be_silenced_is_refused() {
    let prompts = golden_prompts(&golden());
    let all = ask_all(&prompts);
    let refused = |found: &NeuronsRecord, how: Silencing| {
        silence(&tiny(), found, &all, how, &mut |_, _| true)
            .expect_err("refused")
            .to_string()
    };
    let good = found(&[(Language::De, &[(1, 3)])]);
    let mut other = good.clone();
    other.layers[1].neurons = 81;
    assert_eq!(
        refused(&other, HOW),
        "neurons: not those of a model of 3 blocks with 80 each; select them again"
    );
    other.layers.pop();
    assert_eq!(
        refused(&other, HOW),
        "neurons: not those of a model of 3 blocks with 80 each; select them again"
    );
    assert_eq!(
        refused(&good, Silencing { items: 1, ..HOW }),
        "questions in en: an interval needs two; raise `analyse.silenced_items` or `analyse.limit`"
    );
    assert!(
        refused(
            &good,
            Silencing {
                resamples: 0,
                ..HOW
            }
        )
        .starts_with("resamples: an interval needs at least one")
    );
    let ask_with = |edit: fn(&mut Vec<Vec<u32>>)| {
        let mut prompts = prompts.clone();
        edit(&mut prompts.get_mut(&Language::Zh).expect("there").label_sets);
        silence(&tiny(), &good, &ask_all(&prompts), HOW, &mut |_, _| true)
            .expect_err("refused")
            .to_string()
    };
    assert_eq!(
        ask_with(|sets| sets.truncate(2)),
        "labels in zh: a question's answer is label 2, counted from 0, of 2"
    );
    assert_eq!(
        ask_with(|sets| sets[1].clear()),
        "labels in zh: label 1, counted from 0, has no token; choose other labels"
    );
    assert_eq!(
        ask_with(|sets| sets[0].push(257)),
        "labels in zh: token 257 is outside the vocabulary (257); does the tokenizer belong to this model?"
    );
}
