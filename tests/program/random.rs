//! `model random`: a made-up model is a model to every other command.

use std::fs;

use crate::{
    call::{call, call_line, files, json, scratch},
    tiny,
};

#[test]
fn a_made_up_model_is_checked_trained_asked_and_captured() {
    let folder = scratch();
    let at = |name: &str| folder.path().join(name);
    tiny::write_recipe(folder.path());
    fs::write(at("rows.jsonl"), "{\"text\": \"Guten Tag\"}\n").expect("writes");
    let like = tiny::repository("tests/golden/tiny_qwen2");
    let like = like.to_str().expect("UTF-8");
    let random = [
        "model", "random", "--like", like, "--seed", "4", "--layers", "2",
    ];
    let make = |more: &[&str], code| call(folder.path(), &[&random[..], more].concat(), code);
    let printed = make(&["--out", "made", "--dtype", "f32"], 0);
    assert!(printed.stderr.contains("wrote made: 0.00 B random weights"));
    assert_eq!(json(&at("made/config.json"))["dtype"], "float32");
    let shown = call_line(folder.path(), "model show made", 0).stdout;
    assert!(shown.contains("num_hidden_layers: 2"), "{shown}");
    for line in [
        "check recipe.toml --set model=made",
        "run recipe.toml --set model=made --set train.max_steps=1 --out run",
        "capture --model made --input rows.jsonl --out states.safetensors",
        "generate --model made --prompt Hallo --max-new-tokens 2",
    ] {
        call_line(folder.path(), line, 0);
    }
    assert_eq!(files(&at("run"), "answers").len(), 12); // 3 languages, 2 models, with their hashes

    let refused = make(&["--out", "made", "--dtype", "f32"], 1).stderr;
    assert!(refused.contains("replace it with --replace"), "{refused}");
    make(&["--out", "again", "--dtype", "f32", "--threads", "1"], 0);
    let bytes = |name: &str| fs::read(at(name).join("model.safetensors")).expect("reads");
    assert!(bytes("made") == bytes("again"));
    make(&["--out", "again", "--dtype", "f16", "--replace"], 0);
    assert!(bytes("again").len() < bytes("made").len());
    let usage = make(&["--out", "other", "--dtype", "nf4"], 2).stderr;
    assert!(usage.contains("bf16, f16, f32"), "{usage}");
}
