//! Counts against a naive loop and transformers; selection against the released rule, planted
//! neurons and laws.

use std::collections::BTreeMap;

use model::{Layer, LayerView, Rows, WalkDetail};
use proptest::prelude::*;
use schema::{
    Language,
    inside::{LayerNeurons, NeuronOverlap, NeuronsRecord},
};

use super::{Counts, count, count::count_in_batches, select, select::find_threshold};
use crate::{
    AnalyseError, Prompts,
    fixtures::{assert_near, golden, golden_prompts, read, tiny, tiny_with},
};

const LANGUAGES: [Language; 4] = [Language::En, Language::Zh, Language::De, Language::Fr];

#[test]
fn counts_equal_transformers() {
    let (golden, model) = (golden(), tiny());
    for (language, own) in golden_prompts(&golden) {
        let found = count(&model, &own.prompts, &mut |_, _| true).expect("counts");
        let code = language.to_string();
        assert_eq!(
            found.tokens,
            read::<u64>(&golden["tokens"][&code]),
            "{language}"
        );
        assert_eq!(
            found.active,
            read::<Vec<u64>>(&golden["active"][&code]),
            "{language}"
        );
    }
}

/// Prompts that begin alike, one of them twice; the question begins at different places in the
/// rows they share.
fn tangled(prefix: usize) -> Prompts {
    let ids = |from: u32, n: u32| {
        (from..from + n)
            .map(|at| at * 37 % 257)
            .collect::<Vec<u32>>()
    };
    let suffixes = vec![
        [ids(1, 6), ids(40, 3)].concat(),
        [ids(1, 6), ids(50, 4)].concat(),
        ids(1, 8),
        [ids(1, 6), ids(50, 4)].concat(),
        ids(90, 1),
        [ids(7, 5), ids(60, 5)].concat(),
    ];
    let questions = vec![2..8, 5..7, 0..6, 5..10, 0..1, 1..9];
    Prompts::assemble(
        ids(200, prefix as u32),
        suffixes,
        questions,
        (0..6).collect(),
        vec![0; 6],
    )
}

/// Every prompt by itself, whole.
fn count_naively(prompts: &Prompts) -> Counts {
    let model = tiny();
    let mut counts = Counts {
        tokens: 0,
        width: 80,
        active: vec![0; 240],
    };
    for at in 0..prompts.len() {
        let ids = prompts.ids(at);
        let question = prompts.question(at);
        let look = &mut |seen: LayerView<'_>| {
            if let (Layer::After(layer), Some((gate, _))) = (seen.layer, seen.mlp) {
                for row in &gate.to_vec2::<f32>()?[prompts.prefix().len()..][question.clone()] {
                    row.iter().enumerate().for_each(|(at, x)| {
                        counts.active[(layer - 1) * 80 + at] += u64::from(*x > 0.0)
                    });
                }
            }
            Ok(None)
        };
        model
            .walk_through(
                &ids,
                &Rows::new([ids.len()], 0),
                None,
                WalkDetail::Neurons,
                look,
            )
            .expect("walks");
        counts.tokens += question.len() as u64;
    }
    counts
}

#[test]
fn shared_rows_count_in_every_prompt_and_batches_and_threads_change_nothing() {
    let model = tiny();
    for prefix in [0, 5] {
        let prompts = tangled(prefix);
        let expected = count_naively(&prompts);
        assert_eq!(expected.tokens, 6 + 2 + 6 + 5 + 1 + 8);
        for budget in [1, 12, 20, 2048] {
            let found =
                count_in_batches(&model, &prompts, budget, &mut |_, _| true).expect("counts");
            assert_eq!(
                found, expected,
                "{budget} tokens at once after a prefix of {prefix}"
            );
        }
        let alone = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .build()
            .expect("a pool");
        assert_eq!(
            alone
                .install(|| count(&model, &prompts, &mut |_, _| true))
                .expect("counts"),
            expected
        );
    }
}

#[test]
fn a_count_can_be_stopped_and_refuses_what_is_not_finite() {
    let (model, prompts) = (tiny(), tangled(3));
    let mut heard = Vec::new();
    let stopped = count_in_batches(&model, &prompts, 12, &mut |done, total| {
        heard.push((done, total));
        heard.len() < 2
    });
    let message = stopped.expect_err("stopped").to_string();
    assert_eq!(
        message,
        "interrupted after 0 of 6 prompts; run the same command again to resume"
    );
    assert_eq!(heard.len(), 2);
    count(&model, &prompts, &mut |_, _| false)
        .expect("nothing is left to stop after the last batch");
    let broken = tiny_with("model.layers.1.mlp.gate_proj.weight", |values| {
        values[5] = f32::NAN
    });
    let message = count(&broken, &prompts, &mut |_, _| true)
        .expect_err("refused")
        .to_string();
    assert_eq!(
        message,
        "a gate of block 2 is not finite; check the weights and the learning rate"
    );
    let none = Prompts::assemble(vec![1], vec![], vec![], vec![], vec![]);
    let message = count(&model, &none, &mut |_, _| true)
        .expect_err("refused")
        .to_string();
    assert_eq!(
        message,
        "the test set whose neurons are counted has no rows"
    );
}

#[test]
fn selection_equals_the_released_rule() {
    let golden = golden();
    let counts: BTreeMap<Language, Counts> = golden_prompts(&golden)
        .keys()
        .map(|&language| {
            let code = language.to_string();
            let (tokens, active) = (
                read(&golden["tokens"][&code]),
                read(&golden["active"][&code]),
            );
            (
                language,
                Counts {
                    tokens,
                    width: 80,
                    active,
                },
            )
        })
        .collect();
    let found = select(&counts, read(&golden["share"])).expect("selects");
    assert_eq!(
        found.threshold.to_bits(),
        read::<f64>(&golden["threshold"]).to_bits()
    );
    for (language, own) in &found.selected {
        assert!(!own.is_empty());
        assert_eq!(
            own,
            &read::<Vec<(usize, u32)>>(&golden["selected"][language.to_string()]),
            "{language}"
        );
    }
    for (layer, expected) in found
        .layers
        .iter()
        .zip(golden["classes"].as_array().expect("blocks"))
    {
        let found = [layer.specific, layer.related, layer.general, layer.inactive];
        let expected_counts = ["specific", "related", "general", "inactive"]
            .map(|class| read::<usize>(&expected[class]));
        assert_eq!(found, expected_counts, "block {}", layer.layer);
        assert_near(
            &[layer.mean_entropy],
            &[read(&expected["mean_entropy"])],
            "mean entropy",
        );
    }
}

/// torch: `kthvalue(round(n * 0.95))`, where Python rounds halves to the even number.
#[test]
fn the_threshold_is_the_ranked_value_of_the_released_code() {
    for (n, expected) in [
        (1, 1.0),
        (10, 10.0),
        (11, 10.0),
        (30, 28.0),
        (50, 48.0),
        (90, 86.0),
    ] {
        assert_eq!(
            find_threshold((1..=n).rev().map(f64::from).collect()),
            expected,
            "{n} values"
        );
    }
}

/// Two blocks of 50 neurons in four languages, 100 tokens each. All fire on 20 tokens, but for
/// neuron 0 of block 1, which fires on none, and 20 high values, 5 % of all: one neuron of each
/// language in turn, four of two languages, two of all.
fn planted() -> BTreeMap<Language, Counts> {
    let mut active = vec![vec![20; 100]; 4];
    active.iter_mut().for_each(|active| active[0] = 0);
    for (at, neuron) in [3, 14, 55, 77].into_iter().enumerate() {
        (0..4).for_each(|language| active[language][neuron] = if language == at { 90 } else { 0 });
    }
    for neuron in [20, 21, 60, 61] {
        (0..4).for_each(|language| active[language][neuron] = if language < 2 { 90 } else { 20 });
    }
    for neuron in [30, 31] {
        (0..4).for_each(|language| active[language][neuron] = 90);
    }
    let counts = active.into_iter().map(|active| Counts {
        tokens: 100,
        width: 50,
        active,
    });
    LANGUAGES.into_iter().zip(counts).collect()
}

#[test]
fn planted_neurons_are_recovered() {
    let [en, zh, de, fr] = LANGUAGES;
    let found = select(&planted(), 0.04).expect("selects");
    let own = [
        (en, vec![(1, 3)]),
        (zh, vec![(1, 14)]),
        (de, vec![(2, 5)]),
        (fr, vec![(2, 27)]),
    ];
    let counted = |counts: [usize; 4]| {
        LANGUAGES
            .into_iter()
            .zip(counts)
            .collect::<BTreeMap<_, _>>()
    };
    // Bits: 2 for an even neuron, 0 for a language's own; of 90, 90, 20, 20 of 220 it is
    // 1.683866.
    let mean = |even: f64, two: f64, all: f64| (2.0 * even + 1.683_866_160_990_5 * two) / all;
    let layers = vec![
        LayerNeurons {
            layer: 1,
            neurons: 50,
            selected: counted([1, 1, 0, 0]),
            specific: 2,
            related: 2,
            general: 2,
            inactive: 44,
            mean_entropy: mean(45.0, 2.0, 49.0),
        },
        LayerNeurons {
            layer: 2,
            neurons: 50,
            selected: counted([0, 0, 1, 1]),
            specific: 2,
            related: 2,
            general: 0,
            inactive: 46,
            mean_entropy: mean(46.0, 2.0, 50.0),
        },
    ];
    for (found, expected) in found.layers.iter().zip(&layers) {
        assert_near(
            &[found.mean_entropy],
            &[expected.mean_entropy],
            "mean entropy",
        );
    }
    let entropies: Vec<f64> = found
        .layers
        .iter()
        .map(|layer| layer.mean_entropy)
        .collect();
    let layers = layers
        .into_iter()
        .zip(entropies)
        .map(|(layer, mean_entropy)| LayerNeurons {
            mean_entropy,
            ..layer
        });
    let pairs = [(en, zh), (en, de), (en, fr), (zh, de), (zh, fr), (de, fr)];
    let none = |(a, b)| NeuronOverlap {
        a,
        b,
        shared: 0,
        jaccard: 0.0,
    };
    let mut overlap: Vec<NeuronOverlap> = pairs.map(none).into();
    let expected = NeuronsRecord {
        tokens: LANGUAGES.map(|language| (language, 100)).into(),
        share: 0.04,
        threshold: 0.2,
        layers: layers.collect(),
        overlap: overlap.clone(),
        selected: own.into(),
    };
    assert_eq!(found, expected);
    // Of four with equal entropy the first.
    let first = select(&planted(), 0.02).expect("selects").selected;
    assert_eq!(
        first.into_values().collect::<Vec<_>>(),
        [vec![(1, 3)], vec![(1, 14)], vec![], vec![]]
    );
    // Twice as many: the four of two languages come next, and no even one.
    let found = select(&planted(), 0.08).expect("selects");
    assert_eq!(
        found.selected[&en],
        [(1, 3), (1, 20), (1, 21), (2, 10), (2, 11)]
    );
    assert_eq!(found.selected[&fr], [(2, 27)]);
    overlap[0] = NeuronOverlap {
        a: en,
        b: zh,
        shared: 4,
        jaccard: 4.0 / 6.0,
    };
    assert_eq!(found.overlap, overlap);
    // More than are active anywhere: those that are.
    let found = select(&planted(), 0.5).expect("selects");
    assert_eq!(found.selected[&fr], [(1, 30), (1, 31), (2, 27)]);
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let refused = |counts: BTreeMap<Language, Counts>, share: f64| match select(&counts, share) {
        Err(AnalyseError::Unusable { what, problem }) => format!("{what}: {problem}"),
        other => panic!("{other:?}"),
    };
    let one: BTreeMap<_, _> = planted().into_iter().take(1).collect();
    let message = refused(one, 0.01);
    assert_eq!(
        message,
        "1 languages: neurons are selected by comparing languages; name two or more in `analyse.languages`"
    );
    let change = |edit: fn(&mut Counts)| {
        let mut counts = planted();
        edit(counts.get_mut(&Language::De).expect("there"));
        counts
    };
    assert_eq!(
        refused(change(|counts| counts.tokens = 0), 0.01),
        "neurons in de: no tokens were counted"
    );
    for edit in [
        |counts: &mut Counts| counts.width = 25,
        |counts: &mut Counts| counts.active.truncate(50),
    ] {
        assert_eq!(
            refused(change(edit), 0.01),
            "neurons in de: not as many as in the other languages; count them again"
        );
    }
    assert_eq!(
        refused(planted(), 0.004),
        "neuron share 0.004: that is 0 of 100 neurons; set `analyse.neuron_share` between 0 and 1"
    );
    assert!(refused(planted(), 1.2).starts_with("neuron share 1.2: that is 120 of 100 neurons"));
}

proptest! {
    /// Whatever the counts: no more than the share is selected, nothing that is nowhere active,
    /// nothing while a neuron of lower entropy is left, and the sums are the sums of their
    /// parts.
    #[test]
    fn selections_obey_the_rule(
        active in prop::collection::vec(prop::collection::vec(0u64..=40, 60), 3),
        share in 0.02..0.6f64,
    ) {
        let count = |active: &Vec<u64>| Counts { tokens: 40, width: 20, active: active.clone() };
        let counts: BTreeMap<_, _> = LANGUAGES.into_iter().zip(active.iter().map(count)).collect();
        let found = select(&counts, share).expect("selects");
        let p = |neuron: usize, language: usize| active[language][neuron] as f64 / 40.0;
        let mut all: Vec<f64> = (0..60).flat_map(|neuron| (0..3).map(move |language| p(neuron, language))).collect();
        all.sort_by(f64::total_cmp);
        prop_assert_eq!(found.threshold, all[170]); // 171 of 180
        let mut selected: Vec<(usize, u32)> = found.selected.values().flatten().copied().collect();
        selected.sort_unstable();
        selected.dedup();
        prop_assert!(selected.len() <= (60.0 * share).round() as usize);
        let entropy = |neuron: usize| {
            let total: f64 = (0..3).map(|language| p(neuron, language)).sum();
            (0..3).map(|language| p(neuron, language) / total).filter(|q| *q > 0.0).map(|q| -q * q.log2()).sum::<f64>()
        };
        let is_active = |neuron: &usize| (0..3).any(|language| p(*neuron, language) > found.threshold);
        let number = |(layer, index): &(usize, u32)| (layer - 1) * 20 + *index as usize;
        let highest = selected.iter().map(|at| entropy(number(at))).fold(0.0, f64::max);
        let chosen: Vec<usize> = selected.iter().map(number).collect();
        for neuron in (0..60).filter(is_active) {
            prop_assert!(chosen.contains(&neuron) || entropy(neuron) >= highest - 1e-12);
            let languages = found.selected.values().enumerate();
            let owners: Vec<usize> =
                languages.filter(|(_, own)| own.iter().any(|at| number(at) == neuron)).map(|(at, _)| at).collect();
            let expected: Vec<usize> = (0..3).filter(|&language| p(neuron, language) > found.threshold).collect();
            prop_assert!(owners.is_empty() || owners == expected);
        }
        prop_assert!(chosen.iter().all(is_active));
        for layer in &found.layers {
            prop_assert_eq!(layer.specific + layer.related + layer.general + layer.inactive, 20);
            prop_assert!((0.0..=3f64.log2() + 1e-12).contains(&layer.mean_entropy));
        }
        for pair in &found.overlap {
            let (a, b) = (found.selected[&pair.a].len(), found.selected[&pair.b].len());
            prop_assert!(pair.shared <= a.min(b) && (0.0..=1.0).contains(&pair.jaccard));
        }
    }
}
