use std::fs;

use super::*;

fn read(json: &str) -> Result<ModelConfig> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.json");
    fs::write(&path, json).expect("writes");
    ModelConfig::from_json_file(&path)
}

fn with(extra: &str) -> String {
    let base = r#""model_type": "qwen2", "vocab_size": 100, "hidden_size": 64, "intermediate_size": 128,
        "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-6"#;
    format!("{{{base}, {extra}}}")
}

#[track_caller]
fn check_error(extra: &str, want: &str) {
    let error = read(&with(extra)).expect_err("refused").to_string();
    assert!(error.contains(want), "{error}");
}

#[test]
fn windows_by_property() {
    let windows = |extra: &str| read(&with(extra)).expect("reads").sliding_windows;
    assert_eq!(windows(r#""sliding_window": 8"#), [None; 4]);
    assert_eq!(windows(r#""use_sliding_window": true"#), [None; 4]);
    let null = r#""sliding_window": null, "use_sliding_window": true, "max_window_layers": 0"#;
    assert_eq!(windows(null), [None; 4]);
    let default = r#""use_sliding_window": true, "max_window_layers": 0"#;
    assert_eq!(windows(default), [Some(4096); 4]);
    assert_eq!(
        windows(r#""sliding_window": 8, "use_sliding_window": false"#),
        [None; 4]
    );
    let upper = r#""sliding_window": 8, "use_sliding_window": true, "max_window_layers": 3"#;
    assert_eq!(windows(upper), [None, None, None, Some(8)]);
    let typed = r#""sliding_window": 8, "use_sliding_window": true,
        "layer_types": ["full_attention", "sliding_attention", "full_attention", "full_attention"]"#;
    assert_eq!(windows(typed), [None, Some(8), None, None]);
}

/// The classes' defaults in transformers 5.24: those that no weight's shape contradicts.
#[test]
fn absent_keys_have_the_defaults_of_the_class() {
    let config = |family: &str| {
        let text = format!(r#"{{"model_type": "{family}", "head_dim": 128}}"#);
        let config = read(&text).expect("reads");
        (
            [config.vocab_size, config.intermediate_size],
            config.num_key_value_heads,
            config.max_position_embeddings,
            config.sliding_windows[31],
            config.biases.len(),
        )
    };
    assert_eq!(config("llama"), ([32_000, 11_008], 32, 2048, None, 0));
    assert_eq!(
        config("mistral"),
        ([32_000, 14_336], 8, 131_072, Some(4096), 0)
    );
    assert_eq!(config("qwen2"), ([151_936, 22_016], 32, 32_768, None, 3));
    let llama = read(r#"{"model_type": "llama"}"#).expect("reads");
    assert_eq!((llama.norm_eps, llama.rope.theta), (1e-6, 10_000.0));
    assert!(!llama.tie_word_embeddings);
}

#[test]
fn a_key_that_no_class_reads_is_named() {
    let passed_over = |text: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.json");
        fs::write(&path, text).expect("writes");
        json::read(&path).expect("reads").1
    };
    let llama = r#"{"model_type": "llama", "architectures": ["X"], "use_cache": true, "dtype": "float32",
        "use_sliding_window": false, "sliding_window": null, "logit_scale": 0.5,
        "rope_scaling": {"rope_type": "linear", "factor": 2, "alpha": 1000}}"#;
    assert_eq!(passed_over(llama), ["logit_scale", "rope_scaling.alpha"]);
    let both = r#"{"model_type": "llama", "sliding_window": 4,
        "rope_scaling": {"type": "linear", "factor": 2}, "rope_parameters": {"rope_theta": 5e5}}"#;
    let first = "rope_parameters (rope_scaling comes first)";
    assert_eq!(passed_over(both), ["sliding_window", first]);
}

#[test]
fn both_ways_of_writing_rope() {
    let older = read(&with(
        r#""rope_theta": 5e5, "rope_scaling": {"type": "linear", "factor": 2.0}"#,
    ))
    .expect("reads");
    let newer = r#""rope_parameters": {"rope_theta": 5e5, "rope_type": "linear", "factor": 2.0}"#;
    assert_eq!(older.rope, read(&with(newer)).expect("reads").rope);
    assert_eq!(older.rope.scaling, RopeScaling::Linear { factor: 2.0 });
}

#[test]
fn refuses_by_key() {
    check_error(
        r#""rope_theta": 1e4, "rope_scaling": {"rope_type": "dynamic"}"#,
        "`rope_scaling.rope_type`: `dynamic`",
    );
    check_error(
        r#""rope_theta": 1e4, "hidden_act": "gelu""#,
        "`hidden_act`: `gelu`",
    );
    check_error(
        r#""rope_theta": 1e4, "num_key_value_heads": 3"#,
        "3 does not divide 4 heads",
    );
    check_error(
        r#""rope_theta": 1e4, "hidden_size": "big""#,
        "`hidden_size`: is not a whole number",
    );
    let error = read(r#"{"model_type": "gpt2"}"#)
        .expect_err("refused")
        .to_string();
    assert!(
        error.contains("`gpt2` is none of the supported families: llama, mistral, qwen2"),
        "{error}"
    );
    let error = read("{\n\n  oops").expect_err("refused").to_string();
    assert!(error.contains("`line 3`"), "{error}");
}

/// Values of transformers 5.23's `ROPE_INIT_FUNCTIONS` for head size 16, printed to 9 digits
/// (`crates/model/tests/rope_reference.py`).
#[test]
fn scaled_frequencies_equal_the_reference() {
    let llama3 = Rope {
        theta: 10_000.0,
        scaling: RopeScaling::Llama3 {
            factor: 8.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_max_position_embeddings: 256.0,
        },
    };
    let yarn = Rope {
        theta: 10_000.0,
        scaling: RopeScaling::Yarn(rope::Yarn {
            factor: 4.0,
            original_max_position_embeddings: 256.0,
            beta_fast: 32.0,
            beta_slow: 1.0,
            attention_factor: rope::yarn_mscale(4.0, 1.0),
            truncate: true,
        }),
    };
    let reference: serde_json::Value =
        serde_json::from_str(include_str!("../../tests/rope_reference.json"))
            .expect("reference values");
    for (name, rope) in [("llama3", &llama3), ("yarn", &yarn)] {
        let want = reference[name]["inv_freq"].as_array().expect("a list");
        let got = rope.inverse_frequencies(16);
        assert_eq!(got.len(), want.len());
        for (g, w) in got.iter().zip(want) {
            let w = w.as_f64().expect("a number");
            assert!((f64::from(*g) - w).abs() <= 1e-6 * w, "{name}: {g} not {w}");
        }
        let factor = reference[name]["attention_factor"]
            .as_f64()
            .expect("a number");
        assert!((rope.attention_factor() - factor).abs() < 1e-9, "{name}");
    }
}
