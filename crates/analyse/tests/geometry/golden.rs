//! Real states of SmolLM2-135M-Instruct (24 reviews in four languages, pooled in two ways)
//! against scikit-learn, SciPy and NumPy: `tests/golden/geometry.py`.

use std::collections::BTreeMap;

use analyse::geometry::{Draws, LayerSpace, LayerStates, changes, pairs, pca};
use half::f16;
use safetensors::SafeTensors;
use schema::{Language, inside::Measure};
use serde::Deserialize;

/// Pooling, two languages, measure; value, low, high; null.
type Pair = (
    String,
    Language,
    Language,
    Measure,
    f64,
    f64,
    f64,
    Option<f64>,
);
/// Two languages, measure; before, after; low, high of the change.
type Change = (Language, Language, Measure, f64, f64, f64, f64);

#[derive(Deserialize)]
struct Expected {
    components: Vec<Components>,
    pairs: Vec<Pair>,
    changes: Vec<Change>,
}

#[derive(Deserialize)]
struct Components {
    pooling: String,
    centred: bool,
    explained: [f64; 2],
    points: BTreeMap<Language, Vec<[f32; 2]>>,
}

fn expected() -> Expected {
    serde_json::from_str(include_str!("../golden/geometry.json")).expect("what the script writes")
}

const LAYER: usize = 12;

/// The states of one pooling.
fn space(pooling: &str) -> LayerSpace {
    let file = SafeTensors::deserialize(include_bytes!("../golden/geometry.safetensors"))
        .expect("a safetensors file");
    let read = |code: &str| {
        let tokens = file.tensor(&format!("{code}.tokens")).expect("lengths");
        let tokens = tokens
            .data()
            .as_chunks::<8>()
            .0
            .iter()
            .map(|bytes| i64::from_le_bytes(*bytes) as usize);
        let values = file.tensor(&format!("{code}.{pooling}")).expect("states");
        let values = values
            .data()
            .as_chunks::<2>()
            .0
            .iter()
            .map(|bytes| f16::from_le_bytes(*bytes).to_f32());
        (
            code.parse().expect("a language"),
            tokens.collect::<Vec<_>>(),
            values.collect::<Vec<_>>(),
        )
    };
    let read = ["sw", "en", "de", "zh"].map(read);
    let items: Vec<usize> = (0..read[0].1.len()).collect();
    let rows: Vec<LayerStates<'_>> = read
        .iter()
        .map(|(language, tokens, values)| LayerStates {
            language: *language,
            items: &items,
            tokens,
            values,
        })
        .collect();
    LayerSpace::prepare(LAYER, 576, &rows).expect("sound states")
}

#[test]
fn components_equal_scikit_learn() {
    let expected = expected().components;
    assert_eq!(expected.len(), 4);
    for expected in expected {
        let (pooling, centred) = (&expected.pooling, expected.centred);
        let records = pca(&space(pooling));
        let found = records
            .iter()
            .find(|record| record.centred == centred)
            .expect("a record");
        assert_eq!(
            (found.layer, found.points.len(), &found.items),
            (LAYER, 4, &(0..24).collect::<Vec<_>>())
        );
        for (found, expected) in found.explained.iter().zip(expected.explained) {
            assert!(
                (found - expected).abs() < 1e-8,
                "{pooling}, centred {centred}: {found}, not {expected}"
            );
        }
        for (language, expected) in &expected.points {
            let found = &found.points[language];
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(expected) {
                let near = |k: usize| {
                    (found[k] - expected[k]).abs() < 1e-4_f32.max(1e-6 * expected[k].abs())
                };
                assert!(
                    near(0) && near(1),
                    "{pooling}, {language}: {found:?}, not {expected:?}"
                );
            }
        }
    }
}

#[test]
fn measures_of_pairs_equal_the_reference() {
    let expected = expected().pairs;
    assert_eq!(expected.len(), 2 * 6 * 8);
    for pooling in ["all", "rest"] {
        let records = pairs(
            &space(pooling),
            &Measure::ALL,
            Draws {
                seed: 1,
                permutations: 0,
            },
        );
        assert_eq!(records.len(), 6 * 8);
        for (_, a, b, measure, value, low, high, null) in
            expected.iter().filter(|expected| expected.0 == pooling)
        {
            let found = records
                .iter()
                .find(|found| (found.a, found.b, found.measure) == (*a, *b, *measure));
            let found = found.unwrap_or_else(|| panic!("no {measure} of {a} and {b}"));
            assert_eq!(
                (found.layer, found.p, found.null.is_some()),
                (LAYER, None, null.is_some())
            );
            let pairs = [
                (Some(found.value), *value),
                (found.low, *low),
                (found.high, *high),
            ];
            for (found, expected) in pairs.into_iter().chain(null.map(|null| (found.null, null))) {
                let found = found.expect("a number");
                assert!(
                    (found - expected).abs() < 2e-6,
                    "{pooling}, {a}-{b}, {measure}: {found}, not {expected}"
                );
            }
        }
    }
}

#[test]
fn changes_equal_the_reference() {
    let expected = expected().changes;
    assert_eq!(expected.len(), 6 * 8);
    let found = changes(&space("all"), &space("rest"), &Measure::ALL).expect("the same items");
    assert_eq!(found.len(), expected.len());
    for (a, b, measure, before, after, low, high) in expected {
        let found = found
            .iter()
            .find(|found| (found.a, found.b, found.measure) == (a, b, measure))
            .expect("a record");
        assert_eq!(found.layer, LAYER);
        for (found, expected) in [
            (found.before, before),
            (found.after, after),
            (found.low, low),
            (found.high, high),
        ] {
            assert!(
                (found - expected).abs() < 2e-6,
                "{a}-{b}, {measure}: {found}, not {expected}"
            );
        }
    }
}

/// The first token's state drowns the others in a mean over all: parallel reviews then look no
/// more alike than others, and their cosines say how long they are.
#[test]
fn parallel_reviews_are_told_from_others_without_the_first_token() {
    let p = |pooling: &str, measure: Measure| {
        let records = pairs(
            &space(pooling),
            &[measure],
            Draws {
                seed: 1,
                permutations: 199,
            },
        );
        let found = records
            .iter()
            .find(|record| (record.a.code(), record.b.code()) == ("en", "de"));
        found.and_then(|record| record.p).expect("a p-value")
    };
    for measure in [Measure::Cka, Measure::CosineCentred] {
        assert!(
            p("all", measure) > 0.3 && p("rest", measure) == 0.005,
            "{measure}"
        );
    }
    assert_eq!(p("all", Measure::Length), 0.005);
}
