//! `config.json` of every family, in the keys that released models use: older and newer spelling
//! mean the same decoder, absent keys have the class's defaults, and what a family has beyond
//! this decoder is refused by name. The values are those of transformers 5.24's classes.

use std::path::Path;

use model::{
    ModelConfig, Projection,
    config::{
        RopeScaling,
        properties::{GateActivation, MlpActivation, NormKind, QkNormSpan, RopePairs},
    },
};
use serde_json::{Value, json};

fn read(config: &Value) -> ModelConfig {
    ModelConfig::from_json(Path::new("config.json"), config).expect("reads")
}

fn refusal(config: &Value) -> String {
    let read = ModelConfig::from_json(Path::new("config.json"), config);
    read.expect_err("refused").to_string()
}

/// A small decoder of a family, with more keys.
fn with(family: &str, more: &Value) -> Value {
    let mut config = json!({"model_type": family, "vocab_size": 90, "hidden_size": 64, "intermediate_size": 96,
        "num_hidden_layers": 8, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16});
    let members = config.as_object_mut().expect("an object");
    members.extend(more.as_object().expect("an object").clone());
    config
}

#[track_caller]
fn check_same(family: &str, older: &Value, newer: &Value) -> ModelConfig {
    let (older, newer) = (read(&with(family, older)), read(&with(family, newer)));
    assert_eq!(older, newer, "{family}");
    newer
}

fn kinds(slides: &[bool]) -> Value {
    let kind = |slides: &bool| match slides {
        true => "sliding_attention",
        false => "full_attention",
    };
    slides.iter().map(kind).collect::<Vec<_>>().into()
}

#[test]
fn a_pattern_is_a_list_of_layers() {
    let every = |n: usize| -> Vec<bool> { (1..=8).map(|layer| layer % n != 0).collect() };
    let third = check_same(
        "gemma3_text",
        &json!({"sliding_window": 5, "sliding_window_pattern": 3, "rope_theta": 1e6, "rope_local_base_freq": 1e4,
            "rope_scaling": {"rope_type": "linear", "factor": 8.0}}),
        &json!({"sliding_window": 5, "layer_types": kinds(&every(3)), "rope_parameters": {
            "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
            "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}}}),
    );
    assert_eq!(third.sliding_windows[..3], [Some(5), Some(5), None]);
    assert_eq!(third.rope.scaling, RopeScaling::Linear { factor: 8.0 });
    let local = third.local_rope.expect("its own");
    assert_eq!((local.theta, local.scaling), (1e4, RopeScaling::None));
    let fourth = check_same(
        "cohere2",
        &json!({"sliding_window": 5, "sliding_window_pattern": 4, "rope_theta": 5e4}),
        &json!({"sliding_window": 5, "layer_types": kinds(&every(4)),
            "rope_parameters": {"rope_type": "default", "rope_theta": 5e4}}),
    );
    assert_eq!(
        fourth.rotated,
        every(4),
        "a layer that sees all has no RoPE"
    );
    let listed: Vec<bool> = (1..=8).map(|layer| layer % 4 != 0).collect();
    let exaone = check_same(
        "exaone4",
        &json!({"sliding_window": 5, "sliding_window_pattern": 4, "rope_theta": 1e6}),
        &json!({"sliding_window": 5, "sliding_window_pattern": "LLLG", "layer_types": kinds(&listed),
            "rope_parameters": {"rope_theta": 1e6}}),
    );
    assert_eq!((exaone.rotated, exaone.norms.before_mlp), (listed, None));
    let all_full = json!({"sliding_window": null, "layer_types": kinds(&[false; 8])});
    assert_eq!(read(&with("exaone4", &all_full)).rotated, [true; 8]);
    assert_eq!(
        read(&with("gemma2", &json!({}))).sliding_windows[..2],
        [Some(4096), None]
    );
    assert_eq!(read(&with("olmo3", &json!({}))).sliding_windows[3], None);
}

#[test]
fn layers_without_rope_are_listed_or_counted() {
    let no_rope = json!([1, 1, 1, 0, 1, 1, 1, 0]);
    let smollm = check_same(
        "smollm3",
        &json!({"no_rope_layer_interval": 4, "rope_theta": 5e6}),
        &json!({"no_rope_layers": no_rope, "use_sliding_window": false, "sliding_window": null,
            "layer_types": kinds(&[false; 8]), "rope_parameters": {"rope_theta": 5e6}}),
    );
    assert_eq!(smollm.rotated[2..4], [true, false]);
    assert!(smollm.tie_word_embeddings);
    let sliding = json!({"use_sliding_window": true, "sliding_window": 7});
    let windows = read(&with("smollm3", &sliding)).sliding_windows;
    assert_eq!(windows[2..4], [None, Some(7)]);
}

/// OLMo 3's class gives the base beside the sections to the layers that see all.
#[test]
fn olmo3_slides_with_its_class_base() {
    let older = read(&with(
        "olmo3",
        &json!({"rope_theta": 1e6, "rope_scaling": {"rope_type": "yarn", "factor": 8.0,
        "original_max_position_embeddings": 64, "attention_factor": 1.2, "beta_fast": 32, "beta_slow": 1}}),
    ));
    assert_eq!(older.rope.theta, 1e6);
    assert!(matches!(&older.rope.scaling, RopeScaling::Yarn(yarn) if yarn.attention_factor == 1.2));
    let local = older.local_rope.expect("its own");
    assert_eq!((local.theta, local.scaling), (5e5, RopeScaling::None));
    assert_eq!(older.qk_norm.expect("norms").span, QkNormSpan::Projection);
}

#[test]
fn phi3_has_longrope_under_three_names() {
    let factors = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0];
    let section = |kind: &str| {
        json!({"original_max_position_embeddings": 32, "max_position_embeddings": 256, "partial_rotary_factor": 0.75,
            "rope_scaling": {"type": kind, "short_factor": factors, "long_factor": factors}})
    };
    let phi = check_same("phi3", &section("su"), &section("longrope"));
    check_same("phi3", &section("yarn"), &section("longrope"));
    let RopeScaling::Long(long) = &phi.rope.scaling else {
        panic!("{:?}", phi.rope)
    };
    // sqrt(1 + ln 8 / ln 32)
    assert!((long.attention_factor - 1.264_911_064).abs() < 1e-9);
    assert_eq!((phi.rotary_dim, phi.rope.short_context()), (12, Some(32)));
    assert!(phi.merged_qkv && phi.merged_gate_up);
    let names = [
        Projection::Qkv,
        Projection::O,
        Projection::GateUp,
        Projection::Down,
    ];
    assert_eq!(phi.projections(), names);
    assert_eq!(phi.projection_shape("qkv_proj"), Some((128, 64)));
    assert_eq!(phi.projection_shape("q_proj"), None);
    let short =
        json!({"rope_scaling": {"type": "longrope", "short_factor": [1.0], "long_factor": [1.0]}});
    let message = refusal(&with("phi3", &short));
    assert!(
        message.contains("`short_factor`: 1 factors for 8 pairs"),
        "{message}"
    );
    let linear = json!({"rope_scaling": {"type": "linear", "factor": 2.0}});
    let message = refusal(&with("phi3", &linear));
    assert!(
        message.contains(
            "`rope_scaling.type`: `linear` is not supported; here default and longrope are"
        ),
        "{message}"
    );
}

#[test]
fn numbers_come_from_the_keys_of_the_family() {
    let granite = read(&with(
        "granite",
        &json!({"embedding_multiplier": 12.0, "attention_multiplier": 0.0078125,
        "residual_multiplier": 0.22, "logits_scaling": 8.0}),
    ));
    assert_eq!(
        [
            granite.embedding_multiplier,
            granite.residual_multiplier,
            granite.logits_multiplier
        ],
        [12.0, 0.22, 0.125]
    );
    assert_eq!(granite.score_scale, Some(0.0078125));
    let gemma = read(&with(
        "gemma2",
        &json!({"query_pre_attn_scalar": 64, "hidden_act": "gelu_pytorch_tanh"}),
    ));
    assert_eq!(
        (gemma.score_scale, gemma.embedding_multiplier),
        (Some(0.125), 8.0)
    );
    assert_eq!(
        (gemma.attention_soft_cap, gemma.final_soft_cap),
        (Some(50.0), Some(30.0))
    );
    assert_eq!(gemma.norm_kind, NormKind::RmsPlusOne);
    let cohere = read(&with(
        "cohere",
        &json!({"layer_norm_eps": 1e-4, "use_qk_norm": true}),
    ));
    assert_eq!((cohere.norm_eps, cohere.logits_multiplier), (1e-4, 0.0625));
    assert_eq!(cohere.qk_norm.expect("norms").span, QkNormSpan::OwnHead);
    assert_eq!(
        (cohere.rope_pairs, cohere.rope.theta),
        (RopePairs::Neighbours, 5e5)
    );
    assert!(cohere.norms.parallel);
    let glm = read(&with("glm4", &json!({"rope_theta": 1e4})));
    assert_eq!((glm.rotary_dim, glm.norm_eps), (8, 1.5625e-7));
    assert_eq!(glm.biases, [Projection::Q, Projection::K, Projection::V]);
    // 1000^(16 / 14) times the base.
    let alpha = json!({"rope_theta": 1e4, "rope_scaling": {"type": "dynamic", "alpha": 1000.0, "factor": 1.0,
        "beta_fast": 32, "beta_slow": 1, "mscale": 1.0, "mscale_all_dim": 0.0}});
    let hunyuan = read(&with("hunyuan_v1_dense", &alpha));
    assert!((hunyuan.rope.theta / 26_826_957.952_797_253 - 1.0).abs() < 1e-12);
    assert!(hunyuan.qk_norm.expect("norms").after_rope);
    let ministral = read(&with("ministral3", &json!({})));
    let growth = ministral.position_scale.expect("grows");
    assert_eq!((growth.beta, growth.context), (0.1, 16_384.0));
    assert_eq!(growth.factor(16_383), 1.0);
    assert!((growth.factor(32_768) - (1.0 + 0.1 * 3f64.ln())).abs() < 1e-7);
    let apertus = read(&with("apertus", &json!({})));
    assert_eq!(apertus.activation, MlpActivation::Xielu);
    assert_eq!(apertus.rope.theta, 1.2e7);
    assert_eq!(apertus.projection_shape("gate_proj"), None);
    let seed = read(&with("seed_oss", &json!({})));
    assert_eq!(seed.biases, [Projection::Q, Projection::K, Projection::V]);
    assert_eq!(
        read(&with("ernie4_5", &json!({"use_bias": true})))
            .biases
            .len(),
        7
    );
    let helium = read(&with(
        "helium",
        &json!({"attention_bias": true, "mlp_bias": true}),
    ));
    assert_eq!((helium.biases.len(), helium.norm_eps), (6, 1e-8));
    assert_eq!(
        (helium.rope_pairs, helium.rope.theta),
        (RopePairs::Neighbours, 1e5)
    );
    let gelu = MlpActivation::Gated(GateActivation::GeluTanh);
    for family in ["gemma", "llama"] {
        let config = with(family, &json!({"hidden_act": "gelu_pytorch_tanh"}));
        assert_eq!(read(&config).activation, gelu);
    }
    assert_eq!(
        read(&with("gemma", &json!({"hidden_act": "gelu"}))).activation,
        gelu
    );
}

#[test]
fn what_is_beyond_this_decoder_is_named() {
    for (config, want) in [
        (
            json!({"model_type": "qwen3_moe", "num_experts": 128}),
            "`qwen3_moe` has a mixture of experts (`num_experts`), which is not supported",
        ),
        (
            json!({"model_type": "deepseek_v2", "kv_lora_rank": 512}),
            "`deepseek_v2` has multi-head latent attention (`kv_lora_rank`)",
        ),
        (
            json!({"model_type": "qwen3_next", "linear_num_key_heads": 16}),
            "`qwen3_next` has layers of linear attention (`linear_num_key_heads`)",
        ),
        (
            json!({"model_type": "gemma4", "text_config": {"num_kv_shared_layers": 20}}),
            "`gemma4` has keys and values shared by layers (`num_kv_shared_layers`)",
        ),
        (
            json!({"model_type": "gemma4", "text_config": {"hidden_size_per_layer_input": 256}}),
            "`gemma4` has embeddings of each layer (`hidden_size_per_layer_input`)",
        ),
        (
            json!({"model_type": "mistral3", "vision_config": {"depth": 3}}),
            "`mistral3` has a vision encoder (`vision_config`)",
        ),
        (
            json!({"model_type": "gpt2", "num_experts": 0}),
            "`gpt2` is none of the supported families: llama, mistral, qwen2, qwen3, gemma",
        ),
        (
            with("gemma3_text", &json!({"use_bidirectional_attention": true})),
            "`use_bidirectional_attention`: true is not supported",
        ),
        (
            with("hunyuan_v1_dense", &json!({"use_cla": true})),
            "`use_cla`: true is not supported; only false is",
        ),
        (
            with("apertus", &json!({"hidden_act": "silu"})),
            "`hidden_act`: `silu` is not supported; only xielu is",
        ),
        (
            with("qwen3", &json!({"hidden_act": "xielu"})),
            "`hidden_act`: `xielu` is not supported; silu and gelu_pytorch_tanh are",
        ),
        (
            with("cohere2", &json!({"sliding_window": null})),
            "`layer_types`: names layers that slide, but",
        ),
        (
            with("smollm3", &json!({"no_rope_layers": [1, 0]})),
            "`no_rope_layers`: 2 entries for 8 layers",
        ),
        (
            with(
                "smollm3",
                &json!({"no_rope_layers": [1, 0, 1, 2, 1, 1, 1, 1]}),
            ),
            "`no_rope_layers`: 2 is neither 0 nor 1",
        ),
        (
            with(
                "ministral3",
                &json!({"rope_parameters": {"rope_type": "default"}}),
            ),
            "`rope_parameters.original_max_position_embeddings`: is missing",
        ),
        (
            with("granite", &json!({"residual_multiplier": 0.0})),
            "`residual_multiplier`: 0 is not above 0",
        ),
        (
            with("glm4", &json!({"partial_rotary_factor": 1.5})),
            "`partial_rotary_factor`: 1.5 is no share of a head",
        ),
        (
            with("glm4", &json!({"partial_rotary_factor": 0.2})),
            "`partial_rotary_factor`: 3 values of a head are no pairs",
        ),
    ] {
        let message = refusal(&config);
        assert!(message.contains(want), "{message}");
    }
}
