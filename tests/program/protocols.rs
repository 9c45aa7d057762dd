//! `--protocol`: the released files' defects counted as the authors' code does, repaired, or
//! refused.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    call::{Printed, call_line, json_lines, scratch},
    tiny,
};

/// SNLI in English with the golds that both other files ought to have, Japanese with 中性 for
/// neutral, which no scorer knows, and Norwegian with neutral and contradiction exchanged.
pub(crate) fn data() -> TempDir {
    let folder = scratch();
    let write = |language: &str, words: [&str; 3]| {
        let item = |(at, gold): (usize, usize)| json!({"premise": format!("{language} {at}: p."), "hypothesis": format!("h {at}."), "answer": words[gold]});
        let items: Vec<Value> = [0, 1, 2, 1, 2, 0]
            .into_iter()
            .enumerate()
            .map(item)
            .collect();
        tiny::write_items(
            &folder.path().join("data"),
            "snli",
            &format!("snli_{language}"),
            &items,
        );
    };
    write("en", ["entailment", "neutral", "contradiction"]);
    write("ja", ["含意", "中性", "矛盾"]);
    write("no", ["entailment", "motsigelse", "nøytral"]);
    write("de", ["Konsequenz", "neutral", "Widerspruch"]);
    folder
}

const GOLDS: [&str; 6] = [
    "entailment",
    "neutral",
    "contradiction",
    "neutral",
    "contradiction",
    "entailment",
];

fn ask(folder: &Path, language: &str, more: &str, code: i32) -> Printed {
    let model = tiny::model();
    let line = format!(
        "eval --model {model} --task snli --data data --languages {language} {more} --out {language}.jsonl"
    );
    call_line(folder, &line, code)
}

fn records(folder: &Path, language: &str) -> Vec<Value> {
    json_lines(&folder.join(format!("{language}.jsonl")))
}

fn golds(records: &[Value]) -> Vec<&str> {
    records
        .iter()
        .map(|record| record["gold"].as_str().expect("a label"))
        .collect()
}

// Promise: under `paper` a gold word that the scorer does not know is never right, and is
// recorded as what it means.
#[test]
fn paper_counts_unknown_words_as_wrong() {
    let folder = data();
    // A label set in which some word wins everywhere does not matter: every label is chosen by
    // one of the protocols.
    for labels in ["english", "same", "agnostic"] {
        let printed = ask(
            folder.path(),
            "ja",
            &format!("--few-shot builtin --protocol paper --labels {labels}"),
            0,
        );
        let found = records(folder.path(), "ja");
        assert_eq!(golds(&found), GOLDS, "{}", printed.stderr);
        for (record, gold) in found.iter().zip(GOLDS) {
            let matches = record["chosen"] == gold;
            assert_eq!(
                record["correct"],
                json!(matches && gold != "neutral"),
                "{record}"
            );
            assert_eq!(record["protocol"], "paper");
        }
    }
}

// Promise: under `paper` nothing is repaired, so swapped golds stay swapped.
#[test]
fn paper_keeps_swapped_golds() {
    let folder = data();
    let printed = ask(
        folder.path(),
        "no",
        "--few-shot builtin --protocol paper",
        0,
    );
    let swapped = [
        "entailment",
        "contradiction",
        "neutral",
        "contradiction",
        "neutral",
        "entailment",
    ];
    assert_eq!(golds(&records(folder.path(), "no")), swapped);
    assert!(!printed.stderr.contains("exchanged"), "{}", printed.stderr);
}

// Promise: an exemplar shows the label that its gold word means, whatever the protocol.
#[test]
fn exemplars_show_what_the_word_means() {
    let folder = data();
    let mut scores = Vec::new();
    for protocol in ["paper", "corrected"] {
        ask(
            folder.path(),
            "ja",
            &format!("--few-shot head:3 --protocol {protocol}"),
            0,
        );
        let found = records(folder.path(), "ja");
        assert_eq!(
            found.iter().map(|r| r["item"].as_u64()).collect::<Vec<_>>(),
            [Some(3), Some(4), Some(5)]
        );
        scores.push(
            found
                .into_iter()
                .map(|r| (r["scores"].clone(), r["prompt_tokens"].clone()))
                .collect::<Vec<_>>(),
        );
    }
    assert_eq!(scores[0], scores[1]);
}

// Promise: `corrected` repairs words and exchanges, answers count again, and it says what it
// did, with counts.
#[test]
fn corrected_repairs_and_says_so() {
    let folder = data();
    for (language, said) in [
        ("ja", ["中性", "neutral on 2 of 6 items"]),
        ("no", ["exchanged on 4 of 6 items", "seen on all 6 items"]),
    ] {
        let printed = ask(
            folder.path(),
            language,
            "--few-shot builtin --protocol corrected",
            0,
        );
        assert!(
            said.iter().all(|words| printed.stderr.contains(words)),
            "{}",
            printed.stderr
        );
        let found = records(folder.path(), language);
        assert_eq!(golds(&found), GOLDS);
        for record in &found {
            assert_eq!(
                record["correct"],
                json!(record["chosen"] == record["gold"]),
                "{record}"
            );
        }
    }
    let printed = ask(
        folder.path(),
        "de",
        "--few-shot builtin --protocol corrected",
        0,
    );
    assert!(
        !printed.stderr.contains("snli_de"),
        "a sane file is left alone: {}",
        printed.stderr
    );
}

// Promise: without a protocol an unknown gold word is an error that names file, line, word and
// the two ways out.
#[test]
fn without_a_protocol_an_unknown_word_is_refused() {
    let folder = data();
    let message = ask(folder.path(), "ja", "--few-shot builtin", 1).stderr;
    let needles = [
        "snli_ja6_test.json",
        "line 3",
        "`中性`",
        "`paper`",
        "`corrected`",
    ];
    assert!(
        needles.iter().all(|needle| message.contains(needle)),
        "{message}"
    );
    assert!(!folder.path().join("ja.jsonl").exists());
    ask(folder.path(), "no", "--few-shot builtin", 0);
    assert_eq!(
        golds(&records(folder.path(), "no"))[1],
        "contradiction",
        "known words are taken at their word"
    );
}

// Promise: in a run the protocol is the recipe's, and what was repaired stands in the manifest.
#[test]
fn a_run_records_its_repairs() {
    let folder = data();
    let recipe = format!(
        "model = {:?}\n[data]\ndir = \"data\"\n[eval]\ntasks = [\"snli\"]\nlanguages = [\"ja\", \"no\"]\nfew_shot = \"builtin\"\nprotocol = \"corrected\"\n",
        tiny::model()
    );
    std::fs::write(folder.path().join("snli.toml"), recipe).expect("writes");
    call_line(folder.path(), "run snli.toml --out out", 0);
    let manifest = crate::call::json(&folder.path().join("out/manifest.json"));
    let repairs = manifest["stages"]["eval.base.snli.english.no"]["notes"]["repairs"].to_string();
    assert!(repairs.contains("exchanged on 4 of 6 items"), "{repairs}");
    // The exchange is seen beside the English file, so that file is an input of the Norwegian
    // answers.
    std::fs::remove_file(folder.path().join("data/snli/snli_en6_test.json")).expect("removes");
    let printed = call_line(folder.path(), "run snli.toml --out out --redo", 0);
    assert!(
        printed
            .stderr
            .contains("`nøytral` and `motsigelse` not exchanged"),
        "{}",
        printed.stderr
    );
}
