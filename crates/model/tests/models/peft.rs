//! Adapters as PEFT 0.21 makes and reads them: patterns, starts, targets. The logits are PEFT's
//! on the tiny Llama and its adapter with the same change (`tests/differential` compares hundreds
//! more); six of the last row are written here.

use std::{collections::BTreeMap, fs};

use safetensors::Dtype;
use serde_json::{Value, json};

use super::{
    folder::{read_weights, serialize},
    gguf_writer::Plain,
    golden, load, whole,
};
use model::{Adapter, Decoder, ModelError};

const IDS: [u32; 12] = [121, 66, 189, 242, 33, 6, 240, 132, 119, 98, 240, 243];
const PLAIN: [f32; 6] = [0.02543, -0.82461, -0.2783, 0.84667, -2.202, 1.56421];
const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";

type Weights = BTreeMap<String, Plain>;

/// The model with its adapter, whose configuration and matrices are changed.
fn try_with(
    change_config: impl FnOnce(&mut Value),
    change_weights: impl FnOnce(&mut Weights),
) -> Result<Decoder, ModelError> {
    let (dir, source) = (
        tempfile::tempdir().expect("a folder"),
        golden("tiny_llama").join("adapter"),
    );
    let text = fs::read_to_string(source.join(CONFIG)).expect("config");
    let mut config = serde_json::from_str(&text).expect("JSON");
    change_config(&mut config);
    fs::write(dir.path().join(CONFIG), config.to_string()).expect("writes");
    let mut weights = read_weights(&source.join(WEIGHTS));
    change_weights(&mut weights);
    let bytes = serialize(&weights, Dtype::F32);
    fs::write(dir.path().join(WEIGHTS), bytes).expect("writes");
    let mut model = load("tiny_llama");
    let adapter = Adapter::read(dir.path(), model.config())?;
    model.set_adapter(Some(&adapter))?;
    Ok(model)
}

fn put(config: &mut Value, changes: &Value) {
    for (key, value) in changes.as_object().expect("an object") {
        config[key] = value.clone();
    }
}

#[track_caller]
fn check(changes: Value, want: [f32; 6]) {
    let model = try_with(|config| put(config, &changes), |_| ()).expect("reads");
    let rows = whole(&model, &IDS);
    let got = &rows[IDS.len() - 1][..6];
    let apart = |(g, w): (&f32, &f32)| (g - w).abs();
    let worst = got.iter().zip(&want).map(apart).fold(0.0, f32::max);
    assert!(worst < 1e-4, "{changes}: {got:?}");
}

#[track_caller]
fn check_refused(
    change_config: impl FnOnce(&mut Value),
    change_weights: impl FnOnce(&mut Weights),
    parts: &[&str],
) {
    let Err(error) = try_with(change_config, change_weights) else {
        panic!("was not refused: {parts:?}")
    };
    let error = error.to_string();
    for part in parts {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
}

#[test]
fn patterns_are_expressions_of_python() {
    check(
        json!({"alpha_pattern": {r".*\.layers\.[0-1]\..*_proj": 30, "q_proj": 2}}),
        [1.89324, -0.49922, 0.52652, -0.8865, -1.31124, 0.61018],
    );
    check(
        json!({"alpha_pattern": {"(q|v)_proj": 2, r".*mlp\..*": 24}, "use_rslora": true}),
        [-0.73651, -0.26035, 1.63923, -0.66965, -1.83458, 0.75455],
    );
    check(
        json!({"alpha_pattern": {"layers.0.self_attn.q_proj": 40, "q_proj|k_proj": 2}}),
        [1.24963, -0.256, -3.55694, 1.70982, -2.59232, 0.21902],
    );
    check(
        json!({"rank_pattern": {r"model\.layers\.\d+\..*": 4}, "r": 7}),
        PLAIN,
    );
    check_refused(
        |config| put(config, &json!({"rank_pattern": {r".*\.1\..*": 8}})),
        |_| (),
        &["`rank_pattern`: is 8, but `model.layers.1.self_attn.q_proj` has rank 4"],
    );
}

#[test]
fn an_absent_number_is_pefts_default() {
    let without = |key: &str| {
        let key = key.to_owned();
        move |config: &mut Value| {
            config
                .as_object_mut()
                .expect("an object")
                .remove(&key)
                .expect("was there");
        }
    };
    let model = try_with(without("lora_alpha"), |_| ()).expect("reads");
    let first = whole(&model, &IDS)[IDS.len() - 1][0];
    assert!((first + 1.28706).abs() < 1e-4, "{first}");
    check_refused(
        without("r"),
        |_| (),
        &["`r`: is 8, but `model.layers.0.self_attn.q_proj` has rank 4"],
    );
}

/// PiSSA's and OLoRA's matrices are a part of the base that PEFT takes out of it on loading.
#[test]
fn a_start_that_changes_the_base_is_refused_by_name() {
    for start in [
        json!(true),
        json!(false),
        json!(null),
        json!("gaussian"),
        json!("eva"),
        json!("orthogonal"),
        json!("mica"),
    ] {
        check(
            json!({"init_lora_weights": start, "eva_config": {"rho": 2.0}}),
            PLAIN,
        );
    }
    for start in [
        "pissa",
        "pissa_niter_16",
        "olora",
        "OLoRA",
        "corda",
        "loftq",
        "lora_ga",
        "another",
    ] {
        check_refused(
            |config| config["init_lora_weights"] = json!(start),
            |_| (),
            &[
                &format!("`init_lora_weights`: \"{start}\" changes the base model's weights"),
                "path_initial_model_for_weight_conversion",
            ],
        );
    }
}

#[test]
fn a_key_that_is_not_known_must_say_nothing() {
    check(
        json!({"fan_in_fan_out": true, "task_type": null, "loftq_config": {"loftq_bits": 4},
            "qalora_group_size": 32, "ensure_weight_tying": true, "lora_dropout": 0.5,
            "peft_version": "0.99", "new_one": null, "another": false, "third": [], "fourth": {}}),
        PLAIN,
    );
    for (key, value) in [
        ("alora_invocation_tokens", json!([1, 2])),
        ("target_parameters", json!(["mlp.up_proj.weight"])),
        ("arrow_config", json!({"top_k": 3})),
        ("kasa_config", json!({"beta": 1.0})),
        ("velora_config", json!({"scale": 1.0})),
        ("monteclora_config", json!({"num_samples": 4})),
        ("use_bdlora", json!({"nblocks": 2})),
        ("megatron_config", json!({"a": 1})),
        ("a_key_of_next_year", json!("on")),
        ("another", json!(0)),
    ] {
        check_refused(
            |config| config[key] = value.clone(),
            |_| (),
            &[
                &format!("`{key}`: {value} is not supported"),
                "merge_and_unload",
            ],
        );
    }
}

#[test]
fn targets_are_compared_with_the_matrices() {
    for targets in [
        json!("all-linear"),
        json!("ALL-LINEAR"),
        json!(r".*\.(self_attn|mlp)\.[a-z]+_proj"),
        json!([
            "q_proj",
            "k_proj",
            "v_proj",
            "o_proj",
            "mlp.up_proj",
            "gate_proj",
            "down_proj",
            "c_attn"
        ]),
    ] {
        check(json!({ "target_modules": targets }), PLAIN);
    }
    check(
        json!({"exclude_modules": ["lm_head"], "layers_to_transform": [0, 1, 2],
        "layers_pattern": "layers"}),
        PLAIN,
    );
    for (changes, part) in [
        (
            json!({"target_modules": ["q_proj"]}),
            "`target_modules`: does not ask for `model.layers.0.self_attn.k_proj`",
        ),
        (
            json!({"target_modules": null}),
            "does not ask for `model.layers.0.self_attn.k_proj`",
        ),
        (
            json!({"layers_to_transform": [0, 1]}),
            "does not ask for `model.layers.2.self_attn.q_proj`",
        ),
        (
            json!({"layers_to_transform": 1}),
            "does not ask for `model.layers.0.self_attn.q_proj`",
        ),
        (
            json!({"layers_to_transform": [0, 1, 2], "layers_pattern": ["h"]}),
            "does not ask for",
        ),
        (
            json!({"exclude_modules": ["v_proj"]}),
            "does not ask for `model.layers.0.self_attn.v_proj`",
        ),
        (
            json!({"exclude_modules": r".*\.1\..*"}),
            "does not ask for `model.layers.1.self_attn.q_proj`",
        ),
        (
            json!({"target_modules": "all-linear", "layers_to_transform": [0]}),
            "`layers_to_transform`: goes with a list",
        ),
        (
            json!({"layers_pattern": "layers"}),
            "`layers_pattern`: needs layers_to_transform",
        ),
        (
            json!({"target_modules": ["all", "lm_head"]}),
            "`lm_head` is a target, but no projection",
        ),
        (
            json!({"target_modules": "model.*"}),
            "`model` is a target, but no projection",
        ),
        (
            json!({"target_modules": "(?i).*Q_PROJ"}),
            "`target_modules`: the expression",
        ),
        (
            json!({"target_modules": [1]}),
            "`target_modules`: 1 is not a name",
        ),
    ] {
        check_refused(|config| put(config, &changes), |_| (), &[part]);
    }
    let of = |place: &str, half: &str| {
        format!("base_model.model.model.layers.{place}.lora_{half}.weight")
    };
    check_refused(
        |_| (),
        |weights| {
            for half in ["A", "B"] {
                weights
                    .remove(&of("1.mlp.up_proj", half))
                    .expect("was there");
            }
        },
        &[
            "asks for `model.layers.1.mlp.up_proj`, but",
            "(1 of 21 places are missing)",
        ],
    );
    check_refused(
        |_| (),
        |weights| {
            for half in ["A", "B"] {
                let matrix = weights[&of("1.mlp.up_proj", half)].clone();
                weights.insert(of("3.mlp.up_proj", half), matrix);
            }
        },
        &["`model.layers.3.mlp.up_proj`, but this model has 3 layers"],
    );
}

#[test]
fn a_tensor_that_is_no_update_of_a_projection_is_called_what_it_is() {
    let place = "base_model.model.model.layers.1.mlp.up_proj";
    for (name, what) in [
        (
            format!("{place}.lora_A.default.weight"),
            "has the adapter's name in it",
        ),
        (format!("{place}.lora_magnitude_vector.weight"), "is DoRA's"),
        (format!("{place}.lora_B.bias"), "is a trained bias"),
        (format!("{place}.base_layer.bias"), "is a trained bias"),
        (
            "base_model.model.lm_head.lora_A.weight".into(),
            "is an update of the head",
        ),
        (
            "base_model.model.model.embed_tokens.lora_embedding_A".into(),
            "is an update of the embedding",
        ),
        (
            "base_model.model.model.embed_tokens.weight".into(),
            "is a whole embedding or head",
        ),
        (
            "base_model.model.lm_head.base_layer.weight".into(),
            "is a whole embedding or head",
        ),
    ] {
        let advice = if what.contains("name") {
            "save_pretrained"
        } else {
            "merge_and_unload"
        };
        let values = Plain {
            shape: vec![4, 48],
            values: vec![0.5; 192],
        };
        check_refused(
            |_| (),
            |weights| _ = weights.insert(name.clone(), values),
            &[&format!("tensor `{name}` {what}"), advice],
        );
    }
}

#[test]
fn magnitudes_and_use_dora_come_together() {
    let name = "base_model.model.model.layers.1.mlp.up_proj.lora_magnitude_vector";
    let values = Plain {
        shape: vec![80],
        values: vec![1.0; 80],
    };
    check_refused(
        |_| (),
        |weights| _ = weights.insert(name.to_owned(), values),
        &["`model.layers.1.mlp.up_proj` has a lora_magnitude_vector, but use_dora is not true"],
    );
    check_refused(
        |config| config["use_dora"] = json!(true),
        |_| (),
        &["has no lora_magnitude_vector, which use_dora needs"],
    );
}
