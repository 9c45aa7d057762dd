//! `merge`: the merged model answers as the model with its adapter.

use std::{collections::BTreeMap, fs};

use serde_json::Value;

use crate::{
    call::{call, call_line, files, json, json_lines, scratch},
    tiny,
};

/// Scores of a question's labels.
fn scores(record: &Value) -> BTreeMap<String, f64> {
    serde_json::from_value(record["log_probs"].clone()).expect("numbers")
}

/// By how much the best label is ahead, in nats.
fn lead(record: &Value) -> f64 {
    let mut scores: Vec<f64> = scores(record).into_values().collect();
    scores.sort_by(f64::total_cmp);
    scores[scores.len() - 1] - scores[scores.len() - 2]
}

#[test]
fn a_merged_model_answers_as_the_model_with_its_adapter() {
    let folder = scratch();
    let at = |name: &str| folder.path().join(name);
    tiny::write_recipe(folder.path());
    call_line(
        folder.path(),
        "train recipe.toml --out run --set train.max_steps=20",
        0,
    );
    let adapters = files(folder.path(), "run/adapters");
    let adapter = adapters[0]
        .parent()
        .expect("a folder")
        .to_str()
        .expect("UTF-8");
    let merge = [
        "merge",
        "--model",
        tiny::model(),
        "--adapter",
        adapter,
        "--out",
        "merged",
    ];
    let printed = call(folder.path(), &merge, 0);
    assert!(
        printed.stderr.contains("6 of the model's weights changed"),
        "{}",
        printed.stderr
    );
    assert!(
        printed
            .stdout
            .contains("the best token stayed the same after 8"),
        "{}",
        printed.stdout
    );
    call(
        folder.path(),
        &[&merge[..6], &["rounded", "--dtype", "bf16"]].concat(),
        0,
    );
    assert_eq!(json(&at("rounded/config.json"))["dtype"], "bfloat16");

    let asked = [
        "--task",
        "emotion",
        "--data",
        &tiny::mini(),
        "--languages",
        "en,de,sw,zh,es",
        "--few-shot",
        "builtin",
        "--scoring",
        "sequence",
    ]
    .map(str::to_owned);
    let answers = |model: &str, more: &[&str], out: &str| {
        let start = ["eval", "--model", model, "--out", out].map(str::to_owned);
        let more = more.iter().map(|word| (*word).to_owned());
        call(
            folder.path(),
            &start
                .into_iter()
                .chain(asked.clone())
                .chain(more)
                .collect::<Vec<_>>(),
            0,
        );
        json_lines(&at(out))
    };
    let plain = answers(tiny::model(), &[], "base.jsonl");
    let before = answers(tiny::model(), &["--adapter", adapter], "before.jsonl");
    assert_eq!(before.len(), 200);
    let moved = |(one, other): (&Value, &Value)| {
        let (one, other) = (scores(one), scores(other));
        one.iter()
            .map(|(label, score)| (score - other[label]).abs())
            .fold(0.0, f64::max)
    };
    // The adapter does something, and the merged model does the same.
    assert!(
        plain
            .iter()
            .zip(&before)
            .map(moved)
            .fold(f64::MAX, f64::min)
            > 0.05
    );
    for (model, rounding, enough) in [("merged", 1e-4, 199), ("rounded", 0.5, 100)] {
        let after = answers(model, &[], &format!("{model}.jsonl"));
        let pairs: Vec<_> = before.iter().zip(&after).collect();
        let largest = pairs.iter().map(|pair| moved(*pair)).fold(0.0, f64::max);
        assert!(largest < rounding, "{model}: {largest}");
        let sure: Vec<_> = pairs
            .iter()
            .filter(|(before, _)| lead(before) > 2.0 * rounding)
            .collect();
        assert!(sure.len() >= enough, "{model}: {}", sure.len());
        for (before, after) in sure {
            assert_eq!(before["chosen"], after["chosen"], "{before}");
        }
    }

    fs::write(at("merged/notes.txt"), "mine").expect("writes");
    let refused = call(folder.path(), &merge, 1).stderr;
    assert!(
        refused.contains("holds files that this command did not write"),
        "{refused}"
    );
}
