//! Curves against transformers, to 1e-5 (entropies, in bits, to 1e-4).

use schema::inside::{LensKind, LensRecord};
use serde_json::Value;

use super::{Bench, LAYERS, WIDTH};

const CASES: &str = include_str!("../golden/lens.json");

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}

fn ids(value: &Value) -> Vec<u32> {
    list(value)
        .iter()
        .map(|id| id.as_u64().expect("an id") as u32)
        .collect()
}

#[track_caller]
fn check_curves(record: &LensRecord, want: &Value, place: &str) {
    let curves: [(&str, &[f32], f64); 5] = [
        ("correct", &record.correct, 1e-5),
        ("correct_english", &record.correct_english, 1e-5),
        ("possible", &record.possible, 1e-5),
        ("possible_english", &record.possible_english, 1e-5),
        ("entropy", &record.entropy, 1e-4),
    ];
    for (name, found, bound) in curves {
        let want = list(&want[name]);
        assert_eq!(
            (found.len(), want.len()),
            (LAYERS + 1, LAYERS + 1),
            "{place} {name}"
        );
        for (layer, (found, want)) in found.iter().zip(want).enumerate() {
            let off = (f64::from(*found) - want.as_f64().expect("a number")).abs();
            assert!(
                off <= bound,
                "{place} {name} after layer {layer}: {found}, not {want}"
            );
        }
    }
}

/// `translate` in `golden/lens.py`.
fn formula() -> Vec<(Vec<f32>, Vec<f32>)> {
    let layer = |layer: usize| {
        let weight = |at: usize| (0.1 * (0.37 * at as f64 + layer as f64).sin()) as f32;
        let bias = |at: usize| (0.2 * (0.53 * at as f64 + layer as f64).cos()) as f32;
        (
            (0..WIDTH * WIDTH).map(weight).collect(),
            (0..WIDTH).map(bias).collect(),
        )
    };
    (0..LAYERS).map(layer).collect()
}

#[test]
fn curves_are_those_of_transformers() {
    let bench = Bench::new();
    let tuned = bench.translators(&formula());
    let cases: Value = serde_json::from_str(CASES).expect("JSON");
    let (mut read, mut dropped) = (0, 0);
    for case in list(&cases) {
        let language = case["language"]
            .as_str()
            .expect("a code")
            .parse()
            .expect("a language");
        let labels = bench.labels(language);
        for (label, own) in list(&case["own"]).iter().enumerate() {
            assert_eq!(labels.own(label), ids(own), "{language}");
        }
        let cases = list(&case["prompts"]);
        let text = |case: &Value| {
            (
                case["text"].as_str().expect("text").to_owned(),
                case["gold"] == 1,
            )
        };
        let texts: Vec<_> = cases
            .iter()
            .map(text)
            .map(|(text, gold)| (text, usize::from(gold)))
            .collect();
        let prompts = bench.prompts(language, &texts);
        assert!(
            !prompts.prefix().is_empty(),
            "nothing would test the shared prefix"
        );
        let records = bench.read(&prompts, language, Some(&tuned), 2048);
        assert_eq!(records.len(), 2 * cases.len());
        for (item, (pair, case)) in records.chunks(2).zip(cases).enumerate() {
            for (record, (lens, kind)) in pair
                .iter()
                .zip([(LensKind::Raw, "raw"), (LensKind::Tuned, "tuned")])
            {
                assert_eq!(
                    (record.item, record.lens, &record.shared_tokens),
                    (item, lens, &ids(&case["shared"]))
                );
                assert_eq!(
                    record.gold,
                    ["bread", "house"][usize::from(case["gold"] == 1)]
                );
                if record.is_dropped() {
                    let curves = [
                        &record.correct,
                        &record.correct_english,
                        &record.possible,
                        &record.possible_english,
                    ];
                    assert!(
                        curves.iter().all(|curve| curve.is_empty()) && record.entropy.is_empty()
                    );
                    dropped += 1;
                } else {
                    check_curves(record, &case[kind], &format!("{language} {item} {kind}"));
                    read += 1;
                }
            }
        }
    }
    assert_eq!((read, dropped), (22, 2), "`bene` and `bread` share tokens");
}
