//! Folders that are damaged or lie: one clear message that names file and tensor or key, no
//! panic, no huge allocation.

use std::{
    collections::BTreeMap,
    fs,
    io::{Seek, SeekFrom, Write},
    path::Path,
};

use hub::ModelFiles;
use safetensors::Dtype;
use schema::task::Precision;
use serde_json::{Value, json};

use super::{
    NAMES, Random, folder,
    folder::{memory_peak, read_weights, serialize},
    gguf_writer::Plain,
    golden, try_load,
};

fn config(name: &str) -> Value {
    let text = fs::read_to_string(golden(name).join("config.json")).expect("config");
    serde_json::from_str(&text).expect("JSON")
}

/// The error of a folder of this configuration and these bytes.
#[track_caller]
fn error_of(config: &str, weights: &[u8]) -> String {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("config.json"), config).expect("writes");
    fs::write(dir.path().join("model.safetensors"), weights).expect("writes");
    let before = memory_peak();
    let Err(error) = try_load(&folder(dir.path()), Precision::F32) else {
        panic!("was not refused")
    };
    assert!(
        memory_peak() - before < 1 << 30,
        "an enormous allocation before: {error}"
    );
    let error = error.to_string();
    assert!(
        !error.contains('\n') && error.len() < 600,
        "one clear message: {error}"
    );
    error
}

#[track_caller]
fn check(error: &str, parts: &[&str]) {
    for part in parts {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
}

/// A weight file that is wrong, beside tiny_llama's configuration.
#[track_caller]
fn check_weights(weights: &[u8], parts: &[&str]) {
    let error = error_of(&config("tiny_llama").to_string(), weights);
    assert_eq!(
        error.matches("model.safetensors").count(),
        1,
        "the file is named once: {error}"
    );
    check(&error, parts);
}

/// A configuration that is wrong, beside tiny_llama's weights.
#[track_caller]
fn check_config(changes: Value, parts: &[&str]) {
    let mut config = config("tiny_llama");
    for (key, value) in changes.as_object().expect("changes") {
        config[key] = value.clone();
    }
    let weights = fs::read(golden("tiny_llama").join("model.safetensors")).expect("weights");
    check(&error_of(&config.to_string(), &weights), parts);
}

/// A file of this header and `data` bytes of zeros.
fn raw(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

#[test]
fn headers_that_lie() {
    let broken = "not a complete safetensors file";
    check_weights(&[], &[broken, "fetch it again"]);
    check_weights(b"1234567", &[broken]);
    check_weights(&u64::MAX.to_le_bytes(), &[broken]);
    check_weights(&(1u64 << 40).to_le_bytes(), &[broken]);
    check_weights(&raw("{", 0), &[broken]);
    check_weights(&raw("[]", 0), &[broken]);
    check_weights(&raw("\u{7f}\u{0}", 0), &[broken]);
    let tensor = |dtype: &str, shape: &str, from: u64, to: u64| {
        format!(
            r#"{{"x": {{"dtype": "{dtype}", "shape": {shape}, "data_offsets": [{from}, {to}]}}}}"#
        )
    };
    check_weights(&raw(&tensor("F32", "[2]", 0, 8), 4), &[broken]);
    check_weights(&raw(&tensor("F32", "[2]", 0, 8), 12), &[broken]);
    check_weights(&raw(&tensor("F32", "[2]", 8, 0), 8), &[broken]);
    check_weights(&raw(&tensor("F32", "[2]", 4, 12), 12), &[broken]);
    check_weights(&raw(&tensor("F32", "[3]", 0, 8), 8), &[broken]);
    check_weights(&raw(&tensor("F33", "[2]", 0, 8), 8), &[broken]);
    check_weights(&raw(&tensor("F32", "[-2]", 0, 8), 8), &[broken]);
    check_weights(
        &raw(&tensor("F32", "[4294967296, 4294967296]", 0, 0), 0),
        &[broken],
    );
    check_weights(&raw(&tensor("F32", "[2]", 0, u64::MAX), 8), &[broken]);
    let overlap = r#"{"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
        "y": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}}"#;
    check_weights(&raw(overlap, 12), &[broken]);
}

#[test]
fn tensors_that_do_not_fit() {
    let weights = read_weights(&golden("tiny_llama").join("model.safetensors"));
    let with = |change: &dyn Fn(&mut BTreeMap<String, Plain>)| {
        let mut weights = weights.clone();
        change(&mut weights);
        serialize(&weights, Dtype::F32)
    };
    let q = "model.layers.1.self_attn.q_proj.weight";
    let missing = format!("tensor `{q}` is missing, expected with shape [48, 48]");
    check_weights(&with(&|w| drop(w.remove(q))), &[&missing]);
    let extra = "holds 1 that no part of the configured decoder takes: tensor `model.layers.3.mlp.up_proj.weight`";
    check_weights(
        &with(&|w| drop(w.insert("model.layers.3.mlp.up_proj.weight".into(), w[q].clone()))),
        &[extra],
    );
    let reshaped = |shape: &[usize]| Plain {
        shape: shape.to_vec(),
        values: weights[q].values.clone(),
    };
    let shape = format!("tensor `{q}` has shape [24, 96], the configuration needs [48, 48]");
    check_weights(
        &with(&|w| drop(w.insert(q.into(), reshaped(&[24, 96])))),
        &[&shape],
    );
    let shape = format!("tensor `{q}` has shape [2304], the configuration needs [48, 48]");
    check_weights(
        &with(&|w| drop(w.insert(q.into(), reshaped(&[2304])))),
        &[&shape],
    );
    check_weights(
        &serialize(&weights, Dtype::F64),
        &["tensor `model.embed_tokens.weight` is F64; f32, f16 and bf16 are read"],
    );
    let bias = "model.layers.1.self_attn.q_proj.bias";
    let plain = Plain {
        shape: vec![48],
        values: vec![0.0; 48],
    };
    check_weights(
        &with(&|w| drop(w.insert(bias.into(), plain.clone()))),
        &[bias, "no part of the configured decoder"],
    );
}

/// A bias that only some layers have is one that was lost.
#[test]
fn a_lost_bias_is_refused() {
    let mut weights = read_weights(&golden("tiny_qwen2").join("model.safetensors"));
    let lost = "model.layers.1.self_attn.k_proj.bias";
    weights.remove(lost).expect("qwen2 has biases");
    let error = error_of(
        &config("tiny_qwen2").to_string(),
        &serialize(&weights, Dtype::F32),
    );
    check(&error, &["model.safetensors", lost, "is missing"]);
}

#[test]
fn configurations_that_lie() {
    let huge = 1u64 << 60;
    for key in [
        "vocab_size",
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "head_dim",
    ] {
        for value in [json!(huge), json!(u64::MAX), json!(0)] {
            check_config(
                json!({ key: value }),
                &["config.json", &format!("`{key}`"), "is not between 1 and"],
            );
        }
        for value in [json!(-1), json!(1.5), json!("48"), json!([48])] {
            check_config(
                json!({ key: value }),
                &["config.json", &format!("`{key}`: is not a whole number")],
            );
        }
    }
    check_config(
        json!({"vocab_size": null}),
        &["config.json", "`vocab_size`: is null"],
    );
    check_config(
        json!({"num_key_value_heads": huge}),
        &["`num_key_value_heads`", "is not between 1 and"],
    );
    check_config(
        json!({"num_key_value_heads": 4}),
        &["`num_key_value_heads`: 4 does not divide 6 heads"],
    );
    check_config(json!({"head_dim": 7}), &["`head_dim`: 7 is odd"]);
    check_config(json!({"rms_norm_eps": 0.0}), &["`rms_norm_eps`"]);
    check_config(
        json!({"hidden_size": 1 << 20}),
        &["model.embed_tokens.weight", "[257, 48]", "[257, 1048576]"],
    );
    check_config(
        json!({"vocab_size": 256}),
        &["model.embed_tokens.weight", "[257, 48]", "[256, 48]"],
    );
    check_config(
        json!({"num_attention_heads": 2, "head_dim": 24}),
        &["k_proj", "[16, 48]", "[48, 48]"],
    );
    check_config(
        json!({"num_hidden_layers": 4096}),
        &["`model.layers.3.input_layernorm.weight` is missing"],
    );
    check_config(
        json!({"num_hidden_layers": 2}),
        &[
            "holds 9 that no part of the configured decoder takes",
            "model.layers.2.",
        ],
    );
    check_config(
        json!({"tie_word_embeddings": false}),
        &["`lm_head.weight` is missing"],
    );
    check_config(
        json!({"attention_bias": true}),
        &["`model.layers.0.self_attn.q_proj.bias` is missing"],
    );
    check_config(
        json!({"mlp_bias": true}),
        &["`model.layers.0.mlp.gate_proj.bias` is missing"],
    );
    check_config(
        json!({"layer_types": ["full_attention", "full_attention"]}),
        &["`layer_types`: 2 entries for 3 layers"],
    );
    check_config(json!({"layer_types": 3}), &["`layer_types`"]);
}

#[test]
fn rope_that_lies() {
    for theta in [json!(0), json!(-5), json!(1), json!("1e4")] {
        check_config(
            json!({"rope_parameters": {"rope_theta": theta}}),
            &["rope_theta`"],
        );
    }
    let scaled = |mut scaling: Value, parts: &[&str]| {
        scaling["rope_theta"] = json!(1e4);
        check_config(json!({ "rope_parameters": scaling }), parts);
    };
    scaled(
        json!({"rope_type": "linear"}),
        &["`rope_parameters.factor`: is missing"],
    );
    scaled(
        json!({"rope_type": "linear", "factor": 0.0}),
        &["`rope_parameters.factor`: 0 is not above 0"],
    );
    let llama3 = json!({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 4.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64});
    scaled(
        llama3,
        &["`rope_parameters.high_freq_factor`", "low_freq_factor"],
    );
    let yarn = |key: &str, value: Value| {
        let mut yarn =
            json!({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64});
        yarn[key] = value;
        yarn
    };
    for key in [
        "factor",
        "beta_fast",
        "beta_slow",
        "original_max_position_embeddings",
        "attention_factor",
    ] {
        scaled(
            yarn(key, json!(-1.0)),
            &[&format!("`rope_parameters.{key}`: -1 is not above 0")],
        );
    }
}

#[test]
fn files_that_are_not_there() {
    let dir = tempfile::tempdir().expect("a folder");
    let error = try_load(&folder(dir.path()), Precision::F32)
        .err()
        .expect("no config")
        .to_string();
    check(&error, &["cannot read", "config.json"]);
    fs::copy(
        golden("tiny_llama").join("config.json"),
        dir.path().join("config.json"),
    )
    .expect("copies");
    let error = try_load(&folder(dir.path()), Precision::F32)
        .err()
        .expect("no weights")
        .to_string();
    check(&error, &["cannot open", "model.safetensors"]);
    let none = ModelFiles::Folder {
        dir: dir.path().to_owned(),
        weights: Vec::new(),
    };
    let error = try_load(&none, Precision::F32)
        .err()
        .expect("no weights")
        .to_string();
    check(&error, &["`model.embed_tokens.weight` is missing"]);
    let error = try_load(
        &ModelFiles::Gguf {
            path: dir.path().join("no.gguf"),
        },
        Precision::F32,
    )
    .err()
    .expect("none");
    assert_eq!(error.to_string().matches("no.gguf").count(), 1, "{error}");
}

fn loads(dir: &Path) -> bool {
    match try_load(&folder(dir), Precision::F32) {
        Err(error) => {
            assert!(error.to_string().contains("model.safetensors"), "{error}");
            false
        }
        Ok(model) => {
            model
                .hidden(&[1, 2, 3], &model::Rows::new([3], 0), None)
                .expect("runs");
            true
        }
    }
}

#[test]
fn cut_and_flipped_files() {
    for name in NAMES {
        let dir = tempfile::tempdir().expect("a folder");
        fs::copy(
            golden(name).join("config.json"),
            dir.path().join("config.json"),
        )
        .expect("copies");
        let bytes = fs::read(golden(name).join("model.safetensors")).expect("weights");
        let path = dir.path().join("model.safetensors");
        fs::write(&path, &bytes).expect("writes");
        let mut file = fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .expect("opens");
        let header = 8 + u64::from_le_bytes(*bytes.first_chunk().expect("a length"));
        let (mut random, mut loaded, before) = (Random(3), 0, memory_peak());
        let mut put = |at: usize, byte: u8| {
            file.seek(SeekFrom::Start(at as u64)).expect("seeks");
            file.write_all(&[byte]).expect("writes");
        };
        for round in 0..600 {
            let at = (random.next()
                % if round % 3 > 0 {
                    header
                } else {
                    bytes.len() as u64
                }) as usize;
            put(at, bytes[at] ^ 1 << (random.next() % 8));
            loaded += usize::from(loads(dir.path()));
            put(at, bytes[at]);
        }
        assert!(
            (190..260).contains(&loaded),
            "{name}: {loaded} load: those with a flip in a weight, few others"
        );
        assert!(loads(dir.path()), "{name}: the file is as it was");
        for length in (0..bytes.len()).step_by(521).rev() {
            file.set_len(length as u64).expect("cuts");
            assert!(
                !loads(dir.path()),
                "{name}: {length} of {} bytes load",
                bytes.len()
            );
        }
        assert!(memory_peak() - before < 1 << 30, "an enormous allocation");
    }
}
