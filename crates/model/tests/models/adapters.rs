//! Adapter folders: written and read, refused by key, patterns and scales; merged into the
//! weights they give the same logits. That PEFT reads what is written here is checked by
//! `peft_interop.py`; that what PEFT writes is read, by the golden tests of crate `train`.

use std::{collections::BTreeMap, fs, path::Path};

use candle_core::Tensor;
use model::{Adapter, LayerProjection, ModelConfig, ModelError, Projection, adapter::LoraWeights};
use safetensors::{Dtype, SafeTensors};
use schema::task::Precision;
use serde_json::{Value, json};

use super::{
    NAMES, bits, distance, folder,
    folder::{read_weights, serialize, write_folder},
    gguf_writer::Plain,
    golden, ids, load, random_adapter, try_load, whole,
};

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";

fn flat(x: &Tensor) -> Vec<f32> {
    x.flatten_all().and_then(|x| x.to_vec1()).expect("values")
}

#[track_caller]
fn check_equal(got: &Adapter, want: &Adapter) {
    assert_eq!(got.config, want.config);
    assert_eq!(
        got.weights.keys().collect::<Vec<_>>(),
        want.weights.keys().collect::<Vec<_>>()
    );
    for (place, want) in &want.weights {
        let got = &got.weights[place];
        assert!(
            (got.scale - want.scale).abs() <= 1e-12 * want.scale,
            "{place}: {} not {}",
            got.scale,
            want.scale
        );
        assert_eq!(
            (got.a.dims(), got.b.dims()),
            (want.a.dims(), want.b.dims()),
            "{place}"
        );
        assert_eq!(
            (flat(&got.a), flat(&got.b)),
            (flat(&want.a), flat(&want.b)),
            "{place}"
        );
    }
}

/// An adapter of the tiny Llama.
fn read(dir: &Path) -> Result<Adapter, ModelError> {
    let config = golden("tiny_llama").join("config.json");
    Adapter::read(dir, &ModelConfig::from_json_file(&config).expect("config"))
}

fn read_json(dir: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(dir.join(CONFIG)).expect("config")).expect("JSON")
}

#[test]
fn what_is_written_is_read() {
    for name in NAMES {
        let mut model = load(name);
        let adapter = random_adapter(&model, 5, 7.5, 1);
        let dir = tempfile::tempdir().expect("a folder");
        adapter
            .write(&dir.path().join("new/folder"), "some/base")
            .expect("writes");
        let back = Adapter::read(&dir.path().join("new/folder"), model.config()).expect("reads");
        check_equal(&back, &adapter);
        model.set_adapter(Some(&adapter)).expect("fits");
        let want = whole(&model, &ids(20, 2));
        model.set_adapter(Some(&back)).expect("fits");
        assert_eq!(bits(&whole(&model, &ids(20, 2))), bits(&want), "{name}");
    }
}

/// The keys that every PEFT since 0.5 knows, and no pattern where none is needed.
#[test]
fn the_configuration_is_pefts() {
    let model = load("tiny_llama");
    let dir = tempfile::tempdir().expect("a folder");
    random_adapter(&model, 4, 12.0, 1)
        .write(dir.path(), "some/base")
        .expect("writes");
    let config = read_json(dir.path());
    let want = json!({
        "base_model_name_or_path": "some/base", "bias": "none", "fan_in_fan_out": false, "inference_mode": true,
        "init_lora_weights": true, "layers_pattern": null, "layers_to_transform": null, "lora_alpha": 12,
        "lora_dropout": 0.0, "modules_to_save": null, "peft_type": "LORA", "r": 4, "revision": null,
        "target_modules": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
        "task_type": "CAUSAL_LM",
    });
    assert_eq!(config, want);
    let bytes = fs::read(dir.path().join(WEIGHTS)).expect("weights");
    let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
    let name = "base_model.model.model.layers.2.mlp.down_proj.lora_A.weight";
    let (a, b) = (
        tensors.tensor(name).expect("A"),
        tensors.tensor(&name.replace("_A", "_B")).expect("B"),
    );
    assert_eq!(
        (a.shape(), b.shape(), tensors.len()),
        ([4, 80].as_slice(), [48, 4].as_slice(), 2 * 7 * 3)
    );
    assert!(
        fs::read_to_string(dir.path().join("README.md"))
            .expect("card")
            .contains("base_model: some/base")
    );
}

/// Ranks and scales of their own at some places stand in the patterns and come back.
#[test]
fn patterns_are_written_where_needed() {
    let model = load("tiny_llama");
    let mut adapter = random_adapter(&model, 4, 12.0, 1);
    let place = |layer, projection| LayerProjection { layer, projection };
    let wider = random_adapter(&model, 6, 12.0, 2);
    let own_rank = place(1, Projection::Q);
    adapter
        .weights
        .insert(own_rank, wider.weights[&own_rank].clone());
    let own_scale = place(2, Projection::Down);
    adapter.weights.get_mut(&own_scale).expect("is there").scale = 0.75;
    let dir = tempfile::tempdir().expect("a folder");
    adapter.write(dir.path(), "base").expect("writes");
    let config = read_json(dir.path());
    assert_eq!(
        config["rank_pattern"],
        json!({"model.layers.1.self_attn.q_proj": 6})
    );
    assert_eq!(
        config["alpha_pattern"],
        json!({"model.layers.2.mlp.down_proj": 3.0})
    );
    check_equal(&read(dir.path()).expect("reads"), &adapter);
}

/// The adapter that PEFT wrote, with a changed configuration.
fn changed(change: impl FnOnce(&mut Value)) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let source = golden("tiny_llama").join("adapter");
    fs::copy(source.join(WEIGHTS), dir.path().join(WEIGHTS)).expect("copies");
    let mut config = read_json(&source);
    change(&mut config);
    fs::write(dir.path().join(CONFIG), config.to_string()).expect("writes");
    dir
}

#[test]
fn scales_follow_patterns_and_rslora() {
    let scales = |change: &dyn Fn(&mut Value)| {
        let adapter = read(changed(change).path()).expect("reads");
        let of = |layer, projection| adapter.weights[&LayerProjection { layer, projection }].scale;
        [
            of(0, Projection::Q),
            of(1, Projection::Q),
            of(1, Projection::Up),
            of(2, Projection::V),
        ]
    };
    assert_eq!(scales(&|_| ()), [3.0; 4]);
    assert_eq!(scales(&|c| c["use_rslora"] = json!(true)), [6.0; 4]);
    assert_eq!(scales(&|c| c["lora_alpha"] = json!(1.0)), [0.25; 4]);
    assert_eq!(
        scales(&|c| c["alpha_pattern"] = json!({"q_proj": 2, "mlp.up_proj": 20})),
        [0.5, 0.5, 5.0, 3.0]
    );
    // The first that matches counts; a name matches whole parts alone.
    let two = json!({"layers.1.self_attn.q_proj": 8, "q_proj": 2, "j": 100, "_proj": 100});
    assert_eq!(
        scales(&|c| c["alpha_pattern"] = two.clone()),
        [0.5, 2.0, 3.0, 3.0]
    );
    let whole = json!({"^model.layers.1.self_attn.q_proj": 8, "^q_proj": 100});
    assert_eq!(
        scales(&|c| c["alpha_pattern"] = whole.clone()),
        [3.0, 2.0, 3.0, 3.0]
    );
    let both = |c: &mut Value| {
        c["use_rslora"] = json!(true);
        c["alpha_pattern"] = json!({"q_proj": 1});
    };
    assert_eq!(scales(&both), [0.5, 0.5, 6.0, 6.0]);
    assert_eq!(scales(&|c| c["r"] = json!(4.0)), [3.0; 4]);
}

#[track_caller]
fn check_refused(dir: &Path, parts: &[&str]) {
    let error = read(dir).expect_err("refused").to_string();
    assert!(
        !error.contains('\n') && error.len() < 500,
        "one clear message: {error}"
    );
    for part in parts {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
}

#[test]
fn kinds_that_are_not_computed_are_refused_by_key() {
    for (key, value, problem) in [
        (
            "use_dora",
            json!("yes"),
            "`use_dora`: \"yes\" is neither true nor false",
        ),
        (
            "bias",
            json!("all"),
            "`bias`: trained biases are not supported",
        ),
        (
            "bias",
            json!("lora_only"),
            "`bias`: trained biases are not supported",
        ),
        (
            "lora_bias",
            json!(true),
            "`lora_bias`: true is not supported",
        ),
        (
            "modules_to_save",
            json!(["lm_head"]),
            "`modules_to_save`: [\"lm_head\"] is not supported",
        ),
        ("layer_replication", json!([[0, 2]]), "`layer_replication`"),
        (
            "trainable_token_indices",
            json!([1]),
            "`trainable_token_indices`",
        ),
        ("use_qalora", json!(true), "`use_qalora`"),
        (
            "peft_type",
            json!("IA3"),
            "`peft_type`: only LORA is supported",
        ),
        (
            "peft_type",
            json!(null),
            "`peft_type`: only LORA is supported",
        ),
        ("r", json!(null), "`r`: is not a number"),
        ("r", json!(0), "`r`: 0 is not a positive whole number"),
        ("r", json!(2.5), "`r`: 2.5 is not a positive whole number"),
        (
            "r",
            json!(5),
            "`r`: is 5, but `model.layers.0.self_attn.q_proj` has rank 4",
        ),
        (
            "rank_pattern",
            json!({"k_proj": 3}),
            "`rank_pattern`: is 3, but `model.layers.0.self_attn.k_proj` has rank 4",
        ),
        ("rank_pattern", json!(3), "`rank_pattern`: is not a table"),
        ("lora_alpha", json!("12"), "`lora_alpha`: is not a number"),
        (
            "alpha_pattern",
            json!({"q_proj": "2"}),
            "`alpha_pattern`: \"2\" of `q_proj` is not a number",
        ),
        (
            "alpha_pattern",
            json!({"(?i)Q_proj": 2}),
            "`alpha_pattern`: the expression `(?i)Q_proj` has a group with flags",
        ),
        (
            "use_rslora",
            json!("yes"),
            "`use_rslora`: \"yes\" is neither true nor false",
        ),
        (
            "lora_dropout",
            json!(1.0),
            "`lora_dropout`: 1 is not in [0, 1)",
        ),
        (
            "lora_dropout",
            json!("0.1"),
            "`lora_dropout`: is not a number",
        ),
    ] {
        check_refused(changed(|c| c[key] = value).path(), &[CONFIG, problem]);
    }
}

#[test]
fn broken_folders_are_refused_by_file() {
    let dir = tempfile::tempdir().expect("a folder");
    check_refused(dir.path(), &["cannot read", CONFIG]);
    let dir = changed(|_| ());
    fs::remove_file(dir.path().join(WEIGHTS)).expect("removes");
    check_refused(
        dir.path(),
        &["adapter_model.safetensors is missing", "adapter_model.bin"],
    );
    fs::write(dir.path().join(WEIGHTS), b"none").expect("writes");
    check_refused(dir.path(), &[WEIGHTS, "not a complete safetensors file"]);
    fs::write(dir.path().join(CONFIG), "{").expect("writes");
    check_refused(dir.path(), &[CONFIG, "not valid JSON"]);
    let source = fs::read(golden("tiny_llama").join("adapter").join(WEIGHTS)).expect("weights");
    let dir = changed(|_| ());
    for length in (0..source.len()).step_by(997) {
        fs::write(dir.path().join(WEIGHTS), &source[..length]).expect("writes");
        check_refused(dir.path(), &[WEIGHTS, "not a complete safetensors file"]);
    }
}

#[test]
fn matrices_that_do_not_fit_are_refused_by_name() {
    let weights = read_weights(&golden("tiny_llama").join("adapter").join(WEIGHTS));
    let check = |change: &dyn Fn(&mut BTreeMap<String, Plain>), dtype, problem: &str| {
        let (dir, mut weights) = (changed(|_| ()), weights.clone());
        change(&mut weights);
        fs::write(dir.path().join(WEIGHTS), serialize(&weights, dtype)).expect("writes");
        check_refused(dir.path(), &[WEIGHTS, problem]);
    };
    let name = "base_model.model.model.layers.1.mlp.up_proj.lora_A.weight";
    let plain = |shape: &[usize]| Plain {
        shape: shape.to_vec(),
        values: vec![0.5; shape.iter().product()],
    };
    let (f32, half) = (
        Dtype::F32,
        "`model.layers.1.mlp.up_proj` has only one of lora_A and lora_B",
    );
    check(&|w| drop(w.remove(name)), f32, half);
    check(&|w| drop(w.remove(&name.replace("_A", "_B"))), f32, half);
    check(
        &|w| drop(w.insert(name.into(), plain(&[3, 48]))),
        f32,
        "`model.layers.1.mlp.up_proj`: A [3, 48] and B [80, 4]",
    );
    check(
        &|w| drop(w.insert(name.into(), plain(&[]))),
        f32,
        "do not share a rank",
    );
    check(&|_| (), Dtype::F64, "is F64");
    check(&|w| w.clear(), f32, "holds no LoRA matrices");
    for other in [
        "base_model.model.model.layers.1.self_attn.up_proj.lora_A.weight",
        "base_model.model.model.layers.x.mlp.up_proj.lora_A.weight",
        "base_model.model.model.layers.1.mlp.up_proj.lora_C.weight",
        "model.layers.1.mlp.up_proj.weight",
    ] {
        let problem = format!("tensor `{other}` does not belong to a projection of the decoder");
        check(
            &|w| drop(w.insert(other.into(), plain(&[4, 48]))),
            f32,
            &problem,
        );
    }
    check(
        &|w| drop(w.insert(name.replace(".1.", ".01."), plain(&[4, 48]))),
        f32,
        "is there twice",
    );
}

#[test]
fn an_adapter_of_another_model_is_refused() {
    let mut model = load("tiny_llama");
    let adapter = random_adapter(&model, 2, 4.0, 1);
    let input_ids = ids(9, 1);
    model.set_adapter(Some(&adapter)).expect("fits");
    let before = whole(&model, &input_ids);
    let mut check = |place: LayerProjection, weights: LoraWeights, parts: &[&str]| {
        let mut adapter = adapter.clone();
        adapter.weights.insert(place, weights);
        let error = model
            .set_adapter(Some(&adapter))
            .expect_err("refused")
            .to_string();
        for part in parts {
            assert!(error.contains(part), "`{part}` is not in: {error}");
        }
        assert_eq!(
            bits(&whole(&model, &input_ids)),
            bits(&before),
            "a refused adapter changes nothing"
        );
    };
    let (q, up) = (
        LayerProjection {
            layer: 0,
            projection: Projection::Q,
        },
        LayerProjection {
            layer: 0,
            projection: Projection::Up,
        },
    );
    let too_deep = LayerProjection {
        layer: 3,
        projection: Projection::Q,
    };
    check(
        too_deep,
        adapter.weights[&q].clone(),
        &[
            "`model.layers.3.self_attn.q_proj`",
            "the model has 3 layers",
        ],
    );
    check(
        q,
        adapter.weights[&up].clone(),
        &["`model.layers.0.self_attn.q_proj`", "B [80, 2]", "(48, 48)"],
    );
}

/// (W + scale B A) as the weight and no adapter, with alpha other than the rank.
#[test]
fn merged_is_unmerged() {
    for name in NAMES {
        let mut model = load(name);
        let adapter = random_adapter(&model, 3, 7.0, 4);
        let mut weights = read_weights(&golden(name).join("model.safetensors"));
        for (place, lora) in &adapter.weights {
            let weight = weights
                .get_mut(&format!("{place}.weight"))
                .expect("a weight");
            let update = lora.b.matmul(&lora.a).expect("update");
            assert_eq!(update.dims(), weight.shape);
            for (w, u) in weight.values.iter_mut().zip(flat(&update)) {
                *w += 7.0 / 3.0 * u;
            }
        }
        let dir = tempfile::tempdir().expect("a folder");
        write_folder(
            dir.path(),
            &fs::read_to_string(golden(name).join("config.json")).expect("config"),
            &weights,
        );
        let merged = whole(
            &try_load(&folder(dir.path()), Precision::F32).expect("loads"),
            &ids(40, 5),
        );
        model.set_adapter(Some(&adapter)).expect("fits");
        let off = distance(&whole(&model, &ids(40, 5)), &merged);
        assert!(off < 1e-4, "{name}: {off}");
    }
}
