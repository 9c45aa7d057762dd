//! Configurations as people have them: keys left out, keys of another family, two spellings in
//! one file. The logits are those of transformers 5.24 on the same folder (`tests/differential`
//! compares hundreds more); six of the last row are written here.

use serde_json::{Value, json};

use super::{folder, golden, try_load, whole};
use schema::task::Precision;

const IDS: [u32; 12] = [121, 66, 189, 242, 33, 6, 240, 132, 119, 98, 240, 243];
const LLAMA: [f32; 6] = [-1.72682, -1.72424, 0.74587, 1.70966, -0.44573, 2.48711];
const MISTRAL: [f32; 6] = [1.36822, 0.29831, 0.67062, -0.13057, -1.7401, 0.15904];
const QWEN2: [f32; 6] = [-1.60843, 2.28414, -1.60384, -1.65881, 0.03501, -0.59226];

/// A tiny model's folder whose `config.json` has these keys instead, and not those.
fn edited(family: &str, changes: &Value, without: &[&str]) -> tempfile::TempDir {
    let (dir, source) = (tempfile::tempdir().expect("a folder"), golden(family));
    let text = std::fs::read_to_string(source.join("config.json")).expect("config");
    let mut config: Value = serde_json::from_str(&text).expect("JSON");
    let members = config.as_object_mut().expect("an object");
    for key in without {
        members.remove(*key).expect("was there");
    }
    for (key, value) in changes.as_object().expect("an object") {
        members.insert(key.clone(), value.clone());
    }
    std::fs::write(dir.path().join("config.json"), config.to_string()).expect("writes");
    let weights = "model.safetensors";
    std::fs::copy(source.join(weights), dir.path().join(weights)).expect("copies");
    dir
}

#[track_caller]
fn check(family: &str, changes: Value, without: &[&str], want: [f32; 6]) {
    let dir = edited(family, &changes, without);
    let model = try_load(&folder(dir.path()), Precision::F32).expect("loads");
    let rows = whole(&model, &IDS);
    let got = &rows[IDS.len() - 1][..6];
    let apart = |(g, w): (&f32, &f32)| (g - w).abs();
    let worst = got.iter().zip(&want).map(apart).fold(0.0, f32::max);
    assert!(worst < 1e-4, "{changes} without {without:?}: {got:?}");
}

#[track_caller]
fn check_refused(family: &str, changes: Value, without: &[&str], part: &str) {
    let dir = edited(family, &changes, without);
    let Err(error) = try_load(&folder(dir.path()), Precision::F32) else {
        panic!("{changes} was not refused")
    };
    assert!(
        error.to_string().contains(part),
        "{changes}: {error} has no {part}"
    );
}

#[test]
fn an_absent_key_has_the_default_of_its_class() {
    let eps = [-1.72719, -1.7239, 0.74569, 1.70938, -0.44587, 2.48719];
    check("tiny_llama", json!({}), &["rms_norm_eps"], eps);
    check("tiny_llama", json!({}), &["rope_parameters"], LLAMA);
    let theta = [-0.62545, 0.0303, -0.7753, 0.49071, -0.46751, -1.62527];
    check("tiny_qwen2", json!({}), &["rope_parameters"], theta);
    check(
        "tiny_qwen2",
        json!({"rope_parameters": {"rope_type": "default"}}),
        &[],
        theta,
    );
    let rest = [
        "hidden_act",
        "max_position_embeddings",
        "rms_norm_eps",
        "tie_word_embeddings",
    ];
    check("tiny_qwen2", json!({}), &rest, QWEN2);
    let flags = ["attention_bias", "mlp_bias", "hidden_act"];
    check("tiny_llama", json!({}), &flags, LLAMA);
    // Eight key heads, and an untied head.
    check_refused(
        "tiny_mistral",
        json!({}),
        &["num_key_value_heads"],
        "`num_key_value_heads`: 8 does not divide 6",
    );
    check_refused(
        "tiny_qwen2",
        json!({}),
        &["num_key_value_heads"],
        "`num_key_value_heads`: 32 does not divide 6",
    );
    check_refused(
        "tiny_llama",
        json!({}),
        &["tie_word_embeddings"],
        "`lm_head.weight` is missing",
    );
}

#[test]
fn a_null_is_an_absence_only_where_the_class_says_so() {
    check("tiny_llama", json!({"head_dim": null}), &[], LLAMA);
    check(
        "tiny_mistral",
        json!({"sliding_window": null}),
        &[],
        MISTRAL,
    );
    check("tiny_qwen2", json!({"layer_types": null}), &[], QWEN2);
    for (family, key) in [
        ("tiny_llama", "rms_norm_eps"),
        ("tiny_llama", "tie_word_embeddings"),
        ("tiny_llama", "hidden_act"),
        ("tiny_llama", "attention_bias"),
        ("tiny_llama", "max_position_embeddings"),
        ("tiny_mistral", "num_key_value_heads"),
        ("tiny_qwen2", "head_dim"),
        ("tiny_qwen2", "use_sliding_window"),
        ("tiny_qwen2", "max_window_layers"),
    ] {
        check_refused(
            family,
            json!({key: null}),
            &[],
            &format!("`{key}`: is null"),
        );
    }
    check_refused(
        "tiny_llama",
        json!({"rope_theta": null}),
        &["rope_parameters"],
        "`rope_theta`: is null",
    );
}

/// The window is Qwen2's only where `use_sliding_window` says so, from layer 28 on.
#[test]
fn windows_are_those_of_the_class() {
    let typed = ["layer_types", "use_sliding_window", "max_window_layers"];
    check("tiny_qwen2", json!({"sliding_window": 4}), &typed, QWEN2);
    let on = json!({"use_sliding_window": true, "sliding_window": 4});
    check(
        "tiny_qwen2",
        on,
        &["layer_types", "max_window_layers"],
        QWEN2,
    );
    let from = json!({"use_sliding_window": true, "sliding_window": 4, "max_window_layers": 1});
    let upper = [-1.414, 2.65346, -1.71486, -1.09037, 2.06734, -1.18244];
    check("tiny_qwen2", from, &["layer_types"], upper);
    let types = json!(["full_attention", "sliding_attention", "full_attention"]);
    let on = json!({"use_sliding_window": true, "sliding_window": 4, "layer_types": types});
    let middle = [0.17253, 2.40052, -2.60806, -0.9869, 1.47071, -0.02955];
    check("tiny_qwen2", on, &[], middle);
    check_refused(
        "tiny_qwen2",
        json!({"sliding_window": 4, "layer_types": types}),
        &[],
        "`layer_types`: names layers that slide, but use_sliding_window",
    );
    let four = [2.28337, -2.14542, 2.16176, -0.88273, 1.31194, -0.80324];
    check("tiny_mistral", json!({"sliding_window": 4}), &[], four);
    check("tiny_mistral", json!({}), &["sliding_window"], MISTRAL);
    check_refused(
        "tiny_mistral",
        json!({"sliding_window": 0}),
        &[],
        "`sliding_window`: 0",
    );
}

#[test]
fn a_key_of_another_family_is_nothing() {
    let qwen = json!({"sliding_window": 4, "use_sliding_window": true, "max_window_layers": 0,
        "layer_types": ["sliding_attention", "sliding_attention", "sliding_attention"]});
    check("tiny_llama", qwen, &[], LLAMA);
    let four = [2.28337, -2.14542, 2.16176, -0.88273, 1.31194, -0.80324];
    let off = json!({"sliding_window": 4, "use_sliding_window": false, "max_window_layers": 9});
    check("tiny_mistral", off, &[], four);
    let biases = json!({"attention_bias": true, "mlp_bias": true});
    check("tiny_mistral", biases.clone(), &[], MISTRAL);
    check("tiny_qwen2", biases, &[], QWEN2);
    check(
        "tiny_llama",
        json!({"partial_rotary_factor": 0.5, "pretraining_tp": 2, "hidden_act": "swish"}),
        &[],
        LLAMA,
    );
    // transformers itself says two things here.
    check_refused(
        "tiny_mistral",
        json!({"sliding_window": 4,
            "layer_types": ["full_attention", "full_attention", "full_attention"]}),
        &[],
        "`layer_types`: all layers of mistral are of one kind",
    );
}

#[test]
fn of_two_spellings_of_rope_the_reference_chooses() {
    let older = json!({"rope_scaling": {"type": "linear", "factor": 2.0}});
    let linear = [1.04942, 0.25114, -1.37938, 2.72682, -1.42387, 2.88207];
    check("tiny_llama", older.clone(), &[], linear);
    // Its base is then the one beside it, and never that of rope_parameters (1e6).
    let plain_base = [-0.46156, 1.99568, -1.37194, 1.19952, -1.08109, -0.40326];
    check("tiny_qwen2", older, &[], plain_base);
    let beside =
        json!({"rope_scaling": {"rope_type": "linear", "factor": 2.0}, "rope_theta": 5000});
    let own_base = [-0.21828, 2.58139, -1.6475, 1.62052, -0.27665, 0.55125];
    check("tiny_qwen2", beside, &[], own_base);
    check("tiny_qwen2", json!({"rope_scaling": {}}), &[], QWEN2);
    check("tiny_qwen2", json!({"rope_theta": 500.0}), &[], QWEN2);
    let both_types = json!({"rope_parameters":
        {"rope_type": "default", "type": "linear", "factor": 2.0}});
    check("tiny_llama", both_types, &[], LLAMA);
}

#[test]
fn parameters_of_rope_have_the_defaults_of_the_reference() {
    let yarn = |changes: Value| {
        let mut section = json!({"rope_type": "yarn", "factor": 4.0,
            "original_max_position_embeddings": 64});
        for (key, value) in changes.as_object().expect("an object") {
            section[key] = value.clone();
        }
        json!({"rope_parameters": section})
    };
    let grown = yarn(json!({"factor": null, "original_max_position_embeddings": 32}));
    let eight = [-1.39791, -1.4631, 0.59642, 1.91071, -0.41697, 2.31929];
    check("tiny_llama", grown, &[], eight);
    let sharp = [-1.2489, -1.66609, 0.44155, 2.02137, -0.35677, 2.31886];
    check("tiny_llama", yarn(json!({"truncate": null})), &[], sharp);
    let turns = yarn(json!({"beta_fast": 0, "beta_slow": 0}));
    let usual = [-1.63734, -1.56796, 0.41027, 1.71391, -0.49534, 2.54952];
    check("tiny_llama", turns, &[], usual);
    let llama3 = json!({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0});
    let whole_context = [-1.72089, -1.76423, 0.80555, 1.71652, -0.43575, 2.52071];
    check(
        "tiny_llama",
        json!({"rope_parameters": llama3}),
        &[],
        whole_context,
    );
    let mut inside = llama3;
    inside["original_max_position_embeddings"] = json!(64);
    let outside = [1.63203, -1.38593, -0.49486, 1.3031, -1.38001, -0.23106];
    check(
        "tiny_llama",
        json!({"rope_parameters": inside, "original_max_position_embeddings": 16}),
        &[],
        outside,
    );
}

#[test]
fn what_the_decoder_cannot_be_is_refused_by_key() {
    for (changes, part) in [
        (json!({"is_causal": false}), "`is_causal`: false"),
        (
            json!({"per_layer_config": {"0": {"rms_norm_eps": 0.5}}}),
            "`per_layer_config`",
        ),
        (
            json!({"configuration_files": ["config.4.0.0.json"]}),
            "`configuration_files`",
        ),
        (
            json!({"quantization_config": {"quant_method": "gptq", "bits": 4}}),
            "`quantization_config.quant_method`: `gptq`",
        ),
        (
            json!({"rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 2.0}}}),
            "`rope_parameters.full_attention`: parameters for each kind of layer",
        ),
        (
            json!({"rope_parameters": {"rope_type": "linear", "factor": 2.0, "partial_rotary_factor": 0.5}}),
            "`rope_parameters.partial_rotary_factor`: 0.5",
        ),
        (
            json!({"rope_scaling": {"type": "linear", "factor": 2.0}, "partial_rotary_factor": 0.5}),
            "`partial_rotary_factor`: 0.5",
        ),
        (
            json!({"rope_scaling": {"type": "mrope"}}),
            "`rope_scaling.type`: `mrope`",
        ),
        (
            json!({"rope_parameters": {"rope_type": null}}),
            "`rope_parameters.rope_type`: is not a text",
        ),
        (
            json!({"rope_parameters": {"rope_type": "yarn", "original_max_position_embeddings": 64}}),
            "`rope_parameters.factor`: is missing",
        ),
        (
            json!({"rope_scaling": "linear"}),
            "`rope_scaling`: is not an object",
        ),
        (
            json!({"rms_norm_eps": "1e-5"}),
            "`rms_norm_eps`: is not a number",
        ),
    ] {
        check_refused("tiny_llama", changes, &[], part);
    }
}

/// transformers 5 believes the weights: a head that differs from the embedding is used.
#[test]
fn a_head_of_its_own_is_used_whatever_the_configuration_says() {
    let tied = json!({"tie_word_embeddings": true});
    check("tiny_mistral", tied.clone(), &[], MISTRAL);
    check("tiny_qwen2", tied, &[], QWEN2);
}
