//! Made-up records of what is inside: English leads in the late layers of the lens, more so
//! after tuning; the languages lie closer after it; the nulls lie where they should. Seeded,
//! without any model.

use std::collections::BTreeMap;

use schema::{
    Language,
    inside::{
        ChangeRecord, InterventionKind, InterventionRecord, LayerNeurons, LensKind, LensRecord,
        Measure, NeuronOverlap, NeuronsRecord, PairRecord, PcaRecord, Pooling, SilencedKind,
        SilencingRecord, TunedLensRecord,
    },
    run_folder::RunFolder,
};

use super::{Random, lines, put};

/// What is made up.
#[derive(Clone, Copy)]
pub(crate) struct Inside<'a> {
    pub(crate) task: &'a str,
    pub(crate) languages: &'a [Language],
    /// L.
    pub(crate) layers: usize,
    pub(crate) items: usize,
    pub(crate) poolings: &'a [Pooling],
}

/// A hill of height `height` around `centre`.
fn hill(layer: f64, centre: f64, width: f64, height: f64) -> f64 {
    height * (-((layer - centre) / width).powi(2)).exp()
}

fn rise(layer: f64, centre: f64, width: f64) -> f64 {
    1.0 / (1.0 + (-(layer - centre) / width).exp())
}

fn place(language: Language) -> f64 {
    Language::ALL
        .iter()
        .position(|other| *other == language)
        .unwrap_or(0) as f64
}

/// One language through the lens; `gain` is how much tuning has done.
pub(crate) fn lens(shape: &Inside, language: Language, gain: f64) -> Vec<LensRecord> {
    let mut random = Random::new(31 + place(language) as u64);
    let mut records = Vec::new();
    for item in 0..shape.items {
        let own = 0.75 + 0.5 * random.uniform();
        for lens in [LensKind::Raw, LensKind::Tuned] {
            let dropped = language != Language::En && item % 9 == 4;
            let reach = 30.0 / shape.layers as f64;
            let shift = if lens == LensKind::Tuned { 5.0 } else { 0.0 };
            let curve = |of: &dyn Fn(f64) -> f64| -> Vec<f32> {
                if dropped {
                    return Vec::new();
                }
                (0..=shape.layers)
                    .map(|layer| of(layer as f64 * reach + shift).clamp(0.0, 1.0) as f32)
                    .collect()
            };
            let strength = own * (1.0 - 0.025 * place(language));
            let english = |x: f64| strength * (hill(x, 24.0, 3.5, 0.16 + 0.14 * gain) + 1e-4);
            let own_language = |x: f64| strength * (0.42 + 0.12 * gain) * rise(x, 28.2, 0.5);
            let (shown_english, shown_own): (&dyn Fn(f64) -> f64, &dyn Fn(f64) -> f64) =
                if language == Language::En {
                    (&own_language, &own_language)
                } else {
                    (&english, &own_language)
                };
            records.push(LensRecord {
                item,
                gold: if item % 2 == 0 {
                    "positive"
                } else {
                    "negative"
                }
                .to_owned(),
                lens,
                shared_tokens: if dropped { vec![17] } else { Vec::new() },
                correct: curve(shown_own),
                correct_english: curve(shown_english),
                possible: curve(&|x| shown_own(x) * (1.5 - 0.2 * gain)),
                possible_english: curve(&|x| shown_english(x) * (1.28 - 0.1 * gain)),
                entropy: curve(&|x| 0.0_f64.max(13.5 - 0.1 * x - 9.0 * rise(x, 23.0, 2.0)) / 16.0)
                    .into_iter()
                    .map(|share| 16.0 * share)
                    .collect(),
            });
        }
    }
    records
}

/// Two components by layer: languages apart early, together in the middle.
pub(crate) fn components(shape: &Inside, pooling: Pooling, gain: f64) -> Vec<PcaRecord> {
    let mut records = Vec::new();
    for layer in usize::from(pooling == Pooling::Last)..=shape.layers {
        for centred in [false, true] {
            let mut of_item = Random::new(5);
            let meanings: Vec<[f64; 2]> = (0..shape.items)
                .map(|_| [2.0 * of_item.normal(), 1.1 * of_item.normal()])
                .collect();
            let apart = if centred {
                0.0
            } else {
                1.0 + 2.5 * (layer as f64 / shape.layers as f64 - 0.5).abs() * 2.0
            };
            let points = shape.languages.iter().map(|&language| {
                let mut own = Random::new(900 + layer as u64 + 40 * place(language) as u64);
                let angle = place(language) * 2.4;
                let noise = 0.9 - 0.4 * gain;
                let point = |meaning: &[f64; 2]| {
                    [
                        (meaning[0] + (apart + gain) * angle.cos() + noise * own.normal()) as f32,
                        (meaning[1] + (apart + gain) * angle.sin() + noise * own.normal()) as f32,
                    ]
                };
                (language, meanings.iter().map(point).collect())
            });
            records.push(PcaRecord {
                layer,
                centred,
                explained: [0.46 - 0.004 * layer as f64, 0.13],
                items: (0..shape.items).collect(),
                points: points.collect(),
            });
        }
    }
    records
}

fn level(
    measure: Measure,
    share: f64,
    far: f64,
    gain: f64,
    pooling: Pooling,
) -> (f64, Option<f64>) {
    let bump = (-((share - 0.6) / 0.25).powi(2)).exp();
    let longer = if pooling == Pooling::All { 1.0 } else { 0.35 };
    match measure {
        Measure::Pearson => (0.35 + (0.5 + 0.06 * gain) * bump - 0.02 * far, Some(0.002)),
        Measure::PearsonCentred => (0.3 + (0.42 + 0.08 * gain) * bump - 0.02 * far, Some(-0.001)),
        Measure::Cka => (0.15 + (0.5 + 0.07 * gain) * bump - 0.02 * far, Some(0.0)),
        Measure::Retrieval => (
            ((0.55 + 0.2 * gain) * bump - 0.03 * far).max(0.0),
            Some(0.002),
        ),
        Measure::Cosine => (0.82 + 0.12 * bump - 0.005 * far, Some(0.8 + 0.06 * bump)),
        Measure::CosineCentred => (0.1 + (0.38 + 0.05 * gain) * bump - 0.01 * far, Some(0.0)),
        Measure::Centroid => (0.9 + 0.08 * far - 0.5 * bump + 0.1 * gain, None),
        Measure::Length => (longer * (0.34 - 0.2 * share), None),
    }
}

fn pairs_of(languages: &[Language]) -> Vec<(Language, Language)> {
    let of = |(place, &a): (usize, &Language)| {
        languages[place + 1..]
            .iter()
            .map(move |&b| (a, b))
            .collect::<Vec<_>>()
    };
    languages.iter().enumerate().flat_map(of).collect()
}

/// Every measure of every two languages.
pub(crate) fn pairs(shape: &Inside, pooling: Pooling, gain: f64) -> Vec<PairRecord> {
    let mut records = Vec::new();
    for layer in usize::from(pooling == Pooling::Last)..=shape.layers {
        for measure in Measure::ALL {
            for (a, b) in pairs_of(shape.languages) {
                let far = (place(a) - place(b)).abs().ln();
                let (value, null) = level(
                    measure,
                    layer as f64 / shape.layers as f64,
                    far,
                    gain,
                    pooling,
                );
                let has_interval = measure != Measure::Length;
                records.push(PairRecord {
                    layer,
                    a,
                    b,
                    measure,
                    value,
                    low: has_interval.then_some(value - 0.05),
                    high: has_interval.then_some(value + 0.04),
                    null,
                    p: null.map(|null| if value > null + 0.05 { 0.001 } else { 0.4 }),
                });
            }
        }
    }
    records
}

/// After less before, of the same levels.
pub(crate) fn changes(shape: &Inside, pooling: Pooling, gain: f64) -> Vec<ChangeRecord> {
    let after = pairs(shape, pooling, gain);
    let of = |(before, after): (PairRecord, PairRecord)| {
        let change = after.value - before.value;
        ChangeRecord {
            layer: before.layer,
            a: before.a,
            b: before.b,
            measure: before.measure,
            before: before.value,
            after: after.value,
            low: change - 0.03,
            high: change + 0.03,
        }
    };
    pairs(shape, pooling, 0.0)
        .into_iter()
        .zip(after)
        .map(of)
        .collect()
}

/// Both lenses' distances.
pub(crate) fn tuned_lens(shape: &Inside, gain: f64) -> Vec<TunedLensRecord> {
    let of = |layer: usize| {
        let share = layer as f64 / shape.layers as f64;
        let raw_kl = 9.0 * (1.0 - share) + hill(share, 0.2, 0.15, 2.5) + 0.2 * gain;
        let tuned_kl = 3.4 * (1.0 - share).powf(1.3);
        TunedLensRecord {
            layer,
            tokens: 2048,
            raw_kl,
            tuned_kl,
            gain_low: raw_kl - tuned_kl - 0.1,
            gain_high: raw_kl - tuned_kl + 0.1,
        }
    };
    (0..=shape.layers).map(of).collect()
}

/// Neurons: more of a language's own at both ends.
pub(crate) fn neurons(shape: &Inside, gain: f64) -> NeuronsRecord {
    let neurons = 1536;
    let mut selected: BTreeMap<Language, Vec<(usize, u32)>> = shape
        .languages
        .iter()
        .map(|language| (*language, Vec::new()))
        .collect();
    let layer = |layer: usize| {
        let x = layer as f64 / shape.layers as f64;
        let ends = 30.0 * (2.0 * x - 1.0).powi(2);
        let counts: BTreeMap<Language, usize> = shape
            .languages
            .iter()
            .map(|&language| {
                (
                    language,
                    (ends * (0.3 + 0.1 * place(language).sqrt()) + 2.0 - gain) as usize,
                )
            })
            .collect();
        for (language, count) in &counts {
            let list = selected.entry(*language).or_default();
            list.extend((0..*count).map(|index| (layer, index as u32)));
        }
        let specific = (60.0 + 4.0 * ends) as usize;
        let related = (380.0 + 90.0 * gain + 2.0 * ends) as usize;
        let inactive = (200.0 - 2.0 * ends) as usize;
        let general = neurons - specific - related - inactive;
        let mean_entropy = 2.5 - 0.02 * ends;
        LayerNeurons {
            layer,
            neurons,
            selected: counts,
            specific,
            related,
            general,
            inactive,
            mean_entropy,
        }
    };
    let layers: Vec<LayerNeurons> = (1..=shape.layers).map(layer).collect();
    let overlap = pairs_of(shape.languages).into_iter().map(|(a, b)| {
        let jaccard = 0.42 / (1.0 + 0.35 * (place(a) - place(b)).abs());
        NeuronOverlap {
            a,
            b,
            shared: (150.0 * jaccard) as usize,
            jaccard,
        }
    });
    let overlap = overlap.collect();
    let tokens = shape
        .languages
        .iter()
        .map(|language| (*language, 12_000))
        .collect();
    NeuronsRecord {
        tokens,
        share: 0.01,
        threshold: 0.35,
        layers,
        overlap,
        selected,
    }
}

/// Accuracy falls in the language whose neurons are off.
pub(crate) fn silencing(shape: &Inside, gain: f64) -> Vec<SilencingRecord> {
    let mut random = Random::new(77);
    let mut records = Vec::new();
    for &silenced in shape.languages {
        for kind in [SilencedKind::Language, SilencedKind::Random] {
            for &asked in shape.languages {
                let own = if silenced == asked && kind == SilencedKind::Language {
                    -0.11
                } else {
                    -0.01
                };
                let change = own + 0.012 * random.normal();
                let accuracy_before = 0.62 + 0.05 * gain - 0.01 * place(asked);
                records.push(SilencingRecord {
                    silenced,
                    kind,
                    neurons: 210,
                    asked,
                    items: 100,
                    accuracy_before,
                    accuracy_after: accuracy_before + change,
                    low: change - 0.04,
                    high: change + 0.04,
                    gold_change: change / 2.0,
                    changed_answers: change.abs() + 0.03,
                });
            }
        }
    }
    records
}

/// A patch takes over in the middle layers.
pub(crate) fn patching(shape: &Inside, gain: f64) -> Vec<InterventionRecord> {
    use InterventionKind::{PatchOther, PatchParallel, PatchSame, Steer, SteerRandom};
    let mut random = Random::new(78);
    let mut records = Vec::new();
    for &language in shape
        .languages
        .iter()
        .filter(|language| **language != Language::En)
    {
        for kind in [PatchParallel, PatchOther, PatchSame, Steer, SteerRandom] {
            for layer in 0..=shape.layers {
                let takes = rise(layer as f64 / shape.layers as f64, 0.62 - 0.05 * gain, 0.05);
                let size = match kind {
                    PatchParallel => 0.08 + 0.01 * place(language) / 2.0,
                    PatchOther => 0.34,
                    PatchSame => 0.31,
                    Steer => 0.03,
                    SteerRandom => -0.01,
                };
                let change = size * takes + 0.006 * random.normal();
                let before = if matches!(kind, PatchOther | PatchSame) {
                    0.42
                } else {
                    0.58
                };
                records.push(InterventionRecord {
                    language,
                    kind,
                    layer,
                    items: 50,
                    before,
                    after: before + change,
                    low: change - 0.03,
                    high: change + 0.03,
                    chosen_before: before,
                    chosen_after: (before + 1.3 * change).clamp(0.0, 1.0),
                });
            }
        }
    }
    records
}

/// All kinds of one model; an adapter has changes too.
pub(crate) fn put_inside(run: &RunFolder, model: &str, shape: &Inside) {
    let gain = if model == "base" { 0.0 } else { 1.0 };
    let file = |name: String| run.inside(model, &name);
    let task = shape.task;
    for &language in shape.languages {
        put(
            &file(format!("lens.{task}.{language}.jsonl")),
            &lines(&lens(shape, language, gain)),
        );
    }
    for &pooling in shape.poolings {
        put(
            &file(format!("pca.{task}.{pooling}.jsonl")),
            &lines(&components(shape, pooling, gain)),
        );
        put(
            &file(format!("pairs.{task}.{pooling}.jsonl")),
            &lines(&pairs(shape, pooling, gain)),
        );
        if model != "base" {
            put(
                &file(format!("changes.{task}.{pooling}.jsonl")),
                &lines(&changes(shape, pooling, gain)),
            );
        }
    }
    put(
        &file(format!("tuned-lens.{task}.jsonl")),
        &lines(&tuned_lens(shape, gain)),
    );
    put(
        &file(format!("tuned-lens.{task}.safetensors")),
        "not a record",
    );
    let neurons = serde_json::to_string(&neurons(shape, gain)).expect("plain values");
    put(&file(format!("neurons.{task}.json")), &(neurons + "\n"));
    put(
        &file(format!("silencing.{task}.jsonl")),
        &lines(&silencing(shape, gain)),
    );
    put(
        &file(format!("patching.{task}.jsonl")),
        &lines(&patching(shape, gain)),
    );
}
