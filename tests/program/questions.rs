//! The page of a run's questions: the prompt that it shows is the one that was asked, in every form.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{
    call::{call_line, json, json_lines, scratch},
    tiny,
};

/// The value of a file of the page's data.
fn chunk(out: &Path, name: &str) -> Value {
    let path = out.join(format!("report/questions/{name}.js"));
    let text = fs::read_to_string(&path).expect("a file of data");
    let (_, value) = text.split_once(',').expect("a name and a value");
    serde_json::from_str(value.trim_end().trim_end_matches(");")).expect("JSON")
}

// Promise: put together from its parts, each prompt has the hash that its answers have, and the
// recipe can leave the texts out of a page that exists, without a question being asked again.
#[test]
fn a_run_keeps_what_was_asked() {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    let ways =
        "--set eval.few_shot=[\"head:2\",\"builtin\"] --set eval.labels=[\"english\",\"same\"]";
    call_line(
        folder.path(),
        &format!("run recipe.toml --out out {ways}"),
        0,
    );
    let out = folder.path().join("out");
    let texts = chunk(&out, "texts/emotion.de");
    let of_ways = texts["ways"].as_object().expect("ways");
    assert_eq!(of_ways.len(), 4, "{of_ways:?}");
    for (id, way) in of_ways {
        assert_eq!(
            (&way["other"], &way["unchecked"]),
            (&json!([]), &json!(false)),
            "{id}"
        );
        assert_eq!(way["whole"], json!({}), "{id}: no prompt is kept whole");
        assert_eq!(way["frame"].as_array().map(Vec::len), Some(2), "{id}");
    }
    assert_eq!(of_ways["emotion.same"]["words"]["positive"], "positiv");
    let lines = json_lines(&out.join("questions/emotion.de.jsonl"));
    assert_eq!(lines[0]["kind"], "asked");
    let stages = json(&out.join("manifest.json"))["stages"].clone();
    let kept = &stages["questions.emotion.de"]["outputs"]["questions/emotion.de.jsonl"];
    assert_eq!(kept.as_str().map(str::len), Some(64));

    let answers = out.join("answers/base/emotion.english.de.jsonl");
    let before = fs::metadata(&answers)
        .and_then(|file| file.modified())
        .expect("a time");
    let without = format!("run recipe.toml --out out {ways} --set report.texts=false");
    call_line(folder.path(), &without, 0);
    assert!(!out.join("report/questions/texts/emotion.de.js").exists());
    let after = fs::metadata(&answers)
        .and_then(|file| file.modified())
        .expect("a time");
    assert_eq!(before, after, "nobody was asked again");
}
