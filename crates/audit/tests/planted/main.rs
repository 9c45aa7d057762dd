//! Defects of every kind are planted at random places, in several scripts; every one is found,
//! and sound data is not accused.

mod defects;
mod files;
mod form_defects;
mod forms;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use defects::{DEFECTS, Expected, Place};
use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use schema::{
    Finding,
    finding::{Kind, Severity},
};
use serde_json::json;
use world::{World, language_of};

/// Times that every defect is planted, in another file each.
const ROUNDS: u64 = 2;

#[test]
fn sound_data_has_no_error_and_few_warnings() {
    let findings = World::new().audit(None);
    let of = |severity| {
        findings
            .iter()
            .filter(|f| f.severity == severity)
            .map(describe)
            .collect::<Vec<_>>()
    };
    assert_eq!(of(Severity::Error), Vec::<String>::new());
    let warnings = of(Severity::Warning);
    assert!(
        warnings.len() <= 3,
        "{} warnings:\n{}",
        warnings.len(),
        warnings.join("\n")
    );
    let notes = of(Severity::Note);
    assert!(
        notes.len() <= 30,
        "{} notes:\n{}",
        notes.len(),
        notes.join("\n")
    );
}

#[test]
fn every_planted_defect_is_found() {
    let (mut planted, mut languages) = (0, BTreeSet::new());
    for seed in 0..ROUNDS {
        let (world, expected) = plant_all(seed);
        let findings = world.audit(None);
        let missed: Vec<String> = expected
            .iter()
            .filter(|e| !findings.iter().any(|f| is_it(f, e)))
            .map(|e| miss(e, &findings))
            .collect();
        assert!(
            missed.is_empty(),
            "seed {seed}: {} of {} missed:\n{}",
            missed.len(),
            expected.len(),
            missed.join("\n")
        );
        planted += expected.len();
        languages.extend(expected.iter().map(|e| language_of(&e.file)));
    }
    assert!(
        planted >= 60 && languages.len() >= 15,
        "{planted} defects in {languages:?}"
    );
}

/// Every defect once, each in a file of its own.
fn plant_all(seed: u64) -> (World, Vec<Expected>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut world = World::new();
    let mut tests = world.tests();
    tests.retain(|name| language_of(name) != "en");
    tests.shuffle(&mut rng);
    let mut pairs = world.pairs();
    pairs.shuffle(&mut rng);
    let mut expected = Vec::new();
    let mut order: Vec<_> = DEFECTS.iter().collect();
    // What fits in few places chooses first.
    order.sort_by_key(|(what, place, _)| (*place == Place::Test, *what != "sentence dropped"));
    for (what, place, plant) in order {
        let fits = |name: &String| match place {
            Place::Test => true,
            Place::ThreeLabels => name.starts_with("snli"),
            Place::Sentences => !name.contains("_th"),
            Place::Sounds => !["zh", "ja"].contains(&language_of(name).as_str()),
            Place::Latin => {
                !["zh", "ja", "ru", "bg", "hi", "th", "bn"].contains(&language_of(name).as_str())
            }
            Place::Pairs => true,
        };
        let from = if *place == Place::Pairs {
            &mut pairs
        } else {
            &mut tests
        };
        let at = from.iter().position(fits).expect("a file is left");
        let file = from.remove(at);
        let (kind, items) = plant(&mut world, &file, &mut rng);
        expected.push(Expected {
            what,
            kind,
            file,
            items,
        });
    }
    (world, expected)
}

fn is_it(finding: &Finding, expected: &Expected) -> bool {
    finding.kind == expected.kind
        && finding.file == expected.file
        && expected
            .items
            .iter()
            .all(|item| finding.items.contains(item))
}

fn miss(expected: &Expected, findings: &[Finding]) -> String {
    let there: Vec<String> = findings
        .iter()
        .filter(|f| f.file == expected.file)
        .map(describe)
        .collect();
    let Expected {
        what,
        kind,
        file,
        items,
    } = expected;
    format!(
        "{what}: {kind} {file} {items:?}\n    found there: {}",
        there.join("\n      ")
    )
}

fn describe(finding: &Finding) -> String {
    let Finding {
        severity,
        kind,
        file,
        items,
        evidence,
        ..
    } = finding;
    format!("{severity} {kind} {file} {items:?}: {evidence}")
}

#[test]
fn a_test_question_in_training_data_or_exemplars_leaks() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut world = World::new();
    let mut expected: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for name in world.pairs() {
        let language = language_of(&name);
        let test = world
            .tests()
            .into_iter()
            .find(|t| t.starts_with(&format!("ap_emotion/emotion_{language}")))
            .expect("one");
        for words_changed in [false, true] {
            let item = rng.random_range(17..world.len(&test));
            let pair = rng.random_range(0..world.len(&name));
            let mut question = world.text(&test, item, "input");
            if words_changed {
                question += "!";
                question = question.to_uppercase();
            }
            let input = world.text(&name, pair, "input");
            let (_, rest) = input.split_once('\n').expect("a header");
            let text = format!("{question}\n{rest}");
            world.set(&name, pair, "input", text);
            expected.entry(test.clone()).or_default().push(item);
        }
    }
    let premise = world.text("snli/snli_ru30_test.json", 20, "premise");
    let hypothesis = world.text("snli/snli_ru30_test.json", 20, "hypothesis");
    let few_shot = json!({"snli": {"ru": format!("Предпосылка: {premise}\nГипотеза: {hypothesis}\nОтвечать: \"neutral\"")}});
    expected.insert("snli/snli_ru30_test.json".to_owned(), vec![20]);
    let findings = world.audit(Some(&few_shot));
    for (file, items) in expected {
        let found: BTreeSet<usize> = findings
            .iter()
            .filter(|f| f.kind == Kind::Leakage && f.file == file)
            .flat_map(|f| f.items.clone())
            .collect();
        assert!(
            items.iter().all(|item| found.contains(item)),
            "{file}: {items:?} in {found:?}"
        );
    }
}
