//! Kinds of adapters through the program: a recipe asks for one, its folder says so, and it answers.

use serde_json::{Value, json};

use crate::{
    call::{call_line, files, json as read_json, scratch},
    tiny,
};

/// Trains with these keys; the adapter's configuration, and what `eval` and `merge` print of it.
fn train(keys: &str) -> (Value, String) {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    call_line(
        folder.path(),
        &format!("train recipe.toml --out run {keys}"),
        0,
    );
    let found = files(folder.path(), "run/adapters");
    let adapter = found[0].parent().expect("a folder");
    let config = read_json(&folder.path().join(adapter).join("adapter_config.json"));
    let model = tiny::model();
    let line = format!(
        "merge --model {model} --adapter {} --out merged",
        adapter.display()
    );
    let printed = call_line(folder.path(), &line, 0);
    (config, printed.stdout)
}

#[test]
fn a_recipe_trains_every_kind() {
    let (config, printed) = train("--set train.lora.dora=true --set train.lora.targets=all-linear");
    assert_eq!(
        (&config["use_dora"], &config["r"]),
        (&json!(true), &json!(8))
    );
    assert_eq!(config["target_modules"].as_array().map(Vec::len), Some(7));
    assert!(
        printed.contains("the best token stayed the same after 8"),
        "{printed}"
    );

    let (config, printed) = train(
        "--set train.lora.rslora=true --set train.lora.init=pissa --set train.lora.lora_plus_ratio=4",
    );
    assert_eq!(
        (&config["use_rslora"], &config["r"]),
        (&json!(true), &json!(16))
    );
    assert_eq!(
        (&config["use_dora"], &config["init_lora_weights"]),
        (&json!(null), &json!(true))
    );
    let alpha = config["lora_alpha"].as_f64().expect("a number");
    assert!((alpha - 16.0 * 2f64.sqrt()).abs() < 1e-9, "{alpha}");
    assert!(
        printed.contains("the best token stayed the same after 8"),
        "{printed}"
    );

    let folder = scratch();
    tiny::write_recipe(folder.path());
    let line =
        "train recipe.toml --out run --set train.lora.dora=true --set train.lora.dropout=0.1";
    let refused = call_line(folder.path(), line, 1).stderr;
    assert!(
        refused.contains("train.lora.dora: is trained without dropout"),
        "{refused}"
    );
}
