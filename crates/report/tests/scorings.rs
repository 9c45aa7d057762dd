//! What the report says of several scorings and of several sets of exemplars; expected numbers
//! by hand.

#[path = "../../compare/tests/fabricate/mod.rs"]
mod fabricate;

use std::{collections::BTreeMap, fs};

use fabricate::{BASE, EMOTION, answers, lines, put, put_answers};
use schema::{AnswerRecord, Language, run_folder::RunFolder};
use serde_json::Value;

/// Positive and negative.
type Two = [f64; 2];

fn named<T: Copy>([positive, negative]: [T; 2]) -> BTreeMap<String, T> {
    BTreeMap::from([
        ("positive".to_owned(), positive),
        ("negative".to_owned(), negative),
    ])
}

/// The measures of every scoring: `log_probs` of an item by its gold label. Prefix sums are the
/// scores.
fn with_measures(mut record: AnswerRecord, log_probs: impl Fn(bool) -> Two) -> AnswerRecord {
    record.prefix_scores = record.scores.clone();
    record.log_probs = named(log_probs(record.gold == "positive"));
    record.label_tokens = named([1, 1]);
    record.prior_log_probs = named([0.9f64.ln(), 0.1f64.ln()]);
    record.domain_log_probs = named([-1.0, -3.0]);
    record
}

fn results(run: &RunFolder) -> Value {
    report::write(run).expect("a report");
    let text = fs::read_to_string(run.report().join("results.json")).expect("written");
    serde_json::from_str(&text).expect("JSON")
}

// Before, every item leans to `positive` by 2 nats, so batch calibration and PMI see two equal
// labels and contextual calibration (ln 9 = 2.2) the other one; after, the right label leads by
// 1.
#[test]
fn every_scoring_that_was_measured_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = RunFolder::new(folder.path());
    for (model, adapter) in [
        ("base", None),
        ("emotion.zh-en.seed1", Some("emotion.zh-en.seed1")),
    ] {
        let lean = |positive: bool| match (adapter, positive) {
            (None, _) => [-1.0, -3.0],
            (Some(_), true) => [-1.0, -2.0],
            (Some(_), false) => [-2.0, -1.0],
        };
        let all = answers(&EMOTION, Language::En, BASE, adapter)
            .into_iter()
            .map(|record| with_measures(record, lean));
        put(
            &run.answers(model, "emotion", "english", Language::En),
            &lines(&all.collect::<Vec<_>>()),
        );
    }
    let results = results(&run);
    let scorings = results["blocks"][0]["settings"][0]["changes"]["scorings"]
        .as_array()
        .expect("a list")
        .clone();
    let of = |name: &str| {
        let found = scorings
            .iter()
            .find(|of| of["scoring"] == name)
            .unwrap_or_else(|| panic!("{name} is not there"));
        let level = |when: &str| found["accuracy"][when]["value"].as_f64().expect("a number");
        (level("before"), level("after"), found["is_own"] == true)
    };
    let own = of("prefix");
    assert!(
        own.2 && own.0 == own.1,
        "the same scores before and after: {own:?}"
    );
    assert_eq!(of("sequence"), (0.5, 1.0, false));
    assert_eq!(of("sequence-mean"), (0.5, 1.0, false));
    assert_eq!(
        of("contextual"),
        (0.5, 0.5, false),
        "after, 1 nat is less than ln 9"
    );
    assert_eq!(of("batch"), (0.5, 1.0, false));
    assert_eq!(of("pmi"), (0.5, 0.5, false), "after, 1 nat is less than 2");
    let differs = |name: &str| {
        scorings
            .iter()
            .find(|of| of["scoring"] == name)
            .expect("there")["differs"]
            .clone()
    };
    assert_eq!(differs("prefix"), serde_json::json!([0.0, 0.0]));
    let chosen = answers(&EMOTION, Language::En, BASE, None);
    let negative = chosen
        .iter()
        .filter(|record| record.chosen == "negative")
        .count() as f64
        / chosen.len() as f64;
    assert_eq!(
        differs("sequence")[0].as_f64(),
        Some(negative),
        "it always says `positive`"
    );
    let csv = fs::read_to_string(
        run.report()
            .join("tables/emotion.english.emotion-zh-en.scorings.csv"),
    );
    assert!(
        csv.expect("a table").contains("\nsequence,50,"),
        "the table is there"
    );
}

#[test]
fn records_without_measures_have_no_table_of_scorings() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = RunFolder::new(folder.path());
    put_answers(&run, "base", &EMOTION, &[Language::En], BASE);
    put_answers(&run, "emotion.zh-en.seed1", &EMOTION, &[Language::En], BASE);
    let results = results(&run);
    assert_eq!(
        results["blocks"][0]["settings"][0]["changes"]["scorings"],
        serde_json::json!([])
    );
    assert!(
        !run.report()
            .join("tables/emotion.english.emotion-zh-en.scorings.csv")
            .exists()
    );
}

#[test]
fn further_sets_of_exemplars_are_paired_set_by_set() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = RunFolder::new(folder.path());
    for (model, adapter) in [
        ("base", None),
        ("emotion.zh-en.seed1", Some("emotion.zh-en.seed1")),
    ] {
        put_answers(&run, model, &EMOTION, &[Language::En, Language::De], BASE);
        for language in [Language::En, Language::De] {
            let mut other = answers(
                &EMOTION,
                language,
                fabricate::Mind { seed: 5, ..BASE },
                adapter,
            );
            other
                .iter_mut()
                .for_each(|record| record.few_shot = "seed:1:2".to_owned());
            put(
                &run.answers(
                    &format!("{model}/few_shot.seed-1-2"),
                    "emotion",
                    "english",
                    language,
                ),
                &lines(&other),
            );
        }
    }
    let results = results(&run);
    let changes = &results["blocks"][0]["settings"][0]["changes"];
    assert_eq!(
        changes["few_shots"],
        serde_json::json!(["head:2", "seed:1:2"])
    );
    assert!(
        changes["reliability"]["change"]["exemplars"].is_number(),
        "{}",
        changes["reliability"]
    );
    assert_eq!(
        results["gaps"].as_array().map(Vec::len),
        Some(1),
        "the manifest alone is missing: {}",
        results["gaps"]
    );
}
