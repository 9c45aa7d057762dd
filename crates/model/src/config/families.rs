//! The table of families: `model_type` to properties, and to the keys of `config.json` that
//! decide the others. A family that needs no new property is a row here, with its keys in
//! `family_keys.rs`. The classes of transformers 5.24 are the reference
//! (`configuration_*.py` for keys, `modeling_*.py` for what they do). Never here: reading.

use super::{
    family_keys as keys,
    key::Key,
    properties::{BlockNorms, NormKind, QkNorm, QkNormSpan, RopePairs},
};
use crate::projection::Projection::{self, Down, Gate, K, O, Q, Up, V};

/// One family.
#[derive(Clone, Copy)]
pub(super) struct Family {
    /// `model_type`
    pub(super) name: &'static str,
    /// Keys of its class, beside those of every class.
    pub(super) keys: &'static [Key],
    pub(super) norm_kind: NormKind,
    /// The key of what is added under a norm's root.
    pub(super) norm_eps: &'static str,
    pub(super) norms: BlockNorms,
    pub(super) qk_norm: Option<QkNorm>,
    /// The flag without which `qk_norm` is off.
    pub(super) qk_norm_flag: Option<&'static str>,
    pub(super) windows: WindowRule,
    pub(super) rotated: RotatedRule,
    pub(super) rope: RopeRule,
    /// Projections that have a bias where the flag is set; without one, always.
    pub(super) biases: &'static [(Option<&'static str>, &'static [Projection])],
    pub(super) scores: ScoreRule,
    /// The key of the attention's soft-cap.
    pub(super) attention_soft_cap: Option<&'static str>,
    pub(super) activation: ActivationRule,
    pub(super) embedding: MultiplierRule,
    pub(super) residual: MultiplierRule,
    pub(super) logits: MultiplierRule,
    /// The key of the logits' soft-cap.
    pub(super) final_soft_cap: Option<&'static str>,
    pub(super) merged_qkv: bool,
    pub(super) merged_gate_up: bool,
    /// Whether a head's size is always E / H, whatever `head_dim` says.
    pub(super) head_of_hidden: bool,
}

/// Which layers slide.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum WindowRule {
    Never,
    /// All, where `sliding_window` is given.
    All,
    /// With `use_sliding_window`: those of `layer_types`, else from `max_window_layers` on.
    Upper,
    /// Those of `layer_types`, else all but each so many-th; the key, where there is one, says
    /// how many.
    Typed(Option<&'static str>, usize),
    /// Those of `layer_types`, else all where `sliding_window` is given.
    TypedOrAll,
    /// Those of `layer_types`, else, with `use_sliding_window`, those that are not rotated.
    Unrotated,
}

/// Which layers rotate queries and keys.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum RotatedRule {
    All,
    /// Those that slide.
    Sliding,
    /// Those that slide, or all where `sliding_window` is null.
    SlidingOrAll,
    /// Where `no_rope_layers` has a 1, else all but each `no_rope_layer_interval`-th.
    Listed,
}

/// How a family writes positions.
#[derive(Clone, Copy)]
pub(super) struct RopeRule {
    pub(super) pairs: RopePairs,
    /// `default_theta`
    pub(super) theta: f64,
    /// `rope_parameters` where neither it nor `rope_scaling` is there, as JSON.
    pub(super) absent: Option<&'static str>,
    /// The share of a head that is rotated, where `partial_rotary_factor` does not say;
    /// `None`: the family rotates whole heads.
    pub(super) share: Option<f64>,
    /// Layers that slide have parameters of their own: their default base, and the older key of
    /// it.
    pub(super) local: Option<(f64, Option<&'static str>)>,
    /// Kinds that mean `longrope` here; then there is no other but `default`.
    pub(super) long_names: &'static [&'static str],
    /// Whether `dynamic` with an `alpha` is a larger base.
    pub(super) alpha: bool,
    /// Whether queries grow with their position (`llama_4_scaling_beta`).
    pub(super) grows: bool,
}

/// Where the factor of the scores comes from.
#[derive(Clone, Copy)]
pub(super) enum ScoreRule {
    HeadSize,
    /// 1 over the root of a key.
    InverseRoot(&'static str),
    Key(&'static str),
}

/// Where the mlp's function comes from.
#[derive(Clone, Copy)]
pub(super) enum ActivationRule {
    /// The key of a gated mlp's activation.
    Gated(&'static str),
    /// The same, where `gelu` means its tanh approximation.
    GatedTanh(&'static str),
    /// xIELU, without a gate.
    Xielu,
}

/// Where a multiplier comes from.
#[derive(Clone, Copy)]
pub(super) enum MultiplierRule {
    One,
    /// The root of the hidden size.
    RootOfHidden,
    Key(&'static str),
    /// 1 over a key.
    InverseOf(&'static str),
}

const ATTENTION: &[Projection] = &[Q, K, V, O];
const MLP: &[Projection] = &[Gate, Up, Down];
const ATTENTION_BIAS: (Option<&str>, &[Projection]) = (Some("attention_bias"), ATTENTION);

const ROPE: RopeRule = RopeRule {
    pairs: RopePairs::Halves,
    theta: 10_000.0,
    absent: None,
    share: None,
    local: None,
    long_names: &[],
    alpha: false,
    grows: false,
};

const LLAMA: Family = Family {
    name: "llama",
    keys: keys::LLAMA,
    norm_kind: NormKind::Rms,
    norm_eps: "rms_norm_eps",
    norms: BlockNorms::BEFORE,
    qk_norm: None,
    qk_norm_flag: None,
    windows: WindowRule::Never,
    rotated: RotatedRule::All,
    rope: ROPE,
    biases: &[ATTENTION_BIAS, (Some("mlp_bias"), MLP)],
    scores: ScoreRule::HeadSize,
    attention_soft_cap: None,
    activation: ActivationRule::Gated("hidden_act"),
    embedding: MultiplierRule::One,
    residual: MultiplierRule::One,
    logits: MultiplierRule::One,
    final_soft_cap: None,
    merged_qkv: false,
    merged_gate_up: false,
    head_of_hidden: false,
};

const PER_HEAD: QkNorm = QkNorm {
    span: QkNormSpan::Head,
    after_rope: false,
    names: ["q_norm", "k_norm"],
};

const BOTH_SIDES: BlockNorms = BlockNorms {
    before_attention: Some("input_layernorm"),
    after_attention: Some("post_attention_layernorm"),
    before_mlp: Some("pre_feedforward_layernorm"),
    after_mlp: Some("post_feedforward_layernorm"),
    parallel: false,
};

const AFTER: BlockNorms = BlockNorms {
    before_attention: None,
    before_mlp: None,
    ..BOTH_SIDES
};

const GEMMA: Family = Family {
    name: "gemma",
    keys: keys::GEMMA,
    norm_kind: NormKind::RmsPlusOne,
    biases: &[ATTENTION_BIAS],
    activation: ActivationRule::GatedTanh("hidden_act"),
    embedding: MultiplierRule::RootOfHidden,
    ..LLAMA
};

const GEMMA2: Family = Family {
    name: "gemma2",
    keys: keys::GEMMA2,
    norms: BOTH_SIDES,
    windows: WindowRule::Typed(None, 2),
    scores: ScoreRule::InverseRoot("query_pre_attn_scalar"),
    attention_soft_cap: Some("attn_logit_softcapping"),
    activation: ActivationRule::Gated("hidden_activation"),
    final_soft_cap: Some("final_logit_softcapping"),
    ..GEMMA
};

const COHERE: Family = Family {
    name: "cohere",
    keys: keys::COHERE,
    norm_kind: NormKind::LayerNorm,
    norm_eps: "layer_norm_eps",
    norms: BlockNorms {
        before_attention: Some("input_layernorm"),
        after_attention: None,
        before_mlp: None,
        after_mlp: None,
        parallel: true,
    },
    qk_norm: Some(QkNorm {
        span: QkNormSpan::OwnHead,
        ..PER_HEAD
    }),
    qk_norm_flag: Some("use_qk_norm"),
    rope: RopeRule {
        pairs: RopePairs::Neighbours,
        theta: 500_000.0,
        ..ROPE
    },
    biases: &[ATTENTION_BIAS],
    logits: MultiplierRule::Key("logit_scale"),
    ..LLAMA
};

const OLMO2: Family = Family {
    name: "olmo2",
    keys: keys::OLMO2,
    norms: AFTER,
    qk_norm: Some(QkNorm {
        span: QkNormSpan::Projection,
        ..PER_HEAD
    }),
    biases: &[ATTENTION_BIAS],
    ..LLAMA
};

/// The families whose forward this decoder is; others would load and be wrong.
pub(super) const FAMILIES: &[Family] = &[
    LLAMA,
    Family {
        name: "mistral",
        keys: keys::MISTRAL,
        windows: WindowRule::All,
        biases: &[],
        ..LLAMA
    },
    Family {
        name: "qwen2",
        keys: keys::QWEN2,
        windows: WindowRule::Upper,
        biases: &[(None, &[Q, K, V])],
        ..LLAMA
    },
    Family {
        name: "qwen3",
        keys: keys::QWEN3,
        qk_norm: Some(PER_HEAD),
        windows: WindowRule::Upper,
        biases: &[ATTENTION_BIAS],
        ..LLAMA
    },
    GEMMA,
    GEMMA2,
    Family {
        name: "gemma3_text",
        keys: keys::GEMMA3,
        qk_norm: Some(PER_HEAD),
        windows: WindowRule::Typed(Some("sliding_window_pattern"), 6),
        rope: RopeRule {
            theta: 1_000_000.0,
            local: Some((10_000.0, Some("rope_local_base_freq"))),
            ..ROPE
        },
        attention_soft_cap: None,
        ..GEMMA2
    },
    Family {
        name: "smollm3",
        keys: keys::SMOLLM3,
        windows: WindowRule::Unrotated,
        rotated: RotatedRule::Listed,
        rope: RopeRule {
            theta: 2_000_000.0,
            ..ROPE
        },
        ..LLAMA
    },
    Family {
        name: "apertus",
        keys: keys::APERTUS,
        norms: BlockNorms {
            before_attention: Some("attention_layernorm"),
            before_mlp: Some("feedforward_layernorm"),
            ..BlockNorms::BEFORE
        },
        qk_norm: Some(PER_HEAD),
        rope: RopeRule {
            theta: 12_000_000.0,
            absent: Some(keys::APERTUS_ROPE),
            ..ROPE
        },
        biases: &[ATTENTION_BIAS],
        activation: ActivationRule::Xielu,
        ..LLAMA
    },
    COHERE,
    Family {
        name: "cohere2",
        keys: keys::COHERE2,
        qk_norm: None,
        qk_norm_flag: None,
        windows: WindowRule::Typed(Some("sliding_window_pattern"), 4),
        rotated: RotatedRule::Sliding,
        rope: RopeRule {
            theta: 10_000.0,
            ..COHERE.rope
        },
        head_of_hidden: true,
        ..COHERE
    },
    OLMO2,
    Family {
        name: "olmo3",
        keys: keys::OLMO3,
        windows: WindowRule::Typed(None, 4),
        rope: RopeRule {
            theta: 500_000.0,
            local: Some((500_000.0, None)),
            ..ROPE
        },
        ..OLMO2
    },
    Family {
        name: "phi3",
        keys: keys::PHI3,
        windows: WindowRule::All,
        rope: RopeRule {
            share: Some(1.0),
            long_names: &["longrope", "su", "yarn"],
            ..ROPE
        },
        biases: &[],
        merged_qkv: true,
        merged_gate_up: true,
        ..LLAMA
    },
    Family {
        name: "granite",
        keys: keys::GRANITE,
        scores: ScoreRule::Key("attention_multiplier"),
        embedding: MultiplierRule::Key("embedding_multiplier"),
        residual: MultiplierRule::Key("residual_multiplier"),
        logits: MultiplierRule::InverseOf("logits_scaling"),
        ..LLAMA
    },
    Family {
        name: "glm4",
        keys: keys::GLM4,
        norms: BlockNorms {
            before_attention: Some("input_layernorm"),
            after_attention: Some("post_self_attn_layernorm"),
            before_mlp: Some("post_attention_layernorm"),
            after_mlp: Some("post_mlp_layernorm"),
            parallel: false,
        },
        rope: RopeRule {
            pairs: RopePairs::Neighbours,
            share: Some(0.5),
            ..ROPE
        },
        biases: &[(Some("attention_bias"), &[Q, K, V])],
        merged_gate_up: true,
        ..LLAMA
    },
    Family {
        name: "exaone4",
        keys: keys::EXAONE4,
        norms: AFTER,
        qk_norm: Some(PER_HEAD),
        windows: WindowRule::Typed(Some("sliding_window_pattern"), 4),
        rotated: RotatedRule::SlidingOrAll,
        biases: &[],
        ..LLAMA
    },
    Family {
        name: "hunyuan_v1_dense",
        keys: keys::HUNYUAN,
        qk_norm: Some(QkNorm {
            after_rope: true,
            names: ["query_layernorm", "key_layernorm"],
            ..PER_HEAD
        }),
        rope: RopeRule {
            alpha: true,
            ..ROPE
        },
        biases: &[ATTENTION_BIAS],
        ..LLAMA
    },
    Family {
        name: "ministral",
        keys: keys::MISTRAL,
        windows: WindowRule::TypedOrAll,
        biases: &[],
        ..LLAMA
    },
    Family {
        name: "ministral3",
        keys: keys::MINISTRAL3,
        windows: WindowRule::All,
        rope: RopeRule {
            absent: Some(keys::MINISTRAL3_ROPE),
            grows: true,
            ..ROPE
        },
        biases: &[],
        ..LLAMA
    },
    Family {
        name: "seed_oss",
        keys: keys::SEED_OSS,
        biases: &[
            (Some("attention_bias"), &[Q, K, V]),
            (Some("attention_out_bias"), &[O]),
            (Some("mlp_bias"), MLP),
        ],
        ..LLAMA
    },
    Family {
        name: "ernie4_5",
        keys: keys::ERNIE,
        rope: RopeRule {
            pairs: RopePairs::Neighbours,
            theta: 500_000.0,
            ..ROPE
        },
        biases: &[(Some("use_bias"), ATTENTION), (Some("use_bias"), MLP)],
        ..LLAMA
    },
    Family {
        name: "helium",
        keys: keys::HELIUM,
        rope: RopeRule {
            pairs: RopePairs::Neighbours,
            theta: 100_000.0,
            ..ROPE
        },
        biases: &[
            (Some("attention_bias"), &[Q, K, V]),
            (Some("mlp_bias"), MLP),
        ],
        ..LLAMA
    },
];

/// Keys that only decoders with a part have that this one has not, and the part.
pub(super) const BEYOND: &[(&str, &str)] = &[
    ("num_experts", "a mixture of experts"),
    ("num_local_experts", "a mixture of experts"),
    ("n_routed_experts", "a mixture of experts"),
    ("moe_num_experts", "a mixture of experts"),
    ("kv_lora_rank", "multi-head latent attention"),
    ("linear_num_key_heads", "layers of linear attention"),
    ("mamba_d_state", "state-space layers"),
    ("mamba_num_heads", "state-space layers"),
    ("num_kv_shared_layers", "keys and values shared by layers"),
    ("hidden_size_per_layer_input", "embeddings of each layer"),
    ("vision_config", "a vision encoder"),
    ("audio_config", "an audio encoder"),
];
