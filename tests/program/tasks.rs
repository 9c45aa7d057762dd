//! docs/tasks.md: a task of one's own by a file and data alone. The commands are taken from the
//! page.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    call::{call_line, json_lines, scratch},
    tiny,
};

const PAGE: &str = include_str!("../../docs/tasks.md");
const TASK: &str = "assets/examples/topic/topic.toml";

/// The example's files where the page has them, and the recipe with the tiny model.
fn place() -> TempDir {
    let folder = scratch();
    for entry in fs::read_dir(tiny::repository("assets/examples/topic")).expect("shipped") {
        let path = entry.expect("an entry").path();
        let to = folder
            .path()
            .join("assets/examples/topic")
            .join(path.file_name().expect("a name"));
        schema::write_whole(&to, &fs::read(path).expect("readable")).expect("writes");
    }
    let recipe = fs::read_to_string(tiny::repository("recipes/topic.toml")).expect("shipped");
    let recipe = recipe.replace("smollm2-135m-instruct", tiny::model());
    schema::write_whole(&folder.path().join("recipes/topic.toml"), recipe.as_bytes())
        .expect("writes");
    folder
}

/// The commands of the page, with the tiny model.
fn commands() -> Vec<String> {
    let lines = PAGE
        .lines()
        .filter_map(|line| line.strip_prefix("lingualign "));
    lines
        .map(|line| line.replace("smollm2-135m-instruct", tiny::model()))
        .collect()
}

/// Records by language.
fn by_language(path: &Path) -> BTreeMap<String, Vec<Value>> {
    let mut found = BTreeMap::<String, Vec<Value>>::new();
    for record in json_lines(path) {
        found
            .entry(record["language"].as_str().expect("a code").to_owned())
            .or_default()
            .push(record);
    }
    found
}

// Promise: what the page says can be done can be done, word for word.
#[test]
fn the_tutorial_runs_as_it_stands() {
    let task = fs::read_to_string(tiny::repository(TASK)).expect("shipped");
    assert!(
        PAGE.contains(&task),
        "the page shows the task file as it is"
    );
    let folder = place();
    for command in commands() {
        call_line(folder.path(), &command, 0);
    }
    let read = |name: &str| by_language(&folder.path().join(name));
    let counts = |answers: &BTreeMap<String, Vec<Value>>| -> Vec<(String, usize, u64)> {
        let first = |list: &[Value]| list[0]["item"].as_u64().expect("an index");
        answers
            .iter()
            .map(|(code, list)| (code.clone(), list.len(), first(list)))
            .collect()
    };
    let five =
        |count, first| ["de", "en", "es", "fr", "pt"].map(|code| (code.to_owned(), count, first));
    assert_eq!(counts(&read("topic.jsonl")), five(16, 4));
    assert_eq!(
        counts(&read("same.jsonl")),
        five(4, 16),
        "the pool of the draw is not scored"
    );
    assert_eq!(counts(&read("letters.jsonl")), five(20, 0));
    assert_eq!(counts(&read("english.jsonl")).len(), 3);
    let said = |name: &str, key: &str| read(name)["es"][0][key].clone();
    assert_eq!(
        (said("topic.jsonl", "task"), said("topic.jsonl", "scoring")),
        ("topic".into(), "prefix".into())
    );
    assert_eq!(
        (
            said("letters.jsonl", "labels"),
            said("letters.jsonl", "few_shot")
        ),
        ("letters".into(), "head:0".into())
    );
    assert_eq!(
        said("english.jsonl", "few_shot"),
        "head:4+exemplars:english+headers:english"
    );
    for below in ["", "few_shot.seed_1_4/"] {
        for labels in ["english", "same"] {
            let answers = folder
                .path()
                .join(format!("topic/answers/base/{below}topic.{labels}.pt.jsonl"));
            assert_eq!(
                json_lines(&answers).len(),
                if below.is_empty() { 16 } else { 4 },
                "{}",
                answers.display()
            );
        }
    }
    assert!(folder.path().join("topic/report/index.html").is_file());
}

#[test]
fn answers_that_are_texts_are_scored_by_their_own_words() {
    let folder = scratch();
    let row = |at: usize, label: usize| {
        format!(
            "{{\"premise\": \"P {at}.\", \"choice1\": \"one {at}\", \"choice2\": \"two\", \"question\": \"cause\", \"label\": {label}}}\n"
        )
    };
    let text: String = [0, 1, 1, 0]
        .into_iter()
        .enumerate()
        .map(|(at, label)| row(at, label))
        .collect();
    schema::write_whole(
        &folder.path().join("data/it/test.it.jsonl"),
        text.as_bytes(),
    )
    .expect("writes");
    let line = format!(
        "eval --model {} --task xcopa --data . --languages it --out it.jsonl",
        tiny::model()
    );
    let refused = call_line(folder.path(), &line, 1).stderr;
    assert!(
        refused.contains(
            "no label set for task xcopa in language it called `english`; there is: same"
        ),
        "{refused}"
    );
    let refused = call_line(
        folder.path(),
        &format!("{line} --labels same --scoring prefix"),
        1,
    )
    .stderr;
    assert!(
        refused.contains("the questions have different answers, which have nothing in common"),
        "{refused}"
    );
    call_line(folder.path(), &format!("{line} --labels same"), 0);
    let records = json_lines(&folder.path().join("it.jsonl"));
    assert_eq!(records.len(), 2, "two are shown");
    for record in &records {
        let scores: Vec<f64> = ["choice1", "choice2"]
            .map(|label| record["scores"][label].as_f64().expect("a score"))
            .into();
        assert!(
            (scores.iter().sum::<f64>() - 1.0).abs() < 1e-9 && scores[0] != scores[1],
            "{record}"
        );
        assert_eq!(
            (&record["scoring"], record.get("prior")),
            (&Value::from("sequence"), None)
        );
    }
    assert_ne!(records[0]["scores"], records[1]["scores"]);
}

#[test]
fn what_is_wrong_with_a_task_or_a_language_is_told() {
    let folder = place();
    let ask = |more: &str| {
        let line = format!(
            "eval --model {} --data assets/examples/topic --out x.jsonl {more}",
            tiny::model()
        );
        line
    };
    let cases = [
        (
            format!("--task {TASK} --languages qq"),
            2,
            "unknown language `qq`",
        ),
        (
            format!("--task {TASK} --languages sw"),
            1,
            "no language of task topic `sw`; there is: en, de, fr, es, pt",
        ),
        (
            format!("--task {TASK} --labels mine"),
            1,
            "there is: english, same, letters",
        ),
        (
            format!("--task {TASK} --few-shot seed:1:12"),
            1,
            "so none is left to score",
        ),
        ("--task no/such.toml".to_owned(), 1, "no/such.toml"),
        (
            "--task topical".to_owned(),
            2,
            "or the path of a task file, NAME.toml",
        ),
        (
            "--task emotion --languages q1".to_owned(),
            2,
            "unknown language `q1`",
        ),
    ];
    for (more, code, wanted) in cases {
        let printed = call_line(folder.path(), &ask(&more), code).stderr;
        assert!(printed.contains(wanted), "{more}\n{printed}");
    }
    let path = folder.path().join(TASK);
    let text = fs::read_to_string(&path).expect("placed");
    fs::write(&path, text.replacen("shots", "shot", 1)).expect("writes");
    let printed = call_line(folder.path(), &ask(&format!("--task {TASK}")), 1).stderr;
    assert!(
        printed.contains("topic.toml line 6: unknown field `shot`"),
        "{printed}"
    );
}
