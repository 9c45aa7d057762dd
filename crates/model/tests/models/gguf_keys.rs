//! Metadata of GGUF files as llama.cpp reads it: its defaults, its older keys, and what it has
//! no part for in these architectures.

use std::collections::BTreeMap;

use serde_json::json;

use super::{
    folder,
    folder::{read_weights, write_folder},
    gguf_writer::{Kind, Meta, Plain, Writer, put_weights},
    golden, ids, try_load, whole,
};
use hub::ModelFiles;
use model::{Decoder, ModelError};
use schema::task::Precision;

fn weights() -> BTreeMap<String, Plain> {
    read_weights(&golden("tiny_llama").join("model.safetensors"))
}

/// The tiny Llama without its base, and with these keys.
fn load_with(
    architecture: &'static str,
    extra: impl FnOnce(&mut Writer),
) -> Result<Decoder, ModelError> {
    let mut writer = Writer::default();
    writer.meta("general.architecture", Meta::Text(architecture));
    for (key, value) in [
        ("embedding_length", 48),
        ("feed_forward_length", 80),
        ("block_count", 3),
        ("attention.head_count", 6),
        ("attention.head_count_kv", 2),
        ("context_length", 256),
    ] {
        writer.meta(&format!("{architecture}.{key}"), Meta::Unsigned(value));
    }
    let eps = format!("{architecture}.attention.layer_norm_rms_epsilon");
    writer.meta(&eps, Meta::Float(1e-5));
    extra(&mut writer);
    let order = (architecture == "llama").then_some((6, 2));
    put_weights(&mut writer, &weights(), order, |_| Kind::F32);
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("model.gguf");
    std::fs::write(&path, writer.bytes()).expect("writes");
    try_load(&ModelFiles::Gguf { path }, Precision::F32)
}

/// The folder with this RoPE.
fn with_rope(rope: serde_json::Value) -> Decoder {
    let text = std::fs::read_to_string(golden("tiny_llama").join("config.json")).expect("config");
    let mut config: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    config["rope_parameters"] = rope;
    let dir = tempfile::tempdir().expect("a folder");
    write_folder(dir.path(), &config.to_string(), &weights());
    try_load(&folder(dir.path()), Precision::F32).expect("loads")
}

#[track_caller]
fn check(metas: Vec<(&str, Meta)>, rope: serde_json::Value) {
    let got = load_with("llama", |writer| {
        for (key, value) in metas {
            writer.meta(&format!("llama.{key}"), value);
        }
    })
    .expect("loads");
    let input = ids(12, 5);
    let apart = super::distance(&whole(&got, &input), &whole(&with_rope(rope), &input));
    assert!(apart < 1e-4, "{apart}");
}

#[test]
fn scaling_has_llama_cpps_defaults() {
    use Meta::{Float, Text, Unsigned};
    let plain = || json!({"rope_type": "default", "rope_theta": 10_000.0});
    let linear = || json!({"rope_type": "linear", "factor": 2.0});
    check(vec![], plain());
    check(vec![("rope.scale_linear", Float(2.0))], linear());
    check(vec![("rope.scaling.factor", Float(2.0))], linear());
    check(
        vec![
            ("rope.scaling.factor", Float(2.0)),
            ("rope.scale_linear", Float(8.0)),
        ],
        linear(),
    );
    check(vec![("rope.scaling.factor", Float(0.0))], plain());
    check(vec![("rope.scaling.type", Text("linear"))], plain());
    check(
        vec![
            ("rope.scaling.type", Text("none")),
            ("rope.scaling.factor", Float(2.0)),
        ],
        plain(),
    );
    // YaRN without a factor is none, and without a context that of the model.
    check(vec![("rope.scaling.type", Text("yarn"))], plain());
    check(
        vec![
            ("rope.scaling.type", Text("yarn")),
            ("rope.scale_linear", Float(4.0)),
        ],
        json!({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 256}),
    );
    check(
        vec![
            ("rope.scaling.type", Text("yarn")),
            ("rope.scaling.factor", Float(4.0)),
            ("rope.scaling.original_context_length", Unsigned(64)),
            ("rope.scaling.attn_factor", Float(1.5)),
        ],
        json!({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64,
            "attention_factor": 1.5 * (0.1 * 4.0f64.ln() + 1.0)}),
    );
    check(
        vec![
            ("expert_count", Unsigned(0)),
            ("attention.sliding_window", Unsigned(256)),
            ("rope.scaling.yarn_beta_fast", Float(32.0)),
            ("logit_scale", Float(1.0)),
        ],
        plain(),
    );
}

/// llama.cpp divides by the tensor's factors and by the scale.
#[test]
fn factors_of_frequencies_and_a_scale_go_together() {
    let got = load_with("llama", |writer| {
        let factors = Plain {
            shape: vec![4],
            values: vec![1.0, 2.0, 4.0, 0.5],
        };
        writer
            .meta("llama.rope.scale_linear", Meta::Float(2.0))
            .tensor("rope_freqs.weight", &factors, Kind::F32);
    })
    .expect("loads");
    let inverse = got.config().rope.inverse_frequencies(8);
    for (got, want) in inverse.iter().zip([0.5, 0.025, 0.00125, 0.001]) {
        assert!((got - want).abs() < 1e-8, "{inverse:?}");
    }
}

#[track_caller]
fn check_refused(architecture: &'static str, key: &str, value: Meta, part: &str) {
    let key = format!("{architecture}.{key}");
    let Err(error) = load_with(architecture, |writer| _ = writer.meta(&key, value)) else {
        panic!("{key} was not refused")
    };
    let error = error.to_string();
    assert!(error.contains(&key) && error.contains(part), "{error}");
}

#[test]
fn what_no_part_computes_is_refused_by_key() {
    use Meta::{Float, Text, Unsigned};
    for (key, value, part) in [
        ("expert_count", Unsigned(8), "8 is not supported"),
        ("attention.clamp_kqv", Float(8.0), "8 is not supported"),
        ("attention.scale", Float(0.5), "0.5 is not supported"),
        ("logit_scale", Float(0.5), "0.5 is not supported"),
        ("embedding_scale", Float(12.0), "12 is not supported"),
        ("residual_scale", Float(0.25), "0.25 is not supported"),
        ("attention.causal", Unsigned(0), "0 is not supported"),
        ("rope.scaling.yarn_ext_factor", Float(0.5), "0.5"),
        ("rope.scaling.yarn_beta_fast", Float(16.0), "16"),
        ("rope.scaling.attn_factor", Float(1.5), "without YaRN"),
        ("rope.scaling.type", Text("longrope"), "`longrope`"),
        ("rope.scaling.type", Unsigned(1), "is not a text"),
        ("rope.scaling.factor", Float(-2.0), "-2 is not above 0"),
        ("attention.sliding_window", Unsigned(4), "llama.cpp passes"),
        ("attention.value_length", Unsigned(4), "4 where keys have 8"),
        ("rope.dimension_count", Unsigned(4), "only a part"),
    ] {
        check_refused("llama", key, value, part);
    }
    check_refused("qwen2", "expert_count", Unsigned(8), "8 is not supported");
    let Err(error) = load_with("qwen2", |writer| {
        let factors = Plain {
            shape: vec![4],
            values: vec![2.0; 4],
        };
        writer.tensor("rope_freqs.weight", &factors, Kind::F32);
    }) else {
        panic!("factors of a qwen2 were not refused")
    };
    assert!(
        error
            .to_string()
            .contains("passes over it in this architecture")
    );
}
