//! `eval`: what a score may not depend on. Compared as bytes, for both scorings.

use std::{fs, path::Path};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    call::{call_line, json_lines, scratch},
    tiny,
};

const LANGUAGES: [&str; 3] = ["en", "sw", "hi"];
const COUNT: usize = 8;

/// Prefix sums of English words, and exact probabilities of words of several tokens, which run
/// as branches. All that the scorings are made from is in every record.
const SCORINGS: [&str; 3] = [
    "--scoring prefix --labels english --scorers chosen",
    "--scoring sequence --labels same",
    "--scoring pmi --labels same --greedy 99",
];

/// These look at all questions that are scored.
const BATCH: &str = "--scoring batch --labels same";

/// A folder whose data has the items that `choose` makes of the first eight of each language.
fn data(choose: impl Fn(Vec<Value>) -> Vec<Value>) -> TempDir {
    let folder = scratch();
    for language in LANGUAGES {
        let items = choose(tiny::items(language, COUNT));
        tiny::write_items(
            &folder.path().join("data"),
            "ap_emotion",
            &format!("emotion_{language}"),
            &items,
        );
    }
    folder
}

/// The answers as they stand in the file.
#[track_caller]
fn ask(folder: &Path, more: &str) -> String {
    let languages = if more.contains("--languages") {
        String::new()
    } else {
        format!("--languages {}", LANGUAGES.join(","))
    };
    let few_shot = if more.contains("--few-shot") {
        ""
    } else {
        "--few-shot builtin"
    };
    let model = tiny::model();
    let line = format!(
        "eval --model {model} --task emotion --data data {languages} {few_shot} {more} --out answers.jsonl"
    );
    call_line(folder, &line, 0);
    fs::read_to_string(folder.join("answers.jsonl")).expect("answers")
}

// Promise: `--threads` and `--tokens-per-batch` change time and memory, not one bit of a
// result.
#[test]
fn threads_and_batches_change_nothing() {
    let folder = data(|items| items);
    for scoring in SCORINGS.into_iter().chain([BATCH]) {
        let expected = ask(folder.path(), scoring);
        assert_eq!(expected.lines().count(), LANGUAGES.len() * COUNT);
        for how in [
            "--threads 1",
            "--threads 2 --tokens-per-batch 1",
            "--tokens-per-batch 64",
            "--threads 3 --tokens-per-batch 700",
        ] {
            assert!(
                ask(folder.path(), &format!("{scoring} {how}")) == expected,
                "{scoring} {how}"
            );
        }
    }
}

// Promise: languages are asked one by one; their order, and which others are asked, is no
// matter.
#[test]
fn order_and_company_of_languages_change_nothing() {
    let folder = data(|items| items);
    for scoring in SCORINGS {
        let all = ask(folder.path(), scoring);
        let one_by_one: String = LANGUAGES
            .iter()
            .map(|language| ask(folder.path(), &format!("{scoring} --languages {language}")))
            .collect();
        assert!(one_by_one == all, "{scoring}");
    }
}

// Promise: a smaller `--limit` gives the first records of a larger one.
#[test]
fn a_limit_only_cuts_the_end() {
    let folder = data(|items| items);
    for scoring in SCORINGS {
        let scoring = format!("{scoring} --languages sw --few-shot head:2");
        let all = ask(folder.path(), &scoring);
        assert_eq!(all.lines().count(), COUNT - 2, "exemplars are not scored");
        for limit in [1, 5] {
            let some = ask(folder.path(), &format!("{scoring} --limit {limit}"));
            assert!(
                some.lines().count() == limit && all.starts_with(&some),
                "{scoring} --limit {limit}"
            );
        }
    }
}

// Promise: an item's record does not depend on where in the file it stands.
#[test]
fn order_of_questions_changes_nothing() {
    let (forth, back) = (
        data(|items| items),
        data(|items| items.into_iter().rev().collect()),
    );
    for scoring in SCORINGS.into_iter().chain([BATCH]) {
        let forth = ask(forth.path(), scoring);
        ask(back.path(), scoring);
        let mut turned = json_lines(&back.path().join("answers.jsonl"));
        for record in &mut turned {
            let item = record["item"].as_u64().expect("an index");
            record["item"] = (COUNT as u64 - 1 - item).into();
        }
        turned.chunks_mut(COUNT).for_each(<[Value]>::reverse);
        let turned: Vec<String> = turned.iter().map(Value::to_string).collect();
        assert!(turned == forth.lines().collect::<Vec<_>>(), "{scoring}");
    }
}

// Promise: an item's record does not depend on which others are in the file, although they
// decide how long the prefix is that is computed once for all.
#[test]
fn other_questions_of_the_file_change_nothing() {
    const KEPT: [usize; 3] = [1, 4, 6];
    let (all, some) = (
        data(|items| items),
        data(|items| KEPT.iter().map(|&at| items[at].clone()).collect()),
    );
    for scoring in SCORINGS {
        let all: Vec<String> = ask(all.path(), scoring)
            .lines()
            .map(str::to_owned)
            .collect();
        let mut records = Vec::new();
        ask(some.path(), scoring);
        for (at, mut record) in json_lines(&some.path().join("answers.jsonl"))
            .into_iter()
            .enumerate()
        {
            record["item"] = KEPT[at % KEPT.len()].into();
            records.push(record.to_string());
        }
        let expected = (0..LANGUAGES.len())
            .flat_map(|language| KEPT.map(|at| all[language * COUNT + at].clone()));
        assert!(records == expected.collect::<Vec<_>>(), "{scoring}");
    }
}

// Promise: what several questions begin with is computed once, which no record shows: each is
// the same alone in its file, where all of it but the last token is computed as the prefix, and
// in batches of any size.
#[test]
fn siblings_change_nothing() {
    let shared =
        "All that these questions begin with, longer than a block of positions and told once. ";
    let endings = [
        "One end.",
        "Another end",
        "Another",
        "",
        "One end.",
        "A third, much longer than the others are: it goes on and on, through a block or two",
    ];
    let told = |items: Vec<Value>, endings: &[&str]| -> Vec<Value> {
        let tell = |(item, ending): (&Value, &&str)| {
            let mut item = item.clone();
            item["input"] = format!("{shared}{ending}").into();
            item
        };
        items.iter().zip(endings).map(tell).collect()
    };
    let all = data(|items| told(items, &endings));
    for scoring in SCORINGS {
        let together = ask(all.path(), scoring);
        for how in [
            "--tokens-per-batch 1",
            "--tokens-per-batch 150",
            "--threads 3 --tokens-per-batch 333",
        ] {
            assert!(
                ask(all.path(), &format!("{scoring} {how}")) == together,
                "{scoring} {how}"
            );
        }
        let together: Vec<&str> = together.lines().collect();
        for (item, ending) in endings.iter().enumerate() {
            let alone = data(|items| told(items[item..].to_vec(), &[ending]));
            ask(alone.path(), scoring);
            for (language, mut record) in json_lines(&alone.path().join("answers.jsonl"))
                .into_iter()
                .enumerate()
            {
                record["item"] = item.into();
                assert_eq!(
                    record.to_string(),
                    together[language * endings.len() + item],
                    "{scoring} {ending}"
                );
            }
        }
    }
}

// Promise: what is wrong with a language is said when it is its turn, although its questions
// are made before.
#[test]
fn a_language_fails_in_its_turn() {
    let folder = data(|items| items);
    tiny::write_items(
        &folder.path().join("data"),
        "ap_emotion",
        "emotion_sw",
        &[serde_json::json!({"input": 3})],
    );
    fs::remove_file(
        folder
            .path()
            .join(format!("data/ap_emotion/emotion_sw{COUNT}_test.json")),
    )
    .expect("removes");
    let line = format!(
        "eval --model {} --task emotion --data data --languages en,sw,hi --few-shot builtin --out answers.jsonl",
        tiny::model()
    );
    let printed = call_line(folder.path(), &line, 1);
    let asked: Vec<&str> = printed
        .stdout
        .lines()
        .filter_map(|line| line.split('\t').nth(2))
        .collect();
    assert_eq!(asked, ["en"], "{}", printed.stdout);
    assert!(
        printed.stderr.contains("emotion_sw1_test.json item 0"),
        "{}",
        printed.stderr
    );
}
