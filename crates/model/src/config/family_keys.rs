//! The keys of each family's class in transformers 5.24, and their defaults there: one list per
//! family of `families.rs`. Those of every class are in `keys.rs`. Never here: what a value means.

use super::key::{Key, as_written, idle, nullable, refused, used};

/// V, E, F, L, H and the context, which every class has.
macro_rules! class {
    ([$v:literal, $e:literal, $f:literal, $l:literal, $h:literal, $context:literal] $(, $key:expr)* $(,)?) => {
        &[
            used("vocab_size", $v),
            used("hidden_size", $e),
            used("intermediate_size", $f),
            used("num_hidden_layers", $l),
            used("num_attention_heads", $h),
            used("max_position_embeddings", $context)
            $(, $key)*
        ]
    };
}

/// The class has no field of it, but reads what a file has.
const HEAD_DIM: Key = Key {
    nullable: false,
    ..as_written("head_dim")
};
const NO_TWO_WAYS: Key = refused("use_bidirectional_attention", &["null", "false"]);
const LAYER_TYPES: Key = nullable("layer_types", "null");
const KV_OF_HEADS: Key = nullable("num_key_value_heads", "null");
const NO_ATTENTION_BIAS: Key = used("attention_bias", "false");
const TIED: Key = used("tie_word_embeddings", "true");
const EPS_5: Key = used("rms_norm_eps", "1e-5");

pub(super) const LLAMA: &[Key] = class!(
    ["32000", "4096", "11008", "32", "32", "2048"],
    KV_OF_HEADS,
    nullable("head_dim", "null"),
    NO_ATTENTION_BIAS,
    used("mlp_bias", "false"),
);

/// Of Ministral too.
pub(super) const MISTRAL: &[Key] = class!(
    ["32000", "4096", "14336", "32", "32", "131072"],
    used("num_key_value_heads", "8"),
    nullable("head_dim", "null"),
    nullable("sliding_window", "4096"),
    LAYER_TYPES,
);

pub(super) const QWEN2: &[Key] = class!(
    ["151936", "4096", "22016", "32", "32", "32768"],
    nullable("num_key_value_heads", "32"),
    HEAD_DIM,
    used("use_sliding_window", "false"),
    nullable("sliding_window", "4096"),
    used("max_window_layers", "28"),
    LAYER_TYPES,
);

pub(super) const QWEN3: &[Key] = class!(
    ["151936", "4096", "22016", "32", "32", "32768"],
    nullable("num_key_value_heads", "32"),
    used("head_dim", "128"),
    NO_ATTENTION_BIAS,
    used("use_sliding_window", "false"),
    nullable("sliding_window", "4096"),
    used("max_window_layers", "28"),
    LAYER_TYPES,
);

pub(super) const GEMMA: &[Key] = class!(
    ["256000", "3072", "24576", "28", "16", "8192"],
    used("num_key_value_heads", "16"),
    used("head_dim", "256"),
    used("hidden_act", "\"gelu_pytorch_tanh\""),
    idle("hidden_activation"),
    NO_ATTENTION_BIAS,
    TIED,
    NO_TWO_WAYS,
);

pub(super) const GEMMA2: &[Key] = class!(
    ["256000", "2304", "9216", "26", "8", "8192"],
    used("num_key_value_heads", "4"),
    used("head_dim", "256"),
    used("hidden_activation", "\"gelu_pytorch_tanh\""),
    idle("hidden_act"),
    NO_ATTENTION_BIAS,
    TIED,
    used("query_pre_attn_scalar", "256"),
    nullable("sliding_window", "4096"),
    LAYER_TYPES,
    nullable("final_logit_softcapping", "30.0"),
    nullable("attn_logit_softcapping", "50.0"),
    NO_TWO_WAYS,
);

pub(super) const GEMMA3: &[Key] = class!(
    ["262208", "2304", "9216", "26", "8", "131072"],
    used("num_key_value_heads", "4"),
    used("head_dim", "256"),
    used("hidden_activation", "\"gelu_pytorch_tanh\""),
    idle("hidden_act"),
    NO_ATTENTION_BIAS,
    TIED,
    used("query_pre_attn_scalar", "256"),
    nullable("sliding_window", "4096"),
    used("sliding_window_pattern", "6"),
    LAYER_TYPES,
    nullable("final_logit_softcapping", "null"),
    as_written("rope_local_base_freq"),
    NO_TWO_WAYS,
);

pub(super) const SMOLLM3: &[Key] = class!(
    ["128256", "2048", "11008", "36", "16", "32768"],
    nullable("num_key_value_heads", "4"),
    HEAD_DIM,
    TIED,
    NO_ATTENTION_BIAS,
    used("mlp_bias", "false"),
    used("use_sliding_window", "false"),
    nullable("sliding_window", "null"),
    nullable("no_rope_layers", "null"),
    used("no_rope_layer_interval", "4"),
    LAYER_TYPES,
    idle("max_window_layers"),
);

pub(super) const APERTUS: &[Key] = class!(
    ["131072", "4096", "14336", "32", "32", "65536"],
    KV_OF_HEADS,
    HEAD_DIM,
    used("hidden_act", "\"xielu\""),
    EPS_5,
    NO_ATTENTION_BIAS,
    refused("qk_norm", &["true"]),
    refused("post_norm", &["false"]),
    refused("mlp_bias", &["false"]),
);

/// What its class sets where a file has neither spelling.
pub(super) const APERTUS_ROPE: &str = r#"{"rope_type": "llama3", "rope_theta": 12000000.0, "factor": 8.0,
    "original_max_position_embeddings": 8192, "low_freq_factor": 1.0, "high_freq_factor": 4.0}"#;

pub(super) const COHERE: &[Key] = class!(
    ["256000", "8192", "22528", "40", "64", "8192"],
    KV_OF_HEADS,
    HEAD_DIM,
    used("layer_norm_eps", "1e-5"),
    idle("rms_norm_eps"),
    used("logit_scale", "0.0625"),
    TIED,
    NO_ATTENTION_BIAS,
    nullable("use_qk_norm", "false"),
);

pub(super) const COHERE2: &[Key] = class!(
    ["256000", "8192", "22528", "40", "64", "8192"],
    KV_OF_HEADS,
    idle("head_dim"),
    used("layer_norm_eps", "1e-5"),
    idle("rms_norm_eps"),
    used("logit_scale", "0.0625"),
    TIED,
    NO_ATTENTION_BIAS,
    nullable("sliding_window", "4096"),
    used("sliding_window_pattern", "4"),
    LAYER_TYPES,
    refused("use_parallel_block", &["true"]),
    refused("use_gated_activation", &["true"]),
    refused("rotary_pct", &["1.0", "1"]),
    idle("layer_switch"),
    idle("order_of_interleaved_layers"),
    idle("position_embedding_type"),
    idle("use_embedding_sharing"),
    idle("use_parallel_embedding"),
    idle("use_qk_norm"),
);

pub(super) const OLMO2: &[Key] = class!(
    ["50304", "4096", "11008", "32", "32", "2048"],
    KV_OF_HEADS,
    HEAD_DIM,
    EPS_5,
    NO_ATTENTION_BIAS,
);

pub(super) const OLMO3: &[Key] = class!(
    ["50304", "4096", "11008", "32", "32", "2048"],
    KV_OF_HEADS,
    HEAD_DIM,
    EPS_5,
    NO_ATTENTION_BIAS,
    nullable("sliding_window", "4096"),
    LAYER_TYPES,
);

pub(super) const PHI3: &[Key] = class!(
    ["32064", "3072", "8192", "32", "32", "4096"],
    KV_OF_HEADS,
    HEAD_DIM,
    EPS_5,
    used("original_max_position_embeddings", "4096"),
    nullable("sliding_window", "null"),
    refused("lm_head_bias", &["false"]),
    idle("attention_bias"),
    idle("mlp_bias"),
    idle("full_attn_mod"),
    idle("interpolate_factor"),
);

pub(super) const GRANITE: &[Key] = class!(
    ["32000", "4096", "11008", "32", "32", "2048"],
    KV_OF_HEADS,
    HEAD_DIM,
    NO_ATTENTION_BIAS,
    used("mlp_bias", "false"),
    used("embedding_multiplier", "1.0"),
    used("logits_scaling", "1.0"),
    used("residual_multiplier", "1.0"),
    used("attention_multiplier", "1.0"),
);

pub(super) const GLM4: &[Key] = class!(
    ["151552", "4096", "13696", "40", "32", "131072"],
    used("num_key_value_heads", "2"),
    used("head_dim", "128"),
    used("rms_norm_eps", "1.5625e-7"),
    used("attention_bias", "true"),
);

pub(super) const EXAONE4: &[Key] = class!(
    ["102400", "4096", "16384", "32", "32", "2048"],
    used("num_key_value_heads", "32"),
    HEAD_DIM,
    EPS_5,
    nullable("sliding_window", "4096"),
    nullable("sliding_window_pattern", "4"),
    LAYER_TYPES,
);

pub(super) const HUNYUAN: &[Key] = class!(
    ["290943", "4096", "11008", "32", "32", "2048"],
    KV_OF_HEADS,
    nullable("head_dim", "null"),
    EPS_5,
    NO_ATTENTION_BIAS,
    refused("use_cla", &["false", "null"]),
    refused("mlp_bias", &["false"]),
    refused("use_qk_norm", &["true"]),
    idle("attention_head_dim"),
    idle("cla_share_factor"),
);

pub(super) const MINISTRAL3: &[Key] = class!(
    ["131072", "4096", "14336", "34", "32", "262144"],
    used("num_key_value_heads", "8"),
    nullable("head_dim", "128"),
    EPS_5,
    nullable("sliding_window", "null"),
    LAYER_TYPES,
);

/// What its class sets where a file has neither spelling.
pub(super) const MINISTRAL3_ROPE: &str = r#"{"type": "yarn", "rope_theta": 1000000.0, "factor": 16.0,
    "original_max_position_embeddings": 16384, "beta_fast": 32.0, "beta_slow": 1.0,
    "mscale_all_dim": 1.0, "mscale": 1.0, "llama_4_scaling_beta": 0.1}"#;

pub(super) const SEED_OSS: &[Key] = class!(
    ["155136", "4096", "27648", "64", "80", "524288"],
    nullable("num_key_value_heads", "8"),
    nullable("head_dim", "128"),
    used("attention_bias", "true"),
    used("attention_out_bias", "false"),
    used("mlp_bias", "false"),
);

pub(super) const ERNIE: &[Key] = class!(
    ["103424", "1024", "3072", "18", "16", "131072"],
    nullable("num_key_value_heads", "2"),
    nullable("head_dim", "128"),
    EPS_5,
    TIED,
    nullable("use_bias", "false"),
);

pub(super) const HELIUM: &[Key] = class!(
    ["48000", "2560", "7040", "24", "20", "4096"],
    used("num_key_value_heads", "20"),
    used("head_dim", "128"),
    used("rms_norm_eps", "1e-8"),
    NO_ATTENTION_BIAS,
    used("mlp_bias", "false"),
);
