//! Records of a run folder: its manifest and what the looks inside a model found.

use serde_json::{Value, json};

use super::json;

pub(crate) fn manifests() -> Vec<Vec<u8>> {
    let stage = |file: &str| json!({"inputs": "0", "outputs": {file: "0"}, "seconds": 1.5});
    let trained = json!({"inputs": "0", "outputs": {}, "seconds": 2.5,
        "notes": {"caveats": ["nothing was trained"], "step": 4}});
    let manifest = json!({
        "program": "lingualign 0.1.0",
        "recipe": {"name": "tiny", "title": "Tiny", "model": "tiny", "train": {"settings": ["de=>en"], "tasks": ["emotion"]},
            "analyse": {"layers": [0, 1]}},
        "model": {"name": "tiny", "fingerprint": "0", "layers": 2},
        "machine": {"device": "cpu", "cpu": "a processor", "threads": 2},
        "stages": {"audit": stage("audit.json"), "train.emotion.de-en.seed1": trained,
            "eval.base.emotion.english.de": stage("answers/base/emotion.english.de.jsonl")},
        "current": ["audit", "train.emotion.de-en.seed1"],
        "planned": ["audit", "train.emotion.de-en.seed1", "eval.base.emotion.english.de"],
    });
    vec![json(&manifest)]
}

pub(crate) fn train_log() -> Vec<u8> {
    let step = |step: usize| {
        json!({"kind": "step", "step": step, "epoch": 0.5, "loss": 2.0, "learning_rate": 0.1, "grad_norm": 1.0,
            "tokens": 10, "target_tokens": 5, "seconds": 0.1})
    };
    let validation = json!({"kind": "validation", "step": 2, "loss": 1.5, "best": true});
    lines("", &[step(1), step(2), validation])
}

/// A name, then its lines.
fn lines(name: &str, records: &[Value]) -> Vec<u8> {
    let name = if name.is_empty() {
        String::new()
    } else {
        format!("{name}\n")
    };
    let lines = records.iter().map(|record| format!("{record}\n"));
    (name + &lines.collect::<String>()).into_bytes()
}

/// Two layers, two languages, one file of each kind.
pub(crate) fn inside() -> Vec<Vec<u8>> {
    let curve = json!([0.25, 0.5, 0.75]);
    let lens = |item: usize, lens: &str| {
        json!({"item": item, "gold": "positive", "lens": lens, "correct": curve, "correct_english": curve,
            "possible": curve, "possible_english": curve, "entropy": [3.0, 2.0, 1.0]})
    };
    let tuned = |layer: usize| json!({"layer": layer, "tokens": 100, "raw_kl": 2.0, "tuned_kl": 1.0, "gain_low": 0.5, "gain_high": 1.5});
    let pca = |layer: usize, centred: bool| {
        let points = json!([[0.5, 1.0], [1.0, -1.0], [0.0, 0.5]]);
        json!({"layer": layer, "centred": centred, "explained": [0.5, 0.25], "items": [0, 1, 2],
            "points": {"de": points, "en": points}})
    };
    let pair = |layer: usize, measure: &str| {
        json!({"layer": layer, "a": "en", "b": "de", "measure": measure, "value": 0.5, "low": 0.25, "high": 0.75,
            "null": 0.0, "p": 0.001})
    };
    let change = |layer: usize| {
        json!({"layer": layer, "a": "en", "b": "de", "measure": "cka", "before": 0.25, "after": 0.5, "low": 0.125,
            "high": 0.375})
    };
    let silencing = json!({"silenced": "de", "kind": "language", "neurons": 3, "asked": "en", "items": 10,
        "accuracy_before": 0.5, "accuracy_after": 0.25, "low": -0.5, "high": 0.0, "gold_change": -0.125,
        "changed_answers": 0.25});
    let patching = |layer: usize| {
        json!({"language": "de", "kind": "patch-parallel", "layer": layer, "items": 10, "before": 0.5, "after": 0.75,
            "low": 0.125, "high": 0.375, "chosen_before": 0.5, "chosen_after": 0.625})
    };
    vec![
        lines(
            "lens.emotion.de.jsonl",
            &[
                lens(0, "raw"),
                lens(0, "tuned"),
                lens(1, "raw"),
                lens(1, "tuned"),
            ],
        ),
        lines("tuned-lens.emotion.jsonl", &[tuned(0), tuned(1), tuned(2)]),
        lines(
            "pca.emotion.all.jsonl",
            &[pca(0, false), pca(0, true), pca(2, false), pca(2, true)],
        ),
        lines(
            "pairs.emotion.all.jsonl",
            &[
                pair(0, "cka"),
                pair(2, "cka"),
                pair(0, "pearson"),
                pair(2, "pearson"),
            ],
        ),
        lines("changes.emotion.all.jsonl", &[change(0), change(2)]),
        lines("neurons.emotion.json", &[neurons()]),
        lines("silencing.emotion.jsonl", &[silencing]),
        lines("patching.emotion.jsonl", &[patching(1), patching(2)]),
    ]
}

/// Translations by the base or an adapter.
pub(crate) fn translated(adapter: Option<&str>) -> Vec<u8> {
    let line = |item: usize, answer: &str, copied: bool| {
        json!({"model": "m", "adapter": adapter, "task": "emotion", "from": "de", "into": "en", "item": item,
            "source": "Es regnet.", "reference": "It is raining.", "answer": answer, "ended": true, "chrf": 50.0,
            "bleu": 25.0, "language": null, "wrong_language": copied, "copied": copied})
        .to_string()
    };
    let lines = [
        line(0, "It is raining.", false),
        line(1, "Es regnet.", true),
        line(3, "", false),
    ];
    (lines.join("\n") + "\n").into_bytes()
}

/// The texts of two questions after one exemplar.
pub(crate) fn questions() -> Vec<u8> {
    let question = |item: usize| json!({"kind": "question", "item": item, "fields": ["Gut."], "gold": "positive"});
    let lines = [
        json!({"kind": "asked", "labels": "english", "prompt": "plain", "few_shot": "head:1",
            "words": {"negative": "negative", "positive": "positive"},
            "frame": ["Review: Nein. Emotion: \"negative\"\nReview: ", " Emotion: \""], "whole": [[2, "Gut. \""]]}),
        question(1),
        question(2),
    ];
    let lines = lines.map(|line| line.to_string());
    (lines.join("\n") + "\n").into_bytes()
}

/// Answers to them by the base model.
pub(crate) fn asked() -> Vec<u8> {
    let answer = |item: usize| {
        json!({"model": "m", "adapter": null, "task": "emotion", "language": "de", "item": item, "gold": "positive",
            "chosen": "positive", "correct": true, "scores": {"negative": 0.2, "positive": 0.3}, "scoring": "prefix",
            "labels": "english", "protocol": null, "few_shot": "head:1", "prompt_tokens": 9,
            "prompt_hash": "0123456789abcdef"})
        .to_string()
    };
    ([answer(1), answer(2)].join("\n") + "\n").into_bytes()
}

fn neurons() -> Value {
    let layer = |layer: usize| {
        json!({"layer": layer, "neurons": 16, "selected": {"de": 1, "en": 1}, "specific": 2, "related": 0, "general": 10,
            "inactive": 4, "mean_entropy": 0.5})
    };
    json!({"tokens": {"de": 100, "en": 90}, "share": 0.125, "threshold": 0.5, "layers": [layer(1), layer(2)],
        "overlap": [{"a": "en", "b": "de", "shared": 0, "jaccard": 0.0}],
        "selected": {"de": [[1, 3], [2, 0]], "en": [[1, 4], [2, 1]]}})
}
